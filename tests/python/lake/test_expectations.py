"""Expectations: each kind, met and breached, on first, incremental and unchanged runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import sparkify_lake
from sparkify_lake.errors import DataRefusedError
from support.generate_records import listen
from support.growing_input import GrowingInput
from support.lake_files import Snapshot
from support.s3_jobs import tree

pytestmark = pytest.mark.usefixtures("isolated_module")

Measure = Callable[[sparkify_lake.Star], float]


class Arrivals(GrowingInput):
    """An input with plays of its songs, whose log files arrive a few at a time."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, events=[listen(seed, range(30)) for seed in range(120)])
        self.arrived = 0

    def arrive(self, count: int) -> None:
        """Adds log files to the input."""
        self.arrived += count
        assert self.arrived <= len(self.logs)
        self.keep(self.arrived)

    def run(self, *expect: str, **options: Any) -> sparkify_lake.RunReport:
        """Runs with expectations."""
        return super().run(expect=list(expect), **options)


def null_rate(table: str, column: str) -> Measure:
    """The share of NULL, counted in the frame of a rebuild."""

    def measure(star: sparkify_lake.Star) -> float:
        values: pl.Series = getattr(star, table)[column]
        return values.null_count() / len(values)

    return measure


def match_rate(star: sparkify_lake.Star) -> float:
    return star.songplays["song_id"].count() / len(star.songplays)


# Each metric with an independent computation of its value, and the comparison that it takes.
MEASURES: dict[str, tuple[str, Measure]] = {
    "songs.rows": (">=", lambda star: len(star.songs)),
    "songplays.rows": (">=", lambda star: len(star.songplays)),
    "users.rows": ("<=", lambda star: len(star.users)),
    "songplays.match_rate": (">=", match_rate),
    "songplays.song_id.null_rate": ("<=", null_rate("songplays", "song_id")),
    "songs.year.null_rate": ("<=", null_rate("songs", "year")),
    "songs.title.null_rate": ("<=", null_rate("songs", "title")),
    "artists.latitude.null_rate": ("<=", null_rate("artists", "latitude")),
    "users.gender.null_rate": ("<=", null_rate("users", "gender")),
    "time.month.null_rate": ("<=", null_rate("time", "month")),
}


def limit(metric: str, value: float) -> str:
    """A limit without an exponent, which is exactly the value."""
    return str(int(value)) if metric.endswith(".rows") else f"{value:.20f}"


def breach(metric: str, sign: str, value: float) -> str:
    """A condition that the value misses by little."""
    step = 1 if metric.endswith(".rows") else 1e-9
    return f"{metric} {sign} {limit(metric, value + step if sign == '>=' else value - step)}"


def kept(lake: Path) -> dict[str, bytes]:
    """All files of a lake, except those that a refused run may add: the next run empties the staging area."""
    added = ("_etl/quarantine/", "_etl/stage/")
    return {path: body for path, body in tree(lake).items() if not path.startswith(added)}


def is_breachable(metric: str, value: float) -> bool:
    return metric.endswith(".rows") or 0 < value < 1


@pytest.fixture
def place(tmp_path: Path) -> Arrivals:
    arrivals = Arrivals(tmp_path)
    arrivals.arrive(6)
    return arrivals


