"""Incremental runs: what they read and write, what `plan` and `status` report, and time ranges.

`test_sequences` checks that the result equals a rebuild.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sparkify_lake
from sparkify_lake.errors import NoInputError, UsageError
from support.lake_files import Report, Snapshot, contents
from support.processes import Finished

pytestmark = pytest.mark.usefixtures("isolated_module")
DAYS = 40
UNPLAYED_SONG = {
    "song_id": "SOLONELY", "artist_id": "ARLONELY", "title": "without plays", "artist_name": "no one",
    "artist_location": "", "artist_latitude": None, "artist_longitude": None, "duration": 1.5, "year": 1999,
}  # fmt: skip


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    sparkify_lake.sample(folder, songs=30, events=1500, days=DAYS, users=12, quiet=True)
    return folder


def logs(source: Path) -> list[Path]:
    return sorted((source / "log_data").rglob("*.json"))


def read(report: Report) -> dict[str, tuple[int, int]]:
    return {name: (files["files_read"], files["files"]) for name, files in report["input"].items()}


def written(report: Report) -> dict[str, int]:
    return {table["name"]: table["written"] for table in report["tables"]}


def test_one_more_day_rewrites_only_its_month(
    tmp_path: Path, source: Path, run: Callable[..., Report]
) -> None:
    held_back = logs(source)[-1]
    event = {
        **json.loads(held_back.read_text().splitlines()[0]),
        "page": "NextSong",
        "userId": "a new user",
    }
    held_back.write_text(held_back.read_text() + json.dumps(event) + "\n")
    shutil.move(held_back, tmp_path / "held_back.json")
    month = [path for path in logs(source) if path.parent == held_back.parent]
    run(source, tmp_path / "lake")
    shutil.move(tmp_path / "held_back.json", held_back)

    plan = sparkify_lake.plan(source, tmp_path / "lake", quiet=True)
    assert (plan.outlook, plan.rebuilt) == ("part", None)
    assert plan.input["logs"].files_read == len(month) + 1 and plan.input["songs"].files_read == 0
    for name in ("time", "songplays"):
        (again,) = plan.tables[name].partitions or ()
        assert again.partition == "year=2018/month=12" and again.rows > 0 and again.files == 1
    assert plan.tables["songs"].partitions == () and plan.tables["artists"].partitions == ()
    assert "year=2018/month=12" in str(plan)

    report = run(source, tmp_path / "lake")
    assert read(report) == {"songs": (0, 30), "logs": (len(month) + 1, DAYS)}
    assert written(report) == {"songs": 0, "artists": 0, "users": 1, "time": 1, "songplays": 1}
    assert report["rebuilt"] is None and report["version"] == 2
    # The report describes the whole lake.
    assert report["records"]["logs"]["read"] == 1501
    assert report["plays"]["rows"] == next(t["rows"] for t in report["tables"] if t["name"] == "songplays")


def test_a_song_without_plays_rewrites_no_songplays(
    tmp_path: Path, source: Path, run: Callable[..., Report]
) -> None:
    run(source, tmp_path / "lake")
    (source / "song_data" / "lonely.json").write_text(json.dumps(UNPLAYED_SONG))
    plan = sparkify_lake.plan(source, tmp_path / "lake", quiet=True)
    (partition,) = plan.tables["songs"].partitions or ()
    assert partition.files == 0 and plan.tables["songplays"].partitions == ()
    report = run(source, tmp_path / "lake")
    assert read(report) == {"songs": (1, 31), "logs": (0, DAYS)}
    assert written(report) == {"songs": 1, "artists": 1, "users": 0, "time": 0, "songplays": 0}


def test_a_late_song_is_matched_with_earlier_plays(
    tmp_path: Path, source: Path, run: Callable[..., Report]
) -> None:
    first = run(source, tmp_path / "lake")
    event = next(
        event
        for event in map(json.loads, logs(source)[0].read_text().splitlines())
        if event["page"] == "NextSong" and event["song"] is not None
    )
    late = {
        **UNPLAYED_SONG,
        "title": event["song"],
        "artist_name": event["artist"],
        "duration": event["length"],
    }
    # Its song_id is the smallest, so it wins over the other song.
    (source / "song_data" / "late.json").write_text(json.dumps({**late, "song_id": "A"}))
    report = run(source, tmp_path / "lake")
    assert report["plays"]["rows"] == first["plays"]["rows"]
    assert written(report)["songplays"] >= 1 and written(report)["users"] == 0
    plays = sparkify_lake.open_lake(tmp_path / "lake").songplays.collect()
    assert (plays["song_id"] == "A").sum() >= 1


def test_a_run_without_new_files_reads_nothing(
    tmp_path: Path, source: Path, run: Callable[..., Report]
) -> None:
    run(source, tmp_path / "lake")
    plan = sparkify_lake.plan(source, tmp_path / "lake", quiet=True)
    assert plan.outlook == "unchanged" and "would do nothing" in str(plan)
    assert {one.files_read for one in plan.input.values()} == {0}
    report = run(source, tmp_path / "lake")
    assert report["state"] == "unchanged" and set(read(report).values()) == {(0, 30), (0, DAYS)}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"rebuild": True}, "--rebuild is set"),
        ({"match": "title_artist"}, "options that shape rows or files have changed"),
        ({"max_bad": 5}, "options that decide whether the input is accepted have changed"),
    ],
)
def test_the_reason_for_a_full_run_is_reported(
    tmp_path: Path, source: Path, run: Callable[..., Report], options: dict[str, Any], reason: str
) -> None:
    run(source, tmp_path / "lake")
    assert sparkify_lake.plan(source, tmp_path / "lake", quiet=True, **options).rebuilt == reason
    report = run(source, tmp_path / "lake", **options)
    assert report["rebuilt"] == reason and read(report) == {"songs": (30, 30), "logs": (DAYS, DAYS)}


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"PAR1 something PAR1")])
@pytest.mark.parametrize("kind", ["songs", "users", "tracks"])
def test_damaged_state_files_are_rebuilt(
    tmp_path: Path,
    source: Path,
    run: Callable[..., Report],
    snapshot: Callable[[Path], Snapshot],
    damage: Callable[[Path], object],
    kind: str,
) -> None:
    lake = tmp_path / "lake"
    run(source, lake)
    for path in (lake / "_etl" / "state").glob(f"*-{kind}.state"):
        damage(path)
    event = {**json.loads(logs(source)[0].read_text().splitlines()[0]), "page": "NextSong", "userId": "7"}
    (source / "log_data" / "more.json").write_text(json.dumps(event) + "\n")
    (source / "song_data" / "lonely.json").write_text(json.dumps(UNPLAYED_SONG))
    report = run(source, lake)
    assert report["rebuilt"] == "the state that earlier runs left is missing or damaged"
    run(source, tmp_path / "fresh")
    assert contents(snapshot(lake)) == contents(snapshot(tmp_path / "fresh"))
    assert run(source, lake)["state"] == "unchanged"


def test_runs_of_half_the_tables_are_incremental(tmp_path: Path, source: Path) -> None:
    held_back = logs(source)[-1]
    shutil.move(held_back, tmp_path / "held_back.json")

    def run_both_halves() -> list[Report]:
        reports = []
        for tables in ("songs,artists", "users,time,songplays"):
            report = sparkify_lake.run(source, tmp_path / "lake", tables=tables, quiet=True)
            reports.append(report.to_dict())
        return reports

    run_both_halves()
    shutil.move(tmp_path / "held_back.json", held_back)
    songs, plays = run_both_halves()
    assert songs["state"] == "unchanged"
    assert read(plays)["songs"] == (0, 30) and 0 < read(plays)["logs"][0] < DAYS
    (source / "song_data" / "lonely.json").write_text(json.dumps(UNPLAYED_SONG))
    songs, plays = run_both_halves()
    assert read(songs) == {"songs": (1, 31)} and read(plays) == {"songs": (1, 31), "logs": (0, DAYS)}


# --- time ranges ------------------------------------------------------------------------------------------


def log_file_count(report: Report) -> int:
    return int(report["input"]["logs"]["files"])


def test_a_time_range_adds_the_files_of_its_days(
    tmp_path: Path, source: Path, run: Callable[..., Report]
) -> None:
    lake = tmp_path / "lake"
    first = run(source, lake, since="2018-11-05", until="2018-11-08")
    assert read(first)["logs"] == (3, 3)
    # Files that the lake already has stay, also outside the time range.
    later = run(source, lake, since="2018-11-20T00:00:00+00:00", until="2018-11-21T00:00:00+00:00")
    assert log_file_count(later) == 4 and later["rebuilt"] is None
    assert run(source, lake, until="2018-11-02")["input"]["logs"]["files"] == 5
    rebuilt = run(source, lake, until="2018-11-02", rebuild=True)
    assert read(rebuilt)["logs"] == (5, 5)
    assert log_file_count(run(source, lake)) == DAYS, "without a time range, all files are loaded"
    star = sparkify_lake.build(source, since="2018-11-05", until="2018-11-08", quiet=True)
    assert star.report.input["logs"].files == 3


def test_a_time_range_without_files(tmp_path: Path, source: Path, run: Callable[..., Report]) -> None:
    with pytest.raises(NoInputError, match=r"no log file in .* is in the range 2019-01-01"):
        run(source, tmp_path / "lake", since="2019-01-01")
    run(source, tmp_path / "lake", until="2018-11-03")
    report = run(source, tmp_path / "lake", since="2019-01-01")
    assert report["state"] == "unchanged"
    assert any("is in the range 2019-01-01..…" in warning for warning in report["warnings"])
    for since, until in (("2018-11-05", "2018-11-05"), ("2018-11-06", "2018-11-05")):
        with pytest.raises(UsageError) as refused:
            sparkify_lake.run(source, tmp_path / "lake", since=since, until=until, quiet=True)
        assert "since" in str(refused.value) and refused.value.hint is not None
    (source / "log_data" / "events.json").write_bytes(logs(source)[0].read_bytes())
    report = run(source, tmp_path / "lake", until="2018-11-03")
    assert any(
        "1 log files" in warning and "no day in their path" in warning for warning in report["warnings"]
    )


BACKFILL = """
import sys, time
import sparkify_lake
source, lake, since, until = sys.argv[1:]
for _ in range(100):
    try:
        sparkify_lake.run(source, lake, since=since, until=until, quiet=True)
        break
    except sparkify_lake.RetryableError:
        time.sleep(0.05)
