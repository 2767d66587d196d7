"""Incremental runs with users_history: late events split and join its periods; switching it on and off.

`test_sequences` checks that the result of random changes equals a rebuild.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import sparkify_lake
from support.lake_checker import check
from support.lake_files import ALL_FOLDERS, WITH_HISTORY, Report, table_files

pytestmark = pytest.mark.usefixtures("isolated_module")
DAY = 86_400_000
SEPTEMBER, OCTOBER, NOVEMBER, JANUARY = (
    1_536_000_000_000,
    1_538_400_000_000,
    1_541_100_000_000,
    1_546_400_000_000,
)
Event = tuple[int, str]
"""The time of an event of user 8, and the level."""


def write_log(source: Path, name: str, events: Sequence[Event], page: str = "NextSong") -> None:
    rows = [
        {"page": page, "ts": ts, "userId": "8", "level": level, "sessionId": 1, "itemInSession": number}
        for number, (ts, level) in enumerate(events)
    ]
    path = source / "log_data" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A log per month: free until November, then paid."""
    folder = tmp_path / "in"
    (folder / "song_data").mkdir(parents=True)
    (folder / "song_data" / "one.json").write_text('{"song_id": "S", "artist_id": "A", "title": "T"}')
    write_log(folder, "september", [(SEPTEMBER, "free"), (SEPTEMBER + DAY, "free")])
    write_log(folder, "october", [(OCTOBER, "free"), (OCTOBER + 3 * DAY, "free")])
    write_log(folder, "november", [(NOVEMBER, "paid")])
    return folder


def periods(lake: Path) -> list[tuple[str, int, int | None]]:
    """The level, the beginning and the end of each period, in milliseconds."""
    frame = sparkify_lake.open_lake(lake).users_history.collect()
    times = pl.col("valid_from", "valid_to").dt.epoch("ms")
    return list(frame.select("level", times).rows())


def history_run(run: Callable[..., Report], source: Path, lake: Path, **options: Any) -> Report:
    return run(source, lake, tables=WITH_HISTORY, allow_shrink=True, **options)


def test_late_events_split_and_join_the_periods_of_a_user(
    tmp_path: Path, source: Path, run: Callable[..., Report]
) -> None:
    lake = tmp_path / "lake"
    history_run(run, source, lake)
    whole = [("free", SEPTEMBER, NOVEMBER), ("paid", NOVEMBER, None)]
    assert periods(lake) == whole

    late = OCTOBER + DAY
    for name, events, expected, logs_read in (
        (
            "in the middle of a period, and of a month",
            [(late, "paid")],
            [
                ("free", SEPTEMBER, late),
                ("paid", late, OCTOBER + 3 * DAY),
                ("free", OCTOBER + 3 * DAY, NOVEMBER),
                ("paid", NOVEMBER, None),
            ],
            2,
        ),
        ("of the same level", [(late, "free")], whole, 2),
        ("before all others", [(SEPTEMBER - DAY, "paid")], [("paid", SEPTEMBER - DAY, SEPTEMBER), *whole], 2),
        ("in a month without plays", [(JANUARY, "free")], [
            whole[0], ("paid", NOVEMBER, JANUARY), ("free", JANUARY, None)], 1),
    ):  # fmt: skip
        write_log(source, "late", events)
        report = history_run(run, source, lake)
        assert (report["rebuilt"], report["input"]["logs"]["files_read"]) == (None, logs_read), name
        assert periods(lake) == expected, name
        (source / "log_data" / "late.json").unlink()
        report = history_run(run, source, lake)
        assert report["rebuilt"] is None and periods(lake) == whole, f"{name}: the late event is removed"
        assert check(lake, settled=True) == []
    assert history_run(run, source, lake)["state"] == "unchanged"


def test_a_late_event_in_another_order_of_a_tie_decides(
    tmp_path: Path, source: Path, run: Callable[..., Report]
) -> None:
    """Two levels at the same time: the greater session wins, whichever run reads it."""
    history_run(run, source, tmp_path / "lake")
    write_log(source, "tie", [(OCTOBER, "free"), (OCTOBER, "paid")])
    assert history_run(run, source, tmp_path / "lake")["rebuilt"] is None
    assert periods(tmp_path / "lake")[1][:2] == ("paid", OCTOBER)