@pytest.mark.parametrize("formats", ["parquet", "delta"])
def test_every_kind_on_first_unchanged_and_incremental_runs(place: Arrivals, formats: str) -> None:
    met: list[str] = []
    breached: list[str] = []

    def measured() -> dict[str, float]:
        """Computes the conditions that the tables of a rebuild meet exactly, and those that they miss."""
        star = place.build()
        values = {metric: measure(star) for metric, (_, measure) in MEASURES.items()}
        met[:] = [f"{name} {MEASURES[name][0]} {limit(name, value)}" for name, value in values.items()]
        breached[:] = [
            breach(name, MEASURES[name][0], value)
            for name, value in values.items()
            if is_breachable(name, value)
        ]
        return values

    def refused_by_each() -> None:
        assert len(breached) >= 8
        before = kept(place.lake)
        for condition in breached:
            with pytest.raises(DataRefusedError, match=r"the expectation .* is not met") as refused:
                place.run(condition, formats=formats)
            metric = condition.split()[0]
            assert condition.split()[0] in refused.value.message
            assert refused.value.cause is not None and refused.value.cause.startswith(f"{metric} is ")
            assert refused.value.exit_code == 65
            assert kept(place.lake) == before, condition

    def passes(values: dict[str, float], state: str) -> None:
        ran = place.run(*met, formats=formats)
        assert ran.state == state and ran.rebuilt is None
        assert {one.metric: one.value for one in ran.expectations} == values
        assert all(one.passed for one in ran.expectations) and len(ran.expectations) == len(MEASURES)

    values = measured()
    with pytest.raises(DataRefusedError):
        place.run(breached[0], formats=formats)
    assert not [path for path in kept(place.lake) if not path.startswith(("_etl/FORMAT", "_etl/lock"))]
    refused_by_each()
    passes(values, "published")
    refused_by_each()
    passes(values, "unchanged")
    place.arrive(6)
    assert measured() != values
    refused_by_each()
    passes(measured(), "published")
    refused_by_each()


def test_the_change_is_relative_to_the_newest_version(place: Arrivals) -> None:
    before = len(place.build().songplays)
    [first] = place.run("songplays.rows.change <= 0%").expectations
    assert first.value is None and first.passed
    [same] = place.run("songplays.rows.change <= 0%").expectations
    assert same.value == 0
    place.arrive(6)
    change = (len(place.build().songplays) - before) / before
    assert change > 0
    unchanged = kept(place.lake)
    for _ in range(2):
        with pytest.raises(DataRefusedError) as refused:
            place.run(f"songplays.rows.change <= {limit('', change - 1e-9)}")
        assert f"is {100 * change:.2f}%, {round(change * before)} of {before} (" in str(refused.value.cause)
    assert kept(place.lake) == unchanged
    [grown] = place.run(f"songplays.rows.change <= {limit('', change)}").expectations
    assert grown.value == change
    # Fewer rows are a change, too.
    for file in sorted((place.input / "log_data").rglob("*.*"))[:6]:
        file.unlink()
    less = 1 - len(place.build().songplays) / (before * (1 + change))
    with pytest.raises(DataRefusedError):
        place.run(f"songplays.rows.change <= {limit('', less - 1e-9)}")
    [shrunk] = place.run(f"songplays.rows.change <= {limit('', less + 1e-9)}").expectations
    assert shrunk.value == pytest.approx(less)


def test_the_age_is_the_time_since_the_last_play(place: Arrivals) -> None:
    past: Any = {"ts_window": "1990-01-01..2026-01-01"}

    def age() -> float:
        last = place.build(**past).songplays["start_time"].max()
        assert isinstance(last, datetime)
        return (datetime.now(timezone.utc) - last.astimezone(timezone.utc)).total_seconds()

    for state, files in (("published", 0), ("unchanged", 0), ("published", 4)):
        place.arrive(files)
        seconds = age()
        assert seconds > 0
        before = kept(place.lake)
        with pytest.raises(DataRefusedError) as refused:
            place.run(f"songplays.age <= {seconds - 1800:.0f} seconds", **past)
        assert "(30.0 minutes too high)" in str(refused.value.cause)
        if before:
            assert kept(place.lake) == before
        ran = place.run(f"songplays.age <= {(seconds + 3600) / 3600:.4f} h", **past)
        assert ran.state == state
        assert ran.expectations[0].value == pytest.approx(seconds, abs=60)
    # An event of the future has no negative age.
    [future] = place.run("songplays.age <= 0 s").expectations
    assert future.value == 0


