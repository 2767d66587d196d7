"""What a lake holds at a glance, for a report: plays over time, free against paid, what is heard most.

Read back from the tables themselves, after they are published; a run that is at work counts nothing of it.

Invariant: the same lake gives the same highlights; ties are broken by id.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sparkify_lake.errors import NoInputError
from sparkify_lake.results.highlights import Favourite, Highlights, LevelShare, Period

if TYPE_CHECKING:
    from polars import DataFrame, LazyFrame

    from sparkify_lake.lake import Lake
    from sparkify_lake.results.run_report import RunReport
    from sparkify_lake.settings.resolve import Config

TOP = 10
MOST_DAYS = 400
"""Beyond so many days, plays are counted by month."""


def looked_through(report: RunReport, config: Config) -> RunReport:
    """Adds to a report what the lake holds.

    The run is over and its tables are there: whatever goes wrong from here on is a warning.

    Args:
        report: Of a run that published.
        config: Its settings.

    Returns:
        The report with its highlights.
    """
    import polars as pl

    from sparkify_lake._engine import lake_layout, look
    from sparkify_lake.lake import Lake

    looking = replace(config, call="open_lake")
    try:
        return replace(report, highlights=highlights(Lake(looking, lake_layout(looking), look(looking))))
    except (pl.exceptions.PolarsError, OSError) as error:
        # Such as another run that publishes meanwhile, or a right to write but not to read.
        told = f"the page shows no plays: reading the lake back failed ({type(error).__name__})"
        return replace(report, warnings=(*report.warnings, told))


def highlights(lake: Lake) -> Highlights | None:
    """Looks through a lake.

    Args:
        lake: The tables; songs and artists may be missing.

    Returns:
        What is in it; None where there are no songplays.
    """
    import polars as pl

    plays = _table(lake, "songplays")
    if plays is None:
        return None
    heard = [
        pl.len().cast(pl.Int64).alias("plays"),
        pl.col("user_id").n_unique().cast(pl.Int64).alias("listeners"),
    ]
    known = plays.filter(pl.col("song_id").is_not_null())
    by_day = (
        plays.group_by(start=pl.col("start_time").dt.date())
        .agg(
            pl.len().cast(pl.Int64).alias("plays"),
            (pl.col("level") == "paid").sum().cast(pl.Int64).alias("paid"),
        )
        .sort("start")
    )
    by_level = plays.group_by("level").agg(heard).sort(["plays", "level"], descending=[True, False])
    by_song = _most(known.group_by("song_id", "artist_id").agg(heard), "song_id")
    by_artist = _most(known.group_by("artist_id").agg(heard), "artist_id")
    days, levels, songs, artists = pl.collect_all([by_day, by_level, by_song, by_artist], engine="streaming")
    unit = "day" if days.height <= MOST_DAYS else "month"
    if unit == "month":
        days = (
            days.group_by(pl.col("start").dt.truncate("1mo")).agg(pl.col("plays", "paid").sum()).sort("start")
        )
    days = days.with_columns(pl.col("start").dt.strftime("%Y-%m-%d" if unit == "day" else "%Y-%m"))
    return Highlights(
        unit=unit,
        periods=tuple(Period(**row) for row in days.to_dicts()),
        levels=tuple(LevelShare(**row) for row in levels.to_dicts()),
        songs=_named(lake, songs, with_title=True),
        artists=_named(lake, artists, with_title=False),
    )


def _table(lake: Lake, name: str) -> LazyFrame | None:
    try:
        return lake[name]
    except NoInputError:
        return None


def _most(counts: LazyFrame, key: str) -> LazyFrame:
    return counts.sort(["plays", "listeners", key], descending=[True, True, False]).head(TOP)


def _named(lake: Lake, favourites: DataFrame, *, with_title: bool) -> tuple[Favourite, ...]:
    """Puts titles and names to ids; without the table that has them, there is nothing to show."""
    import polars as pl

    names: dict[tuple[str, str], dict[str, str | None]] = {}
    for table, key, column in (("songs", "song_id", "title"), ("artists", "artist_id", "name")):
        if table == "songs" and not with_title:
            continue
        frame = _table(lake, table)
        if frame is None:
            return ()
        wanted = favourites.get_column(key)
        found = frame.filter(pl.col(key).is_in(wanted.implode())).select(key, column).collect()
        names[table, column] = dict(found.iter_rows())
    titles, artists = names.get(("songs", "title"), {}), names["artists", "name"]
    return tuple(
        Favourite(
            title=titles.get(row["song_id"]) if with_title else None,
            artist=artists.get(row["artist_id"]),
            plays=row["plays"],
            listeners=row["listeners"],
        )
        for row in favourites.to_dicts()
    )
