"""Shards on threads: all that shards can be and meet, without a cluster.

The lake of a sharded run is compared byte for byte with that of a plain one, the report but for what says
how it was made.
"""

from __future__ import annotations

import gzip
import json
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import sparkify_lake
from conftest import Report, Snapshot, contents
from generate import write_input
from generate_records import play, song, song_of_each_artist
from sparkify_lake.errors import (
    ConfigurationError,
    DataRefusedError,
    OutputError,
    RetryableError,
    UsageError,
)
from sparkify_lake.executors import Executor, Kernel
from sparkify_lake.executors.local import LocalExecutor

pytestmark = pytest.mark.usefixtures("alone")
SEED = 8
# What says how a run went, not what it made.
HOW = (
    "run_id",
    "started_at",
    "seconds",
    "stages",
    "peak_rss_bytes",
    "threads",
    "executor",
    "options",
    "output",
)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, alone: Path) -> Path:
    """Logs of 70 days in four months, songs, and records that are turned away."""
    folder = tmp_path_factory.mktemp("shards") / "in"
    sparkify_lake.sample(folder, songs=60, events=6_000, days=70, users=40, quiet=True)
    logs = sorted((folder / "log_data").rglob("*.json"))
    for number, log in enumerate(logs[::9]):
        log.write_text(log.read_text() + '{"page": "NextSong", "ts": "no time"}\n' * (number + 1) + "{torn\n")
    songs = sorted((folder / "song_data").rglob("*.json"))
    songs[7].write_text('{"song_id": 17}')
    # A file with an event of another month, one without a date, one that is packed.
    logs[3].write_text(logs[3].read_text() + logs[-1].read_text().splitlines()[0] + "\n")
    logs[20].rename(folder / "log_data" / "undated.json")
    logs[30].with_suffix(".json.gz").write_bytes(gzip.compress(logs[30].read_bytes()))
    logs[30].unlink()
    return folder