def test_all_breached_expectations_are_named(place: Arrivals) -> None:
    rows = len(place.build().songplays)
    conditions = [f"songplays.rows >= {rows + 7}", "songs.rows >= 1", "users.rows <= 0"]
    with pytest.raises(DataRefusedError) as refused:
        place.run(*conditions)
    assert refused.value.message == (
        f"2 of 3 expectations are not met: songplays.rows >= {rows + 7}, users.rows <= 0"
    )
    assert str(refused.value.cause).startswith(f"songplays.rows is {rows} (7 too low); users.rows is ")
    assert refused.value.hint


def test_a_lake_without_statistics_is_read_in_full_once(
    place: Arrivals, snapshot: Callable[[Path], Snapshot]
) -> None:
    place.run()
    before = snapshot(place.lake)
    condition = "users.level.null_rate <= 100%"
    ran = place.run(condition)
    assert ran.rebuilt is not None and "statistics" in ran.rebuilt
    assert ran.version == 2 and snapshot(place.lake) == before, "no file of a table was written again"
    assert place.run(condition).state == "unchanged"
    place.arrive(3)
    assert place.run(condition).rebuilt is None
    # A run without the expectation does not collect statistics of the files that it writes.
    place.arrive(3)
    assert place.run().rebuilt is None
    assert place.run(condition).rebuilt is not None
    assert place.run(condition).state == "unchanged"
    # Rows need no statistics.
    assert place.run("songs.rows >= 1").rebuilt is None


def test_the_report_has_the_values_of_the_last_versions(place: Arrivals) -> None:
    wanted: list[tuple[int | None, float | None]] = []
    for _ in range(4):
        ran = place.run("songplays.rows >= 1", "songs.rows >= 1")
        [plays, _] = ran.expectations
        assert [(past.version, past.value) for past in plays.history] == wanted
        wanted.append((ran.version, plays.value))
        place.arrive(2)
        with pytest.raises(DataRefusedError):
            place.run("songplays.rows >= 1000000")
    assert len({value for _, value in wanted}) == 4
    # A run without expectations keeps the history.
    ran = place.run()
    assert ran.expectations == () and ran.version == 5
    [plays] = place.run("songplays.rows >= 1").expectations
    assert [(past.version, past.value) for past in plays.history] == wanted
    newest = json.loads((place.lake / "_etl/log/00000000000000000005.json").read_text())["record"]
    assert [one["version"] for one in newest["figures"]] == [1, 2, 3, 4]
    assert newest["figures"][0]["values"]["songplays.rows"] == [wanted[0][1], 1]


def test_dropped_plays_count_as_unmatched(place: Arrivals) -> None:
    rate = match_rate(place.build())
    assert 0 < rate < 1
    for unmatched in ("keep", "drop"):
        [result] = place.run("songplays.match_rate >= 0%", unmatched=unmatched).expectations
        assert result.value == rate


def test_a_run_checks_the_expectations_about_its_tables(place: Arrivals) -> None:
    conditions = ("songplays.rows >= 1000000", "songs.rows >= 1")
    ran = place.run(*conditions, tables="songs,artists")
    assert [one.metric for one in ran.expectations] == ["songs.rows"]
    with pytest.raises(DataRefusedError):
        place.run(*conditions, tables="songplays")


def test_renamed_tables_and_columns_have_their_names_of_the_schema(place: Arrivals) -> None:
    names: Any = {"table_names": "plain", "column_names": {"songs.year": "released", "users.gender": "sex"}}
    star = place.build()
    for metric in ("songs.year.null_rate", "users.gender.null_rate", "songs.rows"):
        sign, measure = MEASURES[metric]
        [result] = place.run(f"{metric} {sign} {limit(metric, measure(star))}", **names).expectations
        assert result.value == measure(star)


def test_shards_have_the_same_figures(place: Arrivals) -> None:
    star = place.build()
    conditions = [f"{name} {sign} {limit(name, measure(star))}" for name, (sign, measure) in MEASURES.items()]
    ran = place.run(*conditions, executor="local", shard_size="1")
    assert ran.executor == "local" and all(one.passed for one in ran.expectations)
    place.arrive(4)
    assert place.run("users.gender.null_rate <= 100%", executor="local").rebuilt is None
