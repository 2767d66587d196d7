"""Unusual hosts: the C locale, paths that are not UTF-8, closed folders, no time zones."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import sparkify_lake
from sparkify_lake.errors import ConfigurationError
from support.processes import Finished, assert_refused, clean_environment

Program = Callable[..., Finished]

C_LOCALE = {"LC_ALL": "C", "LANG": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
LOCALES = {"C": C_LOCALE, "POSIX": {**C_LOCALE, "LC_ALL": "POSIX"}, "UTF-8": {"LC_ALL": "C.UTF-8"}}
SCRIPT = """
import sys, sparkify_lake
from sparkify_lake import etl
source, lake = sys.argv[1:]
sparkify_lake.run(source, lake, quiet=True)
etl.main(source, lake)
assert sparkify_lake.check(lake).is_healthy
assert sparkify_lake.status(lake, source).exit_code == 0
sparkify_lake.plan(source, lake)
sparkify_lake.doctor(lake)
assert sparkify_lake.open_lake(lake).songs.collect().height == sparkify_lake.build(source).songs.height > 0
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    sparkify_lake.sample(tmp_path / "in", songs=5, events=50, days=2, users=3)
    return tmp_path / "in"


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("name", ["plain", "lü-湖", "with space"])
def test_every_call_in_every_locale(tmp_path: Path, source: Path, locale: str, name: str) -> None:
    renamed = source.rename(tmp_path / f"in-{name}")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, renamed, tmp_path / name],
        env=clean_environment(LOCALES[locale]),
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert (tmp_path / name / "songs_table" / "_SUCCESS").exists()


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize(
    "words",
    [
        ["SOURCE", "BAD"],
        ["BAD", "lake"],
        ["SOURCE", "BAD", "--dry-run"],
        ["check", "BAD"],
        ["status", "BAD"],
        ["recover", "BAD"],
        ["doctor", "BAD"],
        ["SOURCE", "lake", "--table-names", "BAD"],
        ["sample", "BAD"],
    ],
    ids=" ".join,
)
def test_a_path_that_is_not_utf8_is_refused(
    tmp_path: Path, source: Path, locale: str, words: list[str]
) -> None:
    """Nothing is created: an error names the option and a way out."""
    given = {b"SOURCE": os.fsencode(source), b"BAD": b"b\xffd"}
    command = [given.get(word.encode(), word.encode()) for word in words]
    before = sorted(os.listdir(os.fsencode(tmp_path)))
    done = subprocess.run(
        [os.fsencode(sys.executable), b"-m", b"sparkify_lake", *command],
        env=clean_environment(LOCALES[locale]),
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    errors = done.stderr.decode(errors="replace")
    assert done.returncode in {64, 78}, errors
    assert "UTF-8" in errors and "hint: " in errors and "Traceback" not in errors
    assert sorted(os.listdir(os.fsencode(tmp_path))) == before


def test_a_path_that_is_not_utf8_is_refused_by_functions(tmp_path: Path) -> None:
    for path in (os.fsdecode(b"b\xffd"), Path(os.fsdecode(b"b\xffd"))):
        with pytest.raises(ConfigurationError, match="UTF-8"):
            sparkify_lake.run(tmp_path, path)


def test_a_symlink_is_the_way_out(tmp_path: Path, source: Path) -> None:
    os.makedirs(os.fsencode(tmp_path) + b"/b\xffd")
    os.symlink(os.fsencode(tmp_path) + b"/b\xffd", tmp_path / "link")
    sparkify_lake.run(source, tmp_path / "link" / "lake", quiet=True)
    assert sparkify_lake.check(tmp_path / "link" / "lake").is_healthy


def other_user() -> tuple[str, ...]:
    """A command prefix that makes permissions apply, even to root."""
    if os.geteuid() != 0:
        return ()
    prefix = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")
    if shutil.which("setpriv") is None or subprocess.run([*prefix, "true"], check=False).returncode != 0:
        pytest.skip("runs as root and may not drop capabilities")
    return prefix


def test_a_current_folder_that_may_not_be_searched(tmp_path: Path, source: Path) -> None:
    """``sudo -u`` and cron start programs in folders of other users."""
    closed = tmp_path / "closed"
    closed.mkdir()
    (closed / "lake.cfg").write_text("[LAKE]\nTABLES = songs\n")
    command = [sys.executable, "-m", "sparkify_lake", str(source), str(tmp_path / "lake")]
    script = 'cd "$1" && chmod 0 . && shift && exec "$@"'
    done = subprocess.run(
        ["sh", "-c", script, "sh", closed, *other_user(), *command],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    closed.chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert "lake.cfg and dl.cfg are not read" in done.stderr
    # A folder that the user names is not passed over.
    closed.chmod(0)
    done = subprocess.run(
        [*other_user(), *command, "--config", str(closed / "lake.cfg")],
        env=clean_environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    closed.chmod(0o755)
    assert_refused(done, 74, 77, 78)


def test_times_are_read_without_the_systems_time_zones(tmp_path: Path, source: Path) -> None:
    """Slim containers have no tzdata, and Polars needs it to convert a time to Python."""
    sparkify_lake.run(source, tmp_path / "lake", quiet=True)
    script = (
        "import sys, sparkify_lake\n"
        "lake = sparkify_lake.open_lake(sys.argv[1])\n"
        "for table in ('time', 'songplays'):\n"
        "    rows = lake[table].collect().rows()\n"
        "    assert rows and any(str(value).endswith('+00:00') for value in rows[0]), rows[0]\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "lake"],
        env=clean_environment({"PYTHONTZPATH": ""}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
