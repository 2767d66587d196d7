"""Queries the highlights of a lake for the HTML report.

They are read from the published tables after the run.

Invariant: the same lake gives the same highlights; ties are broken by id.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sparkify_lake import _engine
from sparkify_lake.errors import NoInputError
from sparkify_lake.lake import Lake
from sparkify_lake.results.highlights import Favorite, Highlights, LevelShare, Period

if TYPE_CHECKING:
    from polars import DataFrame, Expr, LazyFrame

    from sparkify_lake.results.run_report import RunReport
    from sparkify_lake.settings.config import Config

MAX_FAVORITES = 10
# A lake with more days is displayed by month.
MAX_DAYS = 400


def with_highlights(report: RunReport, config: Config) -> RunReport:
    """Adds the highlights of the lake to a report.

    The run is over and its tables are published, so a failure here is only a warning.

    Args:
        report: The report of a run.
        config: The settings of the run.

    Returns:
        The report with highlights, or with a warning.
    """
    import polars as pl

    reading = replace(config, call="open_lake")
    try:
        lake = Lake(reading, _engine.lake_layout(reading), _engine.find_tables(reading))
        return replace(report, highlights=query_highlights(lake))
    except (pl.exceptions.PolarsError, OSError) as error:
        # For example, another run publishes at the same time, or reading is not permitted.
        warning = f"the report has no plays, because the lake could not be read ({type(error).__name__})"
        return replace(report, warnings=(*report.warnings, warning))


def query_highlights(lake: Lake) -> Highlights | None:
    """Queries the highlights of a lake.

    Args:
        lake: The tables; songs and artists may be missing.

    Returns:
        The highlights; None if the lake has no songplays.
    """
    import polars as pl

    plays = existing_table(lake, "songplays")
    if plays is None:
        return None
    counts = [
        pl.len().cast(pl.Int64).alias("plays"),
        pl.col("user_id").n_unique().cast(pl.Int64).alias("listeners"),
    ]
    matched = plays.filter(pl.col("song_id").is_not_null())
    by_level = plays.group_by("level").agg(counts).sort(["plays", "level"], descending=[True, False])
    by_song = _most_played(matched.group_by("song_id", "artist_id").agg(counts), "song_id")
    by_artist = _most_played(matched.group_by("artist_id").agg(counts), "artist_id")
    days, levels, songs, artists = pl.collect_all(
        [plays_by_day(plays), by_level, by_song, by_artist], engine="streaming"
    )
    unit = "day" if days.height <= MAX_DAYS else "month"
    days = by_period(days, unit, pl.col("plays", "paid").sum())
    return Highlights(
        unit=unit,
        periods=tuple(Period(**row) for row in days.to_dicts()),
        levels=tuple(LevelShare(**row) for row in levels.to_dicts()),
        songs=_with_names(lake, songs, with_title=True),
        artists=_with_names(lake, artists, with_title=False),
    )


def existing_table(lake: Lake, name: str) -> LazyFrame | None:
    """Returns a table of a lake; None if the lake does not have it."""
    try:
        return lake[name]
    except (KeyError, NoInputError):
        return None


def plays_by_day(plays: LazyFrame) -> LazyFrame:
    """Counts the plays of each day."""
    import polars as pl

    return (
        plays.group_by(start=pl.col("start_time").dt.date())
        .agg(
            pl.len().cast(pl.Int64).alias("plays"),
            (pl.col("level") == "paid").sum().cast(pl.Int64).alias("paid"),
        )
        .sort("start")
    )


def by_period(days: DataFrame, unit: str, *sums: Expr) -> DataFrame:
    """Returns one row per day or month, in order, with `start` as text.

    Args:
        days: One row per day.
        unit: "day" or "month".
        *sums: How the days of a month are combined.
    """
    import polars as pl

    if unit == "month":
        days = days.sort("start").group_by(pl.col("start").dt.truncate("1mo"), maintain_order=True).agg(*sums)
    return days.with_columns(pl.col("start").dt.strftime("%Y-%m-%d" if unit == "day" else "%Y-%m"))


def _most_played(counts: LazyFrame, key: str) -> LazyFrame:
    return counts.sort(["plays", "listeners", key], descending=[True, True, False]).head(MAX_FAVORITES)


def _with_names(lake: Lake, favorites: DataFrame, *, with_title: bool) -> tuple[Favorite, ...]:
    """Adds titles and names to ids; returns nothing if the table with the names is missing."""
    import polars as pl

    names: dict[tuple[str, str], dict[str, str | None]] = {}
    for table, key, column in (("songs", "song_id", "title"), ("artists", "artist_id", "name")):
        if table == "songs" and not with_title:
            continue
        frame = existing_table(lake, table)
        if frame is None:
            return ()
        wanted = favorites.get_column(key)
        found = frame.filter(pl.col(key).is_in(wanted.implode())).select(key, column).collect()
        names[table, column] = dict(found.iter_rows())
    titles, artists = names.get(("songs", "title"), {}), names["artists", "name"]
    return tuple(
        Favorite(
            title=titles.get(row["song_id"]) if with_title else None,
            artist=artists.get(row["artist_id"]),
            plays=row["plays"],
            listeners=row["listeners"],
        )
        for row in favorites.to_dicts()
    )