def test_switching_it_on_reads_everything_and_switching_it_off_changes_nothing(
    tmp_path: Path, source: Path, run: Callable[..., Report]
) -> None:
    lake = tmp_path / "lake"
    run(source, lake)
    report = history_run(run, source, lake)
    assert report["rebuilt"] == "some tables are new, or were not written by the same run"
    assert {table["name"] for table in report["tables"] if table["written"]} == {"users_history"}
    before = table_files(lake)

    write_log(source, "december", [(JANUARY - 5 * DAY, "free")])
    without = run(source, lake)
    assert without["rebuilt"] is None and "users_history" not in str(without["tables"])
    history = ALL_FOLDERS["users_history"]
    kept = {path: body for path, body in table_files(lake).items() if path.startswith(history)}
    assert kept == {path: body for path, body in before.items() if path.startswith(history)}
    assert check(lake, settled=True) == [] and sparkify_lake.check(lake).problem_count == 0

    report = history_run(run, source, lake)
    assert report["rebuilt"] is not None and periods(lake)[-1] == ("free", JANUARY - 5 * DAY, None)
    assert check(lake, settled=True) == []


def test_a_damaged_state_of_the_history_reads_everything(
    tmp_path: Path, source: Path, run: Callable[..., Report]
) -> None:
    lake = tmp_path / "lake"
    history_run(run, source, lake)
    (state,) = (lake / "_etl/state").glob("*-history.state")
    state.write_bytes(b"PAR1")
    write_log(source, "late", [(OCTOBER + DAY, "paid")])
    report = history_run(run, source, lake)
    assert report["rebuilt"] == "the state that earlier runs left is missing or damaged"
    assert len(periods(lake)) == 4 and check(lake, settled=True) == []


def test_events_of_other_pages_in_months_without_plays(
    tmp_path: Path, source: Path, run: Callable[..., Report]
) -> None:
    """Such a month is part of the history, and of no other table."""
    lake = tmp_path / "lake"
    from_all = {"history_from": "all-pages"}
    history_run(run, source, lake, **from_all)
    before = table_files(lake)
    write_log(source, "pages", [(JANUARY, "free")], page="Downgrade")
    report = history_run(run, source, lake, **from_all)
    assert report["rebuilt"] is None
    assert {table["name"]: table["written"] for table in report["tables"] if table["written"]} == {
        "users_history": 1
    }
    assert periods(lake)[-2:] == [("paid", NOVEMBER, JANUARY), ("free", JANUARY, None)]
    months = next(table["partitions"] for table in report["tables"] if table["name"] == "time")
    assert months == 3
    # An earlier event in the same month is added to the later one.
    write_log(source, "more pages", [(JANUARY - 5, "paid"), (JANUARY + 5, "paid")], page="Upgrade")
    report = history_run(run, source, lake, **from_all)
    assert (report["rebuilt"], report["input"]["logs"]["files_read"]) == (None, 2)
    assert periods(lake)[-2:] == [("free", JANUARY, JANUARY + 5), ("paid", JANUARY + 5, None)]
    for name in ("pages", "more pages"):
        (source / "log_data" / f"{name}.json").unlink()
    report = history_run(run, source, lake, **from_all)
    assert report["rebuilt"] is None and table_files(lake) == before


def test_other_events_of_the_history_rebuild_the_lake(
    tmp_path: Path, source: Path, run: Callable[..., Report]
) -> None:
    lake = tmp_path / "lake"
    write_log(source, "pages", [(JANUARY, "free")], page="Downgrade")
    for history_from, rows in (("plays", 2), ("all-pages", 3), ("plays", 2)):
        report = history_run(run, source, lake, history_from=history_from)
        assert report["rebuilt"] in (None, "options that shape rows or files have changed")
        assert len(periods(lake)) == rows
        assert history_run(run, source, lake, history_from=history_from)["state"] == "unchanged"
