"""The source distribution has everything that `pip install` needs, and nothing else. Nothing is compiled."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MAX_BYTES = 1_500_000
# In addition to the sources. PKG-INFO is written by maturin.
OTHERS = {"CHANGELOG.md", "Cargo.lock", "Cargo.toml", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml"}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    maturin = Path(sys.executable).with_name("maturin")
    if not maturin.exists() or shutil.which("cargo") is None:
        pytest.skip("maturin or cargo is missing")
    folder = tmp_path_factory.mktemp("sdist")
    subprocess.run([maturin, "sdist", "--out", folder], cwd=ROOT, check=True, capture_output=True)
    (found,) = folder.iterdir()
    return found


@pytest.fixture(scope="module")
def unpacked(archive: Path) -> Path:
    with tarfile.open(archive) as tar:
        tar.extractall(archive.parent, filter="data")
    return archive.parent / archive.name.removesuffix(".tar.gz")


def sources() -> set[str]:
    """The files of the Rust crate and of the Python package, without what is compiled."""
    files = [*(ROOT / "src").rglob("*.rs"), *(ROOT / "python").rglob("*")]
    kept = [path for path in files if path.is_file() and path.suffix not in (".so", ".pyc")]
    return {path.relative_to(ROOT).as_posix() for path in kept}


def test_the_archive_is_small(archive: Path) -> None:
    assert archive.stat().st_size < MAX_BYTES


def test_the_archive_has_the_sources_and_nothing_else(unpacked: Path) -> None:
    found = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()}
    expected = sources()
    assert len(expected) > 250
    assert found == expected | OTHERS


def test_the_files_are_those_of_the_clone(unpacked: Path) -> None:
    same = sources() | OTHERS - {"Cargo.toml", "PKG-INFO"}
    assert [
        name for name in sorted(same) if (unpacked / name).read_bytes() != (ROOT / name).read_bytes()
    ] == []


def test_cargo_resolves_the_locked_crates(unpacked: Path) -> None:
    command = ["cargo", "metadata", "--locked", "--offline", "--format-version", "1"]
    done = subprocess.run(command, cwd=unpacked, check=True, capture_output=True, text=True)
    metadata = json.loads(done.stdout)
    (package,) = [one for one in metadata["packages"] if one["name"] == "sparkify_lake"]
    assert len(metadata["packages"]) > 100
    targets = [Path(target["src_path"]) for target in package["targets"]]
    assert targets == [unpacked / "src" / "lib.rs"]
    assert Path(package["readme"]).is_file() or (unpacked / package["readme"]).is_file()