else:
    sys.exit(75)
"""


def test_two_concurrent_backfills_are_both_loaded(
    tmp_path: Path, source: Path, run: Callable[..., Report], snapshot: Callable[[Path], Snapshot]
) -> None:
    """A scheduler retries runs with exit code 75; at the end, both months are in the lake."""
    months = (("2018-11-01", "2018-12-01"), ("2018-12-01", "2019-01-01"))
    for _ in range(3):
        shutil.rmtree(tmp_path / "lake", ignore_errors=True)
        words = [sys.executable, "-c", BACKFILL, str(source), str(tmp_path / "lake")]
        runs = [subprocess.Popen([*words, *month], stderr=subprocess.PIPE) for month in months]
        assert [(one.communicate()[1], one.returncode) for one in runs] == [(b"", 0)] * 2
        run(source, tmp_path / "fresh", rebuild=True)
        assert contents(snapshot(tmp_path / "lake")) == contents(snapshot(tmp_path / "fresh"))
        assert run(source, tmp_path / "lake")["state"] == "unchanged", "nothing is left to load"


# --- status -----------------------------------------------------------------------------------------------


def test_status_reports_new_and_changed_files(
    tmp_path: Path, source: Path, run: Callable[..., Report], program: Callable[..., Finished]
) -> None:
    lake, files = tmp_path / "lake", logs(source)
    shutil.move(files[-1], tmp_path / "late.json")
    shutil.move(files[3], tmp_path / "between.json")
    run(source, lake)
    assert sparkify_lake.status(lake).input is None
    known = sparkify_lake.status(lake).known["logs"]
    assert (known.files, known.last_day) == (DAYS - 2, "2018-12-09")

    shutil.move(tmp_path / "late.json", files[-1])
    shutil.move(tmp_path / "between.json", files[3])
    files[0].write_text(files[0].read_text() + "\n")
    files[1].unlink()
    (source / "song_data" / "lonely.json").write_text(json.dumps(UNPLAYED_SONG))
    status = sparkify_lake.status(lake, source)
    assert status.input is not None and status.lag_days == 1
    changes = status.input["logs"]
    counts = (
        changes.new.files,
        changes.late.files,
        changes.changed.files,
        changes.gone.files,
        changes.unchanged,
    )
    assert counts == (2, 1, 1, 1, DAYS - 4)
    assert changes.late.first[0].endswith("2018-11-04-events.json")
    assert changes.gone.first[0].endswith("2018-11-02-events.json")
    assert status.input["songs"].new.files == 1 and status.input["songs"].is_news
    assert status.state.files > 0 and status.state.bytes > 0
    assert "lonely.json" in str(status) and "lonely.json" in status._repr_html_()

    done = program("status", str(lake), str(source), "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads(status.to_json())
    run(source, lake, allow_shrink=True)
    assert not any(one.is_news for one in (sparkify_lake.status(lake, source).input or {}).values())
    with pytest.raises(NoInputError):
        sparkify_lake.status(lake, tmp_path / "nowhere")