class Shuffled(LocalExecutor):
    """Gives results back in any order, and some of them twice."""

    name = "shuffled"

    def map(self, kernel: Kernel, shards: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
        twice = [*enumerate(shards), *list(enumerate(shards))[::2]]
        random.Random(SEED).shuffle(twice)
        for number, shard in twice:
            yield number, kernel(shard)


def told(report: Report) -> Report:
    kept = {name: value for name, value in report.items() if name not in HOW}
    kept["quarantine"] = report["quarantine"] is not None
    return kept


def rejects(lake: Path) -> list[dict[str, Any]]:
    found = [
        json.loads(line)
        for file in sorted((lake / "_etl" / "quarantine").rglob("*.jsonl"))
        for line in file.read_text().splitlines()
    ]
    return sorted(found, key=lambda one: (one["file"], one["line"]))


@pytest.mark.parametrize("shard_size", ["1", "40KiB", "1GiB"])
@pytest.mark.parametrize("make", [lambda: LocalExecutor(2), lambda: LocalExecutor(3, threads=2), Shuffled])
def test_the_lake_is_the_same_byte_for_byte(
    tmp_path: Path,
    source: Path,
    run: Callable[..., Report],
    snapshot: Callable[[Path], Snapshot],
    shard_size: str,
    make: Callable[[], Executor],
) -> None:
    plain = run(source, tmp_path / "plain")
    executor = make()
    sharded = run(source, tmp_path / "sharded", executor=executor, shard_size=shard_size)
    first, second = (contents(snapshot(tmp_path / name)) for name in ("plain", "sharded"))
    assert len(first) >= 60
    assert second == first
    assert told(sharded) == told(plain)
    assert (plain["executor"], sharded["executor"]) == ("local", executor.name)
    assert rejects(tmp_path / "sharded") == rejects(tmp_path / "plain") != []
    assert not (tmp_path / "sharded" / "_etl" / "stage").exists()
    assert not [path for path in (tmp_path / "sharded").rglob("*") if path.suffix in (".new", ".tmp")]


@pytest.mark.parametrize(
    "options",
    [
        {"tables": "users"},
        {"tables": "time,songplays", "compression": "zstd"},
        {"tables": "songs,artists"},
        {"unmatched": "drop", "match": "title_artist", "table_names": "plain"},
        {"memory_limit": "64MiB", "chunk_size": "1KiB"},
    ],
    ids=str,
)
def test_options_mean_the_same(
    tmp_path: Path, source: Path, run: Callable[..., Report], options: dict[str, Any]
) -> None:
    plain = run(source, tmp_path / "plain", **options)
    sharded = run(source, tmp_path / "sharded", executor=LocalExecutor(), shard_size="100KiB", **options)
    assert told(sharded) == told(plain)
    assert tables(tmp_path / "sharded") == tables(tmp_path / "plain") != {}


def tables(lake: Path) -> dict[str, bytes]:
    return {
        path.relative_to(lake).as_posix(): path.read_bytes()
        for path in lake.rglob("*")
        if path.is_file() and "_etl" not in path.parts
    }


def test_a_lake_goes_from_one_way_of_working_to_the_other(
    tmp_path: Path, source: Path, run: Callable[..., Report]
) -> None:
    """Days arrive, change and go; each run builds on what one of the other kind left."""
    here = tmp_path / "in"
    shutil.copytree(source, here)
    logs = sorted((here / "log_data").rglob("*-events.json"))
    late = {log: log.read_bytes() for log in logs[::6]}
    songs = sorted((here / "song_data").rglob("*.json"))
    late_songs = {song: song.read_bytes() for song in songs[:20]}
    for file in [*late, *late_songs]:
        file.unlink()
    run(here, tmp_path / "lake")
    steps = [dict([item]) for item in late.items()] + [late_songs]
    for number, step in enumerate(steps):
        for file, bytes in step.items():
            file.write_bytes(bytes)
        ways: dict[str, Any] = {} if number % 3 == 1 else {"executor": Shuffled(), "shard_size": "30KiB"}
        report = run(here, tmp_path / "lake", **ways)
        assert report["rebuilt"] is None, number
        assert report["state"] == "published"
    assert run(here, tmp_path / "lake", executor=Shuffled())["state"] == "unchanged"
    run(here, tmp_path / "anew")
    assert tables(tmp_path / "lake") == tables(tmp_path / "anew")
    assert sparkify_lake.check(tmp_path / "lake").is_published


def test_files_that_are_gone_stay(tmp_path: Path, source: Path, run: Callable[..., Report]) -> None:
    here = tmp_path / "in"
    shutil.copytree(source, here)
    options = {"keep_gone": True, "executor": LocalExecutor(), "shard_size": "30KiB"}
    before = run(here, tmp_path / "lake", **options)
    whole = tables(tmp_path / "lake")
    gone = sorted((here / "log_data").rglob("*-events.json"))[5]
    gone.unlink()
    other = sorted((here / "log_data").rglob("*-events.json"))[6]
    other.write_text(other.read_text() + "\n")
    after = run(here, tmp_path / "lake", **options)
    assert after["input"]["logs"]["files_kept"] == 1
    assert after["records"] == before["records"]
    assert tables(tmp_path / "lake") == whole


def test_the_same_log_twice_is_refused(tmp_path: Path, source: Path, run: Callable[..., Report]) -> None:
    here = tmp_path / "in"
    shutil.copytree(source, here)
    logs = sorted((here / "log_data").rglob("*-events.json"))
    (logs[-1].parent / "copy.json").write_bytes(logs[0].read_bytes())
    with pytest.raises(DataRefusedError, match="duplicate_input"):
        run(here, tmp_path / "lake", executor=LocalExecutor(), shard_size="1")
    assert tables(tmp_path / "lake") == {}
    doubled = run(here, tmp_path / "lake", executor=LocalExecutor(), shard_size="1", allow_duplicates=True)
    assert doubled["records"]["logs"]["loaded"] > run(source, tmp_path / "plain")["records"]["logs"]["loaded"]


def test_a_bad_file_is_refused_or_left_out(tmp_path: Path, source: Path, run: Callable[..., Report]) -> None:
    here = tmp_path / "in"
    shutil.copytree(source, here)
    bad = here / "log_data" / "bad.json.gz"
    bad.write_bytes(gzip.compress(b"x" * 9_999)[:-9])
    with pytest.raises(DataRefusedError, match="gzip"):
        run(here, tmp_path / "refused", executor=LocalExecutor(), shard_size="1")
    options = {"on_bad_file": "quarantine"}
    sharded = run(here, tmp_path / "lake", executor=LocalExecutor(), shard_size="1", **options)
    assert told(sharded) == told(run(here, tmp_path / "plain", **options))
    assert sharded["bad_files"][0]["file"] == str(bad)
    assert rejects(tmp_path / "lake") == rejects(tmp_path / "plain")


def test_whatever_records_say(tmp_path: Path, run: Callable[..., Report]) -> None:
    songs = [*song_of_each_artist(), *(song(SEED + number) for number in range(60))]
    events = [play(SEED + number) for number in range(400)]
    for layout in range(4):
        here = write_input(tmp_path / f"in{layout}", songs, events, layout)
        options = {"max_bad": 1_000, "allow_duplicates": True}
        plain = run(here, tmp_path / f"plain{layout}", **options)
        sharded = run(here, tmp_path / f"sharded{layout}", executor=Shuffled(), shard_size="2KiB", **options)
        assert told(sharded) == told(plain)
        assert tables(tmp_path / f"sharded{layout}") == tables(tmp_path / f"plain{layout}")


# --- what goes wrong ---------------------------------------------------------------------------------------


class Broken(LocalExecutor):
    """Fails as it is told."""

    name = "broken"

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def map(self, kernel: Kernel, shards: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
        if self.how == "raises":
            raise ConnectionError("the cluster went away\nand a stack trace")
        if self.how == "is short":
            shards = shards[1:]
        for number, shard in enumerate(shards):
            match self.how:
                case "mangles":
                    yield number, b"nonsense"
                case "miscounts":
                    yield number + 1_000, kernel(shard)
                case "other release":
                    yield number, kernel(shard.replace(sparkify_lake.__version__.encode(), b"0.0.1", 1))
                case "elsewhere":
                    other = json.loads(shard)
                    other["lake"] = "/nowhere/lake"
                    yield number, kernel(json.dumps(other).encode())
                case _:
                    yield number, kernel(shard)


@pytest.mark.parametrize(
    ("how", "kind", "words"),
    [
        (
            "raises",
            RetryableError,
            "broken did not do the work\ncause: ConnectionError: the cluster went away\nhint",
        ),
        ("is short", RetryableError, "broken gave back"),
        ("mangles", sparkify_lake.InternalError, "something else than a worker's result"),
        ("miscounts", sparkify_lake.InternalError, "does not fit its shard"),
        (
            "other release",
            ConfigurationError,
            f"a worker has sparkify-lake {sparkify_lake.__version__}, but the run",
        ),
        ("elsewhere", OutputError, "this worker does not see /nowhere/lake"),
    ],
)
def test_what_goes_wrong_is_said_in_one_sentence(
    tmp_path: Path, source: Path, run: Callable[..., Report], how: str, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind) as raised:
        run(source, tmp_path / "lake", executor=Broken(how), shard_size="50KiB")
    assert words in str(raised.value)
    assert len(str(raised.value).splitlines()) <= 3
    assert tables(tmp_path / "lake") == {}
    run(source, tmp_path / "lake", executor=Broken("not at all"), shard_size="50KiB")
    assert not (tmp_path / "lake" / "_etl" / "stage").exists()


def test_an_interrupt_ends_a_sharded_run(tmp_path: Path, source: Path) -> None:
    class Waiting(LocalExecutor):
        """Never done, until it is told to stop."""

        def map(self, kernel: Kernel, shards: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
            from time import sleep

            while not self._is_cancelled:
                sleep(0.01)
            return iter(())

    class Enough(Exception):
        pass

    def watch(tick: object) -> None:
        raise Enough

    from sparkify_lake.jobs import run_with
    from sparkify_lake.settings.resolve import resolve

    said = {"input": source, "output": tmp_path / "lake", "executor": Waiting()}
    with pytest.raises(Enough):
        run_with(resolve("run", said), watch=watch)
    assert not (tmp_path / "lake" / "_etl" / "stage").exists()


@pytest.mark.parametrize(
    ("chosen", "words"),
    [("yarn", "'yarn'"), (7, "of type int"), (LocalExecutor, "of type type")],
    ids=["name", "number", "class"],
)
def test_what_is_no_executor_is_refused(tmp_path: Path, source: Path, chosen: object, words: str) -> None:
    with pytest.raises((UsageError, ConfigurationError), match=f"an executor cannot be {words}"):
        sparkify_lake.run(source, tmp_path / "lake", executor=chosen, quiet=True)
    assert not (tmp_path / "lake").exists()


def test_the_session_without_spark_is_no_executor(tmp_path: Path, source: Path) -> None:
    pytest.importorskip("sqlframe", reason="sqlframe is missing: pip install 'sparkify-lake[notebook]'")
    from sparkify_lake import etl

    with pytest.raises(ConfigurationError, match="the session without Spark is no executor"):
        sparkify_lake.run(source, tmp_path / "lake", executor=etl.create_spark_session(), quiet=True)


def test_an_old_spark_is_refused(tmp_path: Path, source: Path) -> None:
    old = type("SparkSession", (), {"__module__": "pyspark.sql.session", "version": "3.5.6"})()
    with pytest.raises(ConfigurationError, match=r"Spark session is of release 3\.5\.6\nhint: "):
        sparkify_lake.run(source, tmp_path / "lake", executor=old, quiet=True)


def test_local_is_the_default(tmp_path: Path, source: Path, run: Callable[..., Report]) -> None:
    assert run(source, tmp_path / "lake", executor="local")["executor"] == "local"


def test_a_worker_without_the_package_says_so(tmp_path: Path) -> None:
    """The function that is shipped needs nothing of ours to say that nothing of ours is there."""
    cloudpickle = pytest.importorskip(
        "pyspark.cloudpickle", reason="pyspark is missing: pip install 'sparkify-lake[spark]'"
    )
    import subprocess
    import sys

    from sparkify_lake.executors import kernel_with

    shipped = tmp_path / "kernel.pickle"
    shipped.write_bytes(cloudpickle.dumps(kernel_with({})))
    code = (
        "import pickle, sys; sys.modules['sparkify_lake'] = None\n"
        f"result = pickle.load(open({str(shipped)!r}, 'rb'))(b'')\n"
        "sys.stdout.buffer.write(result)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout

    class Bare(LocalExecutor):
        def map(self, kernel: Kernel, shards: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
            return ((number, result) for number in range(len(shards)))

    sparkify_lake.sample(tmp_path / "in", songs=3, events=30, days=2, quiet=True)
    with pytest.raises(ConfigurationError, match="sparkify-lake cannot be loaded on the worker") as raised:
        sparkify_lake.run(tmp_path / "in", tmp_path / "lake", executor=Bare(), quiet=True)
    assert "install the same version" in str(raised.value)


def test_doctor_asks_the_workers(tmp_path: Path) -> None:
    found = sparkify_lake.doctor(tmp_path, executor=LocalExecutor(3))
    check = next(check for check in found.checks if check.name == "workers")
    assert (check.outcome, found.exit_code) == ("ok", 0)
    assert check.detail.startswith(f"threads: 3 slots have sparkify-lake {sparkify_lake.__version__}")
    found = sparkify_lake.doctor(tmp_path, executor=Broken("other release"))
    check = next(check for check in found.checks if check.name == "workers")
    assert (check.outcome, found.exit_code) == ("failed", 78)
    assert "0.0.1" in check.detail
    assert list(tmp_path.iterdir()) == []


def test_what_goes_to_workers_holds_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards are seen in a cluster's pages and logs; credentials are not in them."""
    seen: list[bytes] = []

    class Looking(LocalExecutor):
        def map(self, kernel: Kernel, shards: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
            seen.extend(shards)
            return super().map(kernel, shards)

    sparkify_lake.sample(tmp_path / "in", songs=3, events=30, days=2, quiet=True)
    (tmp_path / "dl.cfg").write_text(
        "[AWS]\nAWS_ACCESS_KEY_ID=AKIAVERYSECRET\nAWS_SECRET_ACCESS_KEY=hunter2\n"
    )
    sparkify_lake.run(
        tmp_path / "in",
        tmp_path / "lake",
        config=tmp_path,
        executor=Looking(),
        region="eu-west-1",
        quiet=True,
    )
    assert len(seen) == 2
    assert b"eu-west-1" in seen[0]
    assert not any(secret in shard for shard in seen for secret in (b"AKIAVERYSECRET", b"hunter2"))
