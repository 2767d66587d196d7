"""Executors that fail: every failure is one sentence, publishes nothing, and leaves no temporary files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

import sparkify_lake
from sparkify_lake.errors import (
    ConfigurationError,
    OutputError,
    RetryableError,
    UsageError,
)
from sparkify_lake.executors import Kernel
from sparkify_lake.executors.local import LocalExecutor
from support.lake_files import Report, table_files

pytestmark = pytest.mark.usefixtures("isolated_module")


class FailingExecutor(LocalExecutor):
    """Fails in one of several ways."""

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
                case "other version":
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
        ("is short", RetryableError, "broken returned"),
        ("mangles", sparkify_lake.InternalError, "bytes that are not a worker's result"),
        ("miscounts", sparkify_lake.InternalError, "does not fit its shard"),
        (
            "other version",
            ConfigurationError,
            f"a worker has sparkify-lake {sparkify_lake.__version__}, but the run",
        ),
        ("elsewhere", OutputError, "this worker does not see /nowhere/lake"),
    ],
)
def test_executor_failures_are_reported_in_one_sentence(
    tmp_path: Path, shard_input: Path, run: Callable[..., Report], how: str, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind) as raised:
        run(shard_input, tmp_path / "lake", executor=FailingExecutor(how), shard_size="50KiB")
    assert words in str(raised.value)
    assert len(str(raised.value).splitlines()) <= 3
    assert table_files(tmp_path / "lake") == {}
    run(shard_input, tmp_path / "lake", executor=FailingExecutor("never"), shard_size="50KiB")
    assert not (tmp_path / "lake" / "_etl" / "stage").exists()


def test_an_interrupt_stops_a_sharded_run(tmp_path: Path, shard_input: Path) -> None:
    class WaitingExecutor(LocalExecutor):
        """Runs until it is canceled."""

        def map(self, kernel: Kernel, shards: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
            from time import sleep

            while not self._is_cancelled:
                sleep(0.01)
            return iter(())

    class Stop(Exception):
        pass

    def watch(tick: object) -> None:
        raise Stop

    from sparkify_lake.jobs import run_with
    from sparkify_lake.settings.resolve import resolve

    options = {"input": shard_input, "output": tmp_path / "lake", "executor": WaitingExecutor()}
    with pytest.raises(Stop):
        run_with(resolve("run", options), watch=watch)
    assert not (tmp_path / "lake" / "_etl" / "stage").exists()


@pytest.mark.parametrize(
    ("chosen", "words"),
    [("yarn", "'yarn'"), (7, "of type int"), (LocalExecutor, "of type type")],
    ids=["name", "number", "class"],
)
def test_an_invalid_executor_is_refused(
    tmp_path: Path, shard_input: Path, chosen: object, words: str
) -> None:
    with pytest.raises((UsageError, ConfigurationError), match=f"executor cannot be {words}"):
        sparkify_lake.run(shard_input, tmp_path / "lake", executor=chosen, quiet=True)
    assert not (tmp_path / "lake").exists()


def test_an_old_spark_is_refused(tmp_path: Path, shard_input: Path) -> None:
    old = type("SparkSession", (), {"__module__": "pyspark.sql.session", "version": "3.5.6"})()
    with pytest.raises(ConfigurationError, match=r"does not support Spark 3\.5\.6\nhint: "):
        sparkify_lake.run(shard_input, tmp_path / "lake", executor=old, quiet=True)


def test_local_is_the_default(tmp_path: Path, shard_input: Path, run: Callable[..., Report]) -> None:
    assert run(shard_input, tmp_path / "lake", executor="local")["executor"] == "local"


def test_a_worker_without_the_package_is_reported(tmp_path: Path) -> None:
    """The function that is sent to workers reports a missing package without importing the package."""
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

    class WorkerWithoutPackage(LocalExecutor):
        def map(self, kernel: Kernel, shards: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
            return ((number, result) for number in range(len(shards)))

    sparkify_lake.sample(tmp_path / "in", songs=3, events=30, days=2, quiet=True)
    with pytest.raises(ConfigurationError, match="sparkify-lake cannot be loaded on the worker") as raised:
        sparkify_lake.run(tmp_path / "in", tmp_path / "lake", executor=WorkerWithoutPackage(), quiet=True)
    assert "install the same version" in str(raised.value)


def test_doctor_checks_the_workers(tmp_path: Path) -> None:
    found = sparkify_lake.doctor(tmp_path, executor=LocalExecutor(3))
    check = next(check for check in found.checks if check.name == "workers")
    assert (check.outcome, found.exit_code) == ("ok", 0)
    assert check.detail.startswith(f"threads: 3 slots have sparkify-lake {sparkify_lake.__version__}")
    found = sparkify_lake.doctor(tmp_path, executor=FailingExecutor("other version"))
    check = next(check for check in found.checks if check.name == "workers")
    assert (check.outcome, found.exit_code) == ("failed", 78)
    assert "0.0.1" in check.detail
    assert list(tmp_path.iterdir()) == []


def test_shards_contain_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards are visible in pages and logs of a cluster, so they must not contain credentials."""
    seen: list[bytes] = []

    class RecordingExecutor(LocalExecutor):
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
        executor=RecordingExecutor(),
        region="eu-west-1",
        quiet=True,
    )
    assert len(seen) == 2
    assert b"eu-west-1" in seen[0]
    assert not any(secret in shard for shard in seen for secret in (b"AKIAVERYSECRET", b"hunter2"))
