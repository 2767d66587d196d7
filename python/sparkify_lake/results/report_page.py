"""The sections of the HTML report of a run, each made from the parts of the report that it displays.

Nothing is read here, and nothing is counted except shares for bars.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sparkify_lake.render.charts import (
    Bar,
    BarSegment,
    ChartColumn,
    Markup,
    bars,
    columns_over_time,
    legend,
    table,
)
from sparkify_lake.render.html_report import Tile, path_note, section, side_by_side, tiles, titled
from sparkify_lake.render.text_table import format_bytes, format_count, format_seconds
from sparkify_lake.results.expectations import ExpectationResult, expectations_with_past
from sparkify_lake.results.highlights import Favorite, Highlights, Period
from sparkify_lake.results.report_parts import (
    BadFile,
    PlayCounts,
    RecordCounts,
    Reject,
    SourceReport,
    StageReport,
    TableReport,
)
from sparkify_lake.results.result import songs_first


def summary(
    tables: Mapping[str, TableReport],
    plays: PlayCounts,
    records: Mapping[str, RecordCounts],
    seconds: float,
) -> Markup:
    """Draws the most important numbers of the run as tiles."""
    quarantined = sum(counts.quarantined for counts in records.values())
    entries = [
        Tile(number=format_count(one.rows), label=one.name) for one in tables.values() if one.name != "time"
    ]
    if plays.rows:
        entries.append(Tile(number=_share(plays.matched, plays.rows), label="of plays have a song"))
    entries += [
        Tile(
            number=format_count(quarantined), label="records quarantined", color="bad" if quarantined else ""
        ),
        Tile(number=format_seconds(seconds), label="from start to end"),
    ]
    return tiles(entries)


def plays_section(highlights: Highlights) -> Markup:
    """Draws plays over time and by level, and the most played songs and artists."""
    total = sum(level.plays for level in highlights.levels)
    levels = [
        Bar(
            name=level.level or "(none)",
            segments=[
                BarSegment(
                    label="plays", amount=level.plays, color="first" if level.level == "paid" else "second"
                )
            ],
            value=f"{_share(level.plays, total)}, {format_count(level.listeners)} listeners",
        )
        for level in highlights.levels
    ]
    favorites = [
        titled(title, _favorites(rows))
        for title, rows in (
            ("Most played songs (plays by listeners)", highlights.songs),
            ("Most played artists (plays by listeners)", highlights.artists),
        )
        if rows
    ]
    return section(
        f"Plays per {highlights.unit}",
        *plays_over_time(highlights.periods, highlights.unit),
        titled("Free and paid", bars(levels, total)),
        side_by_side(favorites),
    )


def plays_over_time(periods: Sequence[Period], unit: str) -> tuple[Markup, Markup]:
    """Draws plays over time, and returns the chart and its legend."""
    columns = [
        ChartColumn(
            start=one.start,
            height=one.plays,
            lower=one.paid,
            label=f"{one.start}: {format_count(one.plays)} plays, {format_count(one.paid)} paid",
        )
        for one in periods
    ]
    return (
        columns_over_time(columns, f"plays per {unit}"),
        legend(("paid", "first"), ("free", "second"), (f"one column per {unit}, UTC", "none")),
    )


def _favorites(favorites: Sequence[Favorite]) -> Markup:
    rows = []
    for one in favorites:
        artist = one.artist or "(unknown)"
        name, detail = (artist, "") if one.title is None else (one.title, artist)
        value = f"{format_count(one.plays)} by {format_count(one.listeners)}"
        rows.append(
            Bar(name=name, detail=detail, segments=[BarSegment(label="plays", amount=one.plays)], value=value)
        )
    return bars(rows, max(one.plays for one in favorites))


def records_parts(
    records: Mapping[str, RecordCounts], sources: Mapping[str, SourceReport]
) -> Iterator[Markup]:
    """Draws the record counts by outcome."""
    rows, shares = [], []
    for name, counts in songs_first(records):
        source = sources.get(name)
        found = (format_count(source.files), format_bytes(source.bytes)) if source else ("", "")
        numbers = (counts.read, counts.loaded, counts.filtered, counts.quarantined)
        rows.append((name, *map(format_count, numbers), *found))
        segments = [
            BarSegment(label="loaded", amount=counts.loaded),
            BarSegment(label="filtered", amount=counts.filtered, color="second"),
            BarSegment(label="quarantined", amount=counts.quarantined, color="bad"),
        ]
        if counts.read:
            value = f"{_share(counts.loaded, counts.read)} loaded"
            shares.append(Bar(name=name, segments=segments, value=value))
    head = ("records", "read", "loaded", "filtered", "quarantined", "files", "size")
    yield table(head, rows, text_columns=("records",))
    if shares:
        yield titled("Records by outcome", bars(shares))
        yield legend(("loaded", "first"), ("filtered, not plays", "second"), ("quarantined", "bad"))


def reasons_parts(filtered: Mapping[str, int], reasons: Mapping[str, Mapping[str, int]]) -> Iterator[Markup]:
    """Draws the reasons why records were left out."""
    counted = [("filtered", "logs", reason, number) for reason, number in filtered.items()]
    for name, numbers in songs_first(reasons):
        counted += [("quarantined", name, reason, number) for reason, number in numbers.items()]
    rows = [(outcome, name, reason, format_count(n)) for outcome, name, reason, n in counted if n]
    if rows:
        head = ("outcome", "input", "reason", "records")
        yield titled("Records left out, by reason", table(head, rows, text_columns=head[:3]))


def rejects_parts(
    rejects: Sequence[Reject], bad_files: Sequence[BadFile], quarantine: str | None
) -> Iterator[Markup]:
    """Draws the first quarantined records, the files left out, and the path of the quarantine."""
    if rejects:
        head = ("file", "line", "byte", "reason", "key")
        rows = [
            (one.file, format_count(one.line), format_count(one.offset), one.reason, one.key or "")
            for one in rejects
        ]
        yield titled("First quarantined records", table(head, rows, text_columns=("file", "reason", "key")))
    if bad_files:
        files = [(one.file, one.reason) for one in bad_files]
        yield titled("Files left out", table(("file", "reason"), files, text_columns=("file", "reason")))
    if quarantine:
        yield path_note("All quarantined records, with their bytes", quarantine)


def tables_part(tables: Mapping[str, TableReport]) -> Markup:
    """Draws the sizes of the tables, and how many files changed."""
    numbers = ("rows", "files", "partitions", "written", "unchanged", "removed")
    rows = [
        (
            one.name,
            *(format_count(getattr(one, name)) for name in numbers),
            format_bytes(one.bytes),
            one.folder,
        )
        for one in tables.values()
    ]
    return table(("table", *numbers, "size", "folder"), rows, text_columns=("table", "folder"))


def expectations_part(results: Sequence[ExpectationResult]) -> Markup:
    """Draws the results of the expectations, with the values of the last versions."""
    head, rows = expectations_with_past(results)
    return table(head, rows, text_columns=("expectation", "result"))


def phases_part(phases: Sequence[StageReport]) -> Markup:
    """Draws the wall time of each phase."""
    rows = [
        Bar(
            name=phase.name,
            segments=[BarSegment(label=phase.name, amount=phase.seconds)],
            value=format_seconds(phase.seconds),
        )
        for phase in phases
    ]
    return bars(rows, max((phase.seconds for phase in phases), default=0))


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "none"
