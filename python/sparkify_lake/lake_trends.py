"""Queries what the tables of a lake contain over time, for the page of its history.

Invariant: the same lake gives the same trends.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sparkify_lake import _engine
from sparkify_lake.lake import Lake
from sparkify_lake.lake_highlights import MAX_DAYS, by_period, existing_table, plays_by_day
from sparkify_lake.results.highlights import Period
from sparkify_lake.results.history_parts import LevelPeriod, Trends

if TYPE_CHECKING:
    from polars import DataFrame, LazyFrame

    from sparkify_lake.settings.config import Config

USERS_HISTORY = "users_history"


def query_trends(config: Config) -> Trends:
    """Queries the trends of a lake.

    Args:
        config: The settings, with the root of the lake.
    """
    import polars as pl

    reading = replace(config, call="open_lake")
    lake = Lake(reading, _engine.lake_layout(reading), _engine.find_tables(reading))
    plays, users = existing_table(lake, "songplays"), existing_table(lake, USERS_HISTORY)
    nothing = pl.LazyFrame()
    days, changes = pl.collect_all(
        [
            nothing if plays is None else plays_by_day(plays),
            nothing if users is None else level_changes(users),
        ],
        engine="streaming",
    )
    unit = "day" if max(_days(days), _days(changes)) <= MAX_DAYS else "month"
    return Trends(
        unit=unit,
        plays=tuple(Period(**row) for row in by_period(days, unit, pl.col("plays", "paid").sum()).to_dicts())
        if days.height
        else (),
        levels=levels_by_period(changes, unit) if changes.height else (),
    )


def level_changes(users: LazyFrame) -> LazyFrame:
    """Returns the changes of each day: of the number of users by level, and upgrades and downgrades.

    Args:
        users: Rows of `users_history`: a user has a level from `valid_from` until `valid_to`, exclusive; NULL
            is the end of time.
    """
    import polars as pl

    previous = pl.col("level").shift(1).over("user_id", order_by="valid_from")
    begins = users.select(
        start=pl.col("valid_from").dt.date(),
        level="level",
        users=pl.lit(1, pl.Int64),
        upgrades=(previous.eq("free") & pl.col("level").eq("paid")).fill_null(False).cast(pl.Int64),
        downgrades=(previous.eq("paid") & pl.col("level").eq("free")).fill_null(False).cast(pl.Int64),
    )
    ends = users.filter(pl.col("valid_to").is_not_null()).select(
        start=pl.col("valid_to").dt.date(),
        level="level",
        users=pl.lit(-1, pl.Int64),
        upgrades=pl.lit(0, pl.Int64),
        downgrades=pl.lit(0, pl.Int64),
    )
    amount = pl.col("users")
    return (
        pl.concat([begins, ends])
        .group_by("start")
        .agg(
            amount.filter(pl.col("level") == "free").sum().alias("free"),
            amount.filter(pl.col("level") == "paid").sum().alias("paid"),
            pl.col("upgrades", "downgrades").sum(),
        )
        .sort("start")
    )


def levels_by_period(changes: DataFrame, unit: str) -> tuple[LevelPeriod, ...]:
    """Returns the number of users by level at the end of each period, also of periods without a change."""
    import polars as pl

    first, last = changes["start"][0], changes["start"][-1]
    days = pl.select(start=pl.date_range(first, last, "1d"))
    counted = days.join(changes, on="start", how="left").fill_null(0).sort("start")
    counted = counted.with_columns(pl.col("free", "paid").cum_sum())
    grouped = by_period(counted, unit, pl.col("free", "paid").last(), pl.col("upgrades", "downgrades").sum())
    return tuple(LevelPeriod(**row) for row in grouped.to_dicts())


def _days(frame: DataFrame) -> int:
    return (frame["start"][-1] - frame["start"][0]).days + 1 if frame.height else 0
