"""The sections of the HTML page of the history of a lake.

Nothing is read here, and nothing is counted except sums and shares.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sparkify_lake.render.charts import ChartColumn, Markup, columns_over_time, legend, table
from sparkify_lake.render.html_report import Tile, section, tiles, titled
from sparkify_lake.render.small_multiples import Measure, small_multiples
from sparkify_lake.render.text_table import format_bytes, format_count, format_seconds
from sparkify_lake.results.history_parts import (
    LevelPeriod,
    PastVersion,
    duration,
    share_of_matches,
    short_time,
)


def newest_part(newest: PastVersion) -> Markup:
    """Draws the most important numbers of the newest version as tiles."""
    entries = [
        Tile(number=format_count(size.rows), label=name)
        for name, size in newest.tables.items()
        if name != "time"
    ]
    if newest.plays.rows:
        entries.append(Tile(number=share_of_matches(newest), label="of plays have a song"))
    color = "bad" if newest.quarantined else ""
    entries.append(Tile(number=format_count(newest.quarantined), label="records quarantined", color=color))
    return tiles(entries)


def versions_part(versions: Sequence[PastVersion]) -> Markup:
    """Draws small multiples of the versions."""
    return small_multiples(_measures(versions), [f"version {one.version}" for one in versions])


def _measures(versions: Sequence[PastVersion]) -> list[Measure]:
    def counted(title: str, value: Callable[[PastVersion], int], color: str = "first") -> Measure:
        values = [value(one) for one in versions]
        return Measure(
            title=title, values=values, texts=[format_count(value) for value in values], color=color
        )

    def rows_of(name: str) -> Callable[[PastVersion], int]:
        return lambda one: one.tables[name].rows if name in one.tables else 0

    shares = [one.plays.matched / one.plays.rows if one.plays.rows else None for one in versions]
    tables = [name for name in versions[-1].tables if name != "time"]
    return [
        *(counted(f"rows of {name}", rows_of(name)) for name in tables),
        Measure(title="plays with a song", values=shares, texts=[share_of_matches(one) for one in versions]),
        counted("quarantined", lambda one: one.quarantined, "bad"),
        counted("files written", lambda one: sum(size.written for size in one.tables.values())),
        Measure(
            title="time of the run",
            values=[one.seconds for one in versions],
            texts=["" if one.seconds is None else format_seconds(one.seconds) for one in versions],
        ),
        Measure(
            title="size of the tables",
            values=[one.bytes for one in versions],
            texts=[format_bytes(one.bytes) for one in versions],
        ),
        Measure(
            title="size of the input",
            values=[sum(size.bytes for size in one.input.values()) for one in versions],
            texts=[format_bytes(sum(size.bytes for size in one.input.values())) for one in versions],
        ),
    ]


def levels_section(periods: Sequence[LevelPeriod], unit: str) -> Markup:
    """Draws users by level over time, and the changes of levels."""
    users = [
        ChartColumn(
            start=one.start,
            height=one.free + one.paid,
            lower=one.paid,
            label=f"{one.start}: {format_count(one.paid)} paid, {format_count(one.free)} free",
        )
        for one in periods
    ]
    changes = [
        ChartColumn(
            start=one.start,
            height=one.upgrades + one.downgrades,
            lower=one.upgrades,
            label=f"{one.start}: {format_count(one.upgrades)} up, {format_count(one.downgrades)} down",
        )
        for one in periods
        if one.upgrades or one.downgrades
    ]
    parts = [
        columns_over_time(users, "users by level"),
        legend(("paid", "first"), ("free", "second"), (f"at the end of each {unit}, UTC", "none")),
    ]
    if changes:
        chart = columns_over_time(changes, "upgrades and downgrades", span=(users[0].start, users[-1].start))
        parts += [
            titled(f"Changes of level per {unit}", chart),
            legend(("upgrades (free to paid)", "first"), ("downgrades (paid to free)", "second")),
        ]
    return section("Users by level", *parts)


def table_part(versions: Sequence[PastVersion]) -> Markup:
    """Draws the versions as a table, the newest first."""
    rows = [
        (
            format_count(one.version),
            short_time(one.committed_at),
            duration(one),
            format_count(sum(size.written for size in one.tables.values())),
            format_count(sum(size.removed for size in one.tables.values())),
            ", ".join(
                f"{name} {format_count(size.files)}" for name, size in sorted(one.input.items(), reverse=True)
            ),
            one.run,
        )
        for one in reversed(versions)
    ]
    head = ("version", "run began (UTC)", "took", "written", "removed", "input files", "run")
    return table(head, rows, text_columns=())
