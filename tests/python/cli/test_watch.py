"""The command `watch`: when it runs, its pauses, its signals, and several watches of one lake."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import sparkify_lake
from sparkify_lake import cli, jobs
from sparkify_lake.settings.resolve import resolve
from sparkify_lake.watch import MAX_BACKOFF, interval_seconds, watch_with
from support.generate_inputs import write_large
from support.generate_records import play
from support.processes import clean_environment, holds_a_lock

pytestmark = pytest.mark.usefixtures("isolated")


class Watched:
    """A watch in this process, whose pauses do the steps of a test.

    Attributes:
        pauses: The pauses, in seconds.
        reports: The reports of the runs.
    """

    def __init__(self, source: Path, lake: Path, *steps: Callable[[], object], **options: Any) -> None:
        self.pauses: list[float] = []
        self.reports: list[Any] = []
        self._steps = list(steps)
        config = resolve("run", {"input": source, "output": lake, "quiet": True, **options})
        watch_with(config, 1.0, self.reports.append, self._pause)

    def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if not self._steps:
            raise KeyboardInterrupt
        self._steps.pop(0)()

    @property
    def versions(self) -> list[int]:
        return [report.version for report in self.reports]


def nothing() -> None:
    """A pause in which the input does not change."""


def arrival(source: Path, name: str, number: int) -> Callable[[], object]:
    """A pause in which a log file arrives."""

    def arrive() -> None:
        (source / "log_data" / name).write_bytes(play(5000 + number).raw + b"\n")

    return arrive


def test_it_runs_when_something_is_new(source: Path, tmp_path: Path) -> None:
    changed = source / "log_data" / "a.json"
    watched = Watched(
        source,
        tmp_path / "lake",
        nothing,
        arrival(source, "a.json", 1),
        nothing,
        arrival(source, "b.json", 2),
        lambda: changed.write_bytes(changed.read_bytes() * 2),
        changed.unlink,
        nothing,
        allow_shrink=True,
        allow_duplicates=True,
    )
    assert watched.versions == [1, 2, 3, 4, 5]
    assert set(watched.pauses) == {1.0} and len(watched.pauses) == 8
    assert sparkify_lake.check(tmp_path / "lake").is_healthy


def test_files_that_a_run_leaves_do_not_start_another_run(source: Path, tmp_path: Path) -> None:
    """New files of other days stay new; only a further change is a reason to run."""
    day = source / "log_data" / "2018" / "11"
    day.mkdir(parents=True, exist_ok=True)

    def arrive(number: int) -> Callable[[], object]:
        name = f"2018-11-{number:02}-events.json"
        return lambda: (day / name).write_bytes(play(6000 + number).raw + b"\n")

    watched = Watched(
        source, tmp_path / "lake", arrive(20), nothing, nothing, arrive(2), nothing, until=date(2018, 11, 10)
    )
    assert [report.state for report in watched.reports] == ["published", "unchanged", "published"]


def test_it_waits_for_an_input(tmp_path: Path, source: Path, caplog: pytest.LogCaptureFixture) -> None:
    later = tmp_path / "later"
    with caplog.at_level(logging.INFO, logger="sparkify_lake"):
        watched = Watched(later, tmp_path / "lake", nothing, lambda: source.rename(later), nothing)
    assert watched.versions == [1]
    assert sum(str(later) in record.message for record in caplog.records) == 2


def test_rejected_input_is_tried_again_when_it_changes(
    source: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad = source / "log_data" / "bad.json"
    ran: list[int] = []
    run_with = jobs.run_with

    def counted(config: Any) -> Any:
        ran.append(1)
        return run_with(config)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "run_with", counted)
        watched = Watched(
            source,
            tmp_path / "lake",
            lambda: bad.write_text('{"page": "NextSong"}\n' * 50),
            nothing,
            nothing,
            lambda: bad.write_text(""),
            nothing,
            max_bad=1,
        )
    assert len(ran) == 3 and watched.versions[0] == 1 and len(watched.versions) == 2
    assert (
        sum("records" in record.message for record in caplog.records if record.levelno >= logging.ERROR) == 1
    )


def test_rejected_input_of_a_new_lake_ends_the_watch(source: Path, tmp_path: Path) -> None:
    (source / "log_data" / "bad.json").write_text('{"page": "NextSong"}\n' * 50)
    with pytest.raises(sparkify_lake.DataRefusedError):
        Watched(source, tmp_path / "lake", max_bad=1)


def test_temporary_failures_are_repeated_after_longer_pauses(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run_with, failures = jobs.run_with, [0]

    def failing(config: Any) -> Any:
        failures[0] += 1
        if failures[0] <= 6:
            kind = sparkify_lake.StorageError if failures[0] % 2 else sparkify_lake.RetryableError
            raise kind("the store does not answer")
        return run_with(config)

    monkeypatch.setattr(jobs, "run_with", failing)
    watched = Watched(source, tmp_path / "lake", *[nothing] * 8)
    assert watched.pauses == [2, 4, 8, *[MAX_BACKOFF] * 3, 1, 1, 1] and watched.versions == [1]
    assert "the store does not answer; trying again in 2.0 s" in caplog.text


def test_other_failures_end_the_watch(source: Path, tmp_path: Path) -> None:
    (tmp_path / "lake" / "songs_table").mkdir(parents=True)
    (tmp_path / "lake" / "songs_table" / "foreign.parquet").write_text("of another program")
    with pytest.raises(sparkify_lake.ProtocolError):
        Watched(source, tmp_path / "lake")
    with pytest.raises(sparkify_lake.ConfigurationError, match="no output configured"):
        watch_with(resolve("run", {"input": source}), 1.0, print)


def test_intervals() -> None:
    assert [interval_seconds(text) for text in ("2", "0.5s", "5m", "1H")] == [2, 0.5, 300, 3600]
    for text in ("", "soon", "0", "-1s", "nan", "inf", "5d", "s"):
        with pytest.raises(sparkify_lake.UsageError, match="interval cannot be"):
            interval_seconds(text)


# --- the program ---


def start(source: Path, lake: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "sparkify_lake", "watch", source, lake, *options],
        env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def version_of(lake: Path) -> int:
    done = lake / "_etl" / "done"
    return max((int(path.stem) for path in done.glob("*.json")), default=0) if done.is_dir() else 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_between_two_runs_ends_it_with_0(number: int, source: Path, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    process = start(source, lake, "--interval", "100s", "--json")
    wait_for(lambda: version_of(lake) == 1)
    line = process.stdout.readline() if process.stdout else ""
    assert json.loads(line)["version"] == 1
    time.sleep(0.3)  # the look after the run
    process.send_signal(number)
    rest, messages = process.communicate(timeout=10)
    assert process.returncode == 0 and rest == "", messages
    assert "stopped after 1 runs; no run was in progress" in messages


def test_a_signal_during_a_run_stops_the_run(tmp_path: Path) -> None:
    source, lake = write_large(tmp_path / "in", songs=400, events=400_000), tmp_path / "lake"
    process = start(source, lake, "--interval", "1h", "--threads", "1")
    wait_for(lambda: holds_a_lock(process) or process.poll() is not None)
    process.send_signal(signal.SIGTERM)
    _, messages = process.communicate(timeout=10)
    assert process.returncode == 143, messages
    assert sparkify_lake.run(source, lake, quiet=True).state == "published"


def test_several_watches_of_one_lake_run_in_turn(source: Path, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    watches = [start(source, lake, "--interval", "0.05s") for _ in range(3)]
    for number in range(5):
        arrival(source, f"more-{number}.json", number)()
        wait_for(lambda: version_of(lake) >= 1)
        time.sleep(0.2)
    wait_for(
        lambda: not any(one.is_news for one in (sparkify_lake.status(lake, source).input or {}).values())
    )
    time.sleep(0.5)
    for process in watches:
        process.send_signal(signal.SIGTERM)
    for process in watches:
        _, messages = process.communicate(timeout=20)
        assert process.returncode in (0, 143), messages
    assert sparkify_lake.check(lake).is_healthy
    expected = sparkify_lake.build(source, quiet=True).songplays.height
    assert sparkify_lake.status(lake).rows["songplays"] == expected


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ((), 78, "no input and no output configured"),
        (("in", "lake", "--interval", "soon"), 64, "interval cannot be 'soon'"),
        (("in", "lake", "--dry-run"), 64, "unknown option --dry-run"),
        (("in", "lake", "--input", "in"), 64, "input is given twice"),
    ],
)
def test_what_cannot_be_watched_is_refused(
    words: tuple[str, ...], code: int, says: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert cli.main(["watch", *words]) == code
    assert f"error: {says}" in capsys.readouterr().err
    assert os.listdir(tmp_path) == []
