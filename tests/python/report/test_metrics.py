"""Metrics for Prometheus: after successful and failed runs, from the API and the program."""

from __future__ import annotations

import builtins
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import prometheus_client
import pytest
from prometheus_client.parser import text_string_to_metric_families

import sparkify_lake
from sparkify_lake import metrics
from sparkify_lake.errors import ConfigurationError, DataRefusedError, NoInputError, OutputError
from sparkify_lake.etl import process_log_data, process_song_data
from sparkify_lake.results.run_report import RunReport
from support.processes import Finished
from support.report_samples import run_mapping

pytestmark = pytest.mark.usefixtures("isolated")

Samples = dict[tuple[str, tuple[str, ...]], float]


def read(file: Path, lake: Path) -> Samples:
    """The samples of a file by name and labels, without the label of the lake, which each must have."""
    found: Samples = {}
    for family in text_string_to_metric_families(file.read_text()):
        assert family.type == "gauge" and family.documentation
        for sample in family.samples:
            assert sample.labels.pop("lake") == str(lake)
            name = sample.name.removeprefix("sparkify_lake_")
            assert name != sample.name
            found[name, tuple(sample.labels.values())] = sample.value
    return found


@pytest.fixture
def place(source: Path, tmp_path: Path) -> Any:
    """Runs the small input with metrics."""

    def run(**options: Any) -> RunReport:
        return sparkify_lake.run(
            source, tmp_path / "lake", metrics=tmp_path / "lake.prom", quiet=True, **options
        )

    return run


def test_a_successful_run(place: Callable[..., RunReport], tmp_path: Path) -> None:
    before = time.time()
    report = place()
    found = read(tmp_path / "lake.prom", tmp_path / "lake")
    for name in ("last_run_timestamp_seconds", "last_success_timestamp_seconds"):
        assert before <= found.pop((name, ())) <= time.time()
    assert found.pop(("last_play_timestamp_seconds", ())) == max(
        moment.timestamp()
        for moment in sparkify_lake.open_lake(tmp_path / "lake").songplays.collect()["start_time"]
    )
    wanted: Samples = {
        ("last_run_success", ()): 1,
        ("last_run_exit_code", ()): 0,
        ("last_run_duration_seconds", ()): report.seconds,
        ("last_success_duration_seconds", ()): report.seconds,
        ("version", ()): 1,
        ("plays_matched", ()): report.plays.matched,
    }
    for name, table in report.tables.items():
        wanted |= {
            ("table_rows", (name,)): table.rows,
            ("table_files", (name,)): table.files,
            ("table_bytes", (name,)): table.bytes,
        }
    for name, source in report.input.items():
        wanted |= {
            ("input_files", (name,)): source.files,
            ("input_bytes", (name,)): source.bytes,
            ("input_bytes_read", (name,)): source.bytes_read,
        }
        counts = report.records[name]
        wanted |= {
            ("records", (name, "loaded")): counts.loaded,
            ("records", (name, "filtered")): counts.filtered,
            ("records", (name, "quarantined")): counts.quarantined,
        }
    assert found == wanted
    assert {name for name, _ in found} | {"requests", "requests_cost_usd"} >= metrics.METRICS.keys() - {
        "last_run_timestamp_seconds", "last_success_timestamp_seconds", "last_play_timestamp_seconds",
    }  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["lake.prom"]


def test_requests_to_a_store_are_counted() -> None:
    requests = {"list": 2, "get": 101, "put": 90, "delete": 0, "retries": 3, "throttled": 1, "cost_usd": 0.5}
    report = RunReport.from_dict({**run_mapping(), "requests": {**requests, "prices_of": "2026-11"}})
    values = metrics.values_of(report)
    assert {labels[0]: value for (name, labels), value in values.items() if name == "requests"} == {
        name: number for name, number in requests.items() if name != "cost_usd"
    }
    assert values["requests_cost_usd", ()] == 0.5
    assert (
        values["last_play_timestamp_seconds", ()]
        == datetime.fromisoformat("2018-11-30T11:58:00.123+00:00").timestamp()
    )


@pytest.mark.parametrize(
    ("options", "error"),
    [({"expect": "songs.rows >= 99"}, DataRefusedError), ({"log_data": "nowhere"}, NoInputError)],
)
def test_a_failed_run_keeps_the_values_of_the_last_success(
    options: dict[str, Any], error: type[Exception], place: Callable[..., RunReport], tmp_path: Path
) -> None:
    about_run = {
        "last_run_timestamp_seconds", "last_run_success", "last_run_exit_code", "last_run_duration_seconds",
    }  # fmt: skip
    code = error.exit_code  # type: ignore[attr-defined]
    with pytest.raises(error):
        place(**options)
    failed = read(tmp_path / "lake.prom", tmp_path / "lake")
    assert {name for name, _ in failed} == about_run, "there was no success yet"
    assert (failed["last_run_success", ()], failed["last_run_exit_code", ()]) == (0, code)
    place()
    succeeded = read(tmp_path / "lake.prom", tmp_path / "lake")
    with pytest.raises(error):
        place(**options)
    failed = read(tmp_path / "lake.prom", tmp_path / "lake")
    assert failed.keys() == succeeded.keys()
    changed = {name for (name, labels), value in failed.items() if value != succeeded[name, labels]}
    assert {"last_run_timestamp_seconds", "last_run_success", "last_run_exit_code"} <= changed <= about_run
    assert (failed["last_run_success", ()], failed["last_run_exit_code", ()]) == (0, code)
    place()
    assert read(tmp_path / "lake.prom", tmp_path / "lake")["last_run_success", ()] == 1


def test_a_stopped_run_is_a_failed_run(place: Callable[..., RunReport], tmp_path: Path) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(sparkify_lake.jobs, "_reported", stop)
        place()
    assert read(tmp_path / "lake.prom", tmp_path / "lake")["last_run_exit_code", ()] == 130


def test_two_functions_write_one_file(source: Path, tmp_path: Path) -> None:
    options: Any = {"metrics": tmp_path / "lake.prom", "quiet": True}
    process_song_data(None, source, tmp_path / "lake", **options)
    process_log_data(None, source, tmp_path / "lake", **options)
    found = read(tmp_path / "lake.prom", tmp_path / "lake")
    assert {labels for name, labels in found if name == "table_rows"} == {
        ("songs",), ("artists",), ("users",), ("time",), ("songplays",),
    }  # fmt: skip


def test_values_of_another_lake_and_damage_are_dropped(
    place: Callable[..., RunReport], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "lake.prom"
    for text in ('sparkify_lake_table_rows{lake="/other",table="songs"} 5\n', "up 1\n", ""):
        file.write_text(text)
        place()
        assert len(read(file, tmp_path / "lake")) > 20
    assert caplog.records == []
    for damage in (b"sparkify_lake_version{lake=\n", b"\xff\xfe"):
        file.write_bytes(damage)
        assert place().warnings == ()
        assert len(read(file, tmp_path / "lake")) > 20
        assert "are ignored" in caplog.records.pop().getMessage()
        caplog.clear()


@pytest.mark.parametrize("file", [".", "nowhere/lake.prom", "s3://bucket/lake.prom"])
def test_an_unwritable_file_is_refused_before_the_run(file: str, source: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="the metrics cannot be written") as problem:
        sparkify_lake.run(source, tmp_path / "lake", metrics=file)
    assert problem.value.hint and not (tmp_path / "lake").exists()


def test_a_failure_after_the_run_is_a_warning(
    place: Callable[..., RunReport],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(prometheus_client, "write_to_textfile", full)
    report = place()
    warning = f"the metrics could not be written to {tmp_path / 'lake.prom'}: No space left on device"
    assert report.state == "published" and report.warnings == (warning,)
    with pytest.raises(DataRefusedError):
        place(expect="songs.rows >= 99")
    assert [record.getMessage() for record in caplog.records] == [warning]


def test_a_failing_page_is_no_failed_run(
    place: Callable[..., RunReport], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, *args: object, **kwargs: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(sparkify_lake.StorageError, match="are published"):
        patch.setattr(Path, "write_text", full)
        place(report=tmp_path / "run.html")
    assert read(tmp_path / "lake.prom", tmp_path / "lake")["last_run_success", ()] == 1


def test_the_missing_library_is_named_before_the_run(
    place: Callable[..., RunReport], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("prometheus_client"):
            raise ImportError(name)
        return original(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigurationError, match="without prometheus_client") as problem:
        place()
    assert problem.value.hint == "pip install 'sparkify-lake[metrics]'"
    assert not (tmp_path / "lake").exists()


def test_a_dry_run_has_no_metrics(source: Path, tmp_path: Path, program: Callable[..., Finished]) -> None:
    done = program(source, "lake", "--dry-run", "--metrics", "lake.prom", cwd=tmp_path)
    assert done.returncode == 64 and "a dry run has no metrics" in done.stderr
    done = program(source, "lake", "--dry-run", cwd=tmp_path, env={"SPARKIFY_METRICS": "lake.prom"})
    assert done.returncode == 0 and not (tmp_path / "lake.prom").exists(), done.stderr


def test_the_program_writes_metrics(source: Path, tmp_path: Path, program: Callable[..., Finished]) -> None:
    environment = {"SPARKIFY_METRICS": str(tmp_path / "lake.prom")}
    for arguments, code in ((("--threads", "1"), 0), (("--expect", "songs.rows >= 99"), 65)):
        done = program(source, "lake", *arguments, cwd=tmp_path, env=environment)
        assert done.returncode == code, done.stderr
        assert read(tmp_path / "lake.prom", tmp_path / "lake")["last_run_exit_code", ()] == code
