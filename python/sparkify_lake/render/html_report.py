"""The report of a run as one HTML page, to be opened, sent and kept.

Only what a report holds is shown: nothing is read here, and nothing is counted but shares for bars.

Invariant: the page needs nothing but itself: no script, no network, no font.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sparkify_lake.errors import OutputError, StorageError
from sparkify_lake.render.charts import (
    Bar,
    Column,
    Markup,
    Piece,
    bars,
    columns_over_time,
    legend,
    table,
    text,
)
from sparkify_lake.render.text_table import count, seconds, size
from sparkify_lake.results.request_cost import described
from sparkify_lake.results.run_report import songs_first
from sparkify_lake.settings.options import is_remote

if TYPE_CHECKING:
    from sparkify_lake.results.highlights import Favourite, Highlights
    from sparkify_lake.results.run_report import RunReport


def checked(file: str) -> Path:
    """Returns where a page shall be written, if that can be; before the run, not after it.

    Raises:
        OutputError: If it cannot.
    """
    path = Path(file)
    problem = None
    if is_remote(file):
        problem = "a page is written to a local disk only"
    elif path.is_dir():
        problem = f"{file} is a folder"
    elif not path.parent.is_dir():
        problem = f"there is no folder {path.parent}"
    elif not os.access(path.parent, os.W_OK):
        problem = f"{path.parent} is not writable"
    if problem is None:
        return path
    raise OutputError(
        "the report cannot be written",
        cause=problem,
        hint="name a file in a folder that is there",
        context={"option": "report", "path": file},
    )


def write(report: RunReport, path: Path) -> None:
    """Writes the page; whoever opens it meanwhile sees the old one or the new one.

    Raises:
        StorageError: If the disk does not take it.
    """
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        new.write_text(as_page(report), encoding="utf-8")
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise StorageError(
            "the tables are published, but their report could not be written",
            cause=f"{path}: {error.strerror}",
            hint="run again to get it; tables that are unchanged are not written again",
            context={"path": str(path)},
        ) from error


def as_page(report: RunReport) -> str:
    """Renders a report as a whole HTML document."""
    from importlib.resources import files

    style = files("sparkify_lake.render").joinpath("html_report.css").read_text(encoding="utf-8")
    title = text(f"sparkify-lake: {report.state}, {report.started_at}")
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>\n{style}</style>\n</head>\n<body>\n<main>{''.join(_parts(report))}</main>\n</body>\n</html>\n"
    )


def _parts(report: RunReport) -> Iterable[str]:
    yield _head(report)
    yield from (f'<div class="warning"><b>warning:</b> {text(warning)}</div>' for warning in report.warnings)
    yield _tiles(report)
    if report.highlights is not None and report.highlights.periods:
        yield _plays(report.highlights)
    yield _section("What was read", *_records(report), *_reasons(report))
    yield _section("What is in the tables", _tables(report))
    yield _section("Where the time went", _stages(report))
    yield _section("The run", _facts(report))


def _section(title: str, *parts: str) -> str:
    return f"<section><h2>{text(title)}</h2>{''.join(parts)}</section>"


def _titled(title: str, figure: Markup) -> str:
    return f"<h3>{text(title)}</h3>{figure}"


def _head(report: RunReport) -> str:
    place = ""
    if report.output is not None:
        version = f", version {report.version}" if report.version is not None else ""
        place = f'<p class="path quiet">{text(report.output + version)}</p>'
    begun = f'<p class="quiet">{text(report.started_at)}</p>'
    return f"<h1>sparkify-lake: <em>{text(report.state)}</em></h1>{place}{begun}"


def _tiles(report: RunReport) -> str:
    bad = sum(counts.quarantined for counts in report.records.values())
    tiles = [(count(table.rows), table.name, "") for table in report.tables.values() if table.name != "time"]
    if report.plays.rows:
        tiles.append((_share(report.plays.matched, report.plays.rows), "of plays have a song", ""))
    tiles.append((count(bad), "records quarantined", "bad" if bad else ""))
    tiles.append((seconds(report.seconds), "from start to end", ""))
    shown = "".join(f'<div class="tile {kind}"><b>{number}</b>{what}</div>' for number, what, kind in tiles)
    return f'<div class="tiles">{shown}</div>'


def _plays(seen: Highlights) -> str:
    over_time = [
        Column(
            start=period.start,
            height=period.plays,
            lower=period.paid,
            told=f"{period.start}: {count(period.plays)} plays, {count(period.paid)} of them paid",
        )
        for period in seen.periods
    ]
    total = sum(level.plays for level in seen.levels)
    levels = [
        Bar(
            name=level.level or "(none)",
            pieces=[
                Piece(what="plays", amount=level.plays, kind="first" if level.level == "paid" else "second")
            ],
            told=f"{_share(level.plays, total)}, {count(level.listeners)} listeners",
        )
        for level in seen.levels
    ]
    favourites = [
        f"<div>{_titled(title, _favourites(rows))}</div>"
        for title, rows in (
            ("Most played songs (plays by listeners)", seen.songs),
            ("Most played artists (plays by listeners)", seen.artists),
        )
        if rows
    ]
    return _section(
        f"Plays per {seen.unit}",
        columns_over_time(over_time, f"plays per {seen.unit}"),
        legend(("paid", "first"), ("free", "second"), (f"one column a {seen.unit}, UTC", "none")),
        _titled("Free and paid", bars(levels, total)),
        f'<div class="columns">{"".join(favourites)}</div>',
    )


def _favourites(favourites: Sequence[Favourite]) -> Markup:
    rows = []
    for one in favourites:
        artist = one.artist or "(unknown)"
        name, aside = (artist, "") if one.title is None else (one.title, artist)
        told = f"{count(one.plays)} by {count(one.listeners)}"
        rows.append(Bar(name=name, aside=aside, pieces=[Piece(what="plays", amount=one.plays)], told=told))
    return bars(rows, max(one.plays for one in favourites))


def _records(report: RunReport) -> Iterable[str]:
    rows, shares = [], []
    for name, counts in songs_first(report.records):
        source = report.input.get(name)
        found = (count(source.files), size(source.bytes)) if source else ("", "")
        numbers = (counts.read, counts.loaded, counts.filtered, counts.quarantined)
        rows.append((name, *map(count, numbers), *found))
        pieces = [
            Piece(what="loaded", amount=counts.loaded),
            Piece(what="filtered", amount=counts.filtered, kind="second"),
            Piece(what="quarantined", amount=counts.quarantined, kind="bad"),
        ]
        if counts.read:
            told = f"{_share(counts.loaded, counts.read)} loaded"
            shares.append(Bar(name=name, pieces=pieces, told=told))
    head = ("records", "read", "loaded", "filtered", "quarantined", "files", "size")
    yield table(head, rows, texts=("records",))
    if shares:
        yield _titled("What became of them", bars(shares))
        yield legend(("loaded", "first"), ("filtered, not plays", "second"), ("quarantined", "bad"))


def _reasons(report: RunReport) -> Iterable[str]:
    why = [("filtered", "logs", reason, number) for reason, number in report.filtered.items()]
    for name, reasons in songs_first(report.reasons):
        why += [("quarantined", name, reason, number) for reason, number in reasons.items()]
    if told := [(what, name, reason, count(number)) for what, name, reason, number in why if number]:
        columns = ("left out", "of", "because of", "records")
        yield _titled("Why", table(columns, told, texts=columns[:3]))
    if report.rejects:
        head = ("file", "line", "byte", "reason", "key")
        first = [(r.file, count(r.line), count(r.offset), r.reason, r.key or "") for r in report.rejects]
        yield _titled("The first that were quarantined", table(head, first, texts=("file", "reason", "key")))
    if report.bad_files:
        files = [(file.file, file.reason) for file in report.bad_files]
        yield _titled("Files left out", table(("file", "reason"), files, texts=("file", "reason")))
    if report.quarantine:
        yield f'<p class="path">All of them, with their bytes: {text(report.quarantine)}</p>'


def _tables(report: RunReport) -> Markup:
    numbers = ("rows", "files", "partitions", "written", "unchanged", "removed")
    rows = [
        (one.name, *(count(getattr(one, name)) for name in numbers), size(one.bytes), one.folder)
        for one in report.tables.values()
    ]
    return table(("table", *numbers, "size", "folder"), rows, texts=("table", "folder"))


def _stages(report: RunReport) -> Markup:
    rows = [
        Bar(
            name=stage.name,
            pieces=[Piece(what=stage.name, amount=stage.seconds)],
            told=seconds(stage.seconds),
        )
        for stage in report.stages
    ]
    return bars(rows, max((stage.seconds for stage in report.stages), default=0))


def _facts(report: RunReport) -> str:
    unknown = "; ".join(f"{name}: {_counts(keys)}" for name, keys in songs_first(report.unknown_keys) if keys)
    facts = {f"{name} from": source.location for name, source in songs_first(report.input)} | {
        "requests": described(report.requests),
        "credentials": report.credentials or "",
        "memory": f"{size(report.peak_rss_bytes)} at most" if report.peak_rss_bytes else "",
        "threads": count(report.threads),
        "executor": "" if report.executor == "local" else report.executor,
        "coerced": _counts(report.coerced),
        "unknown keys": unknown,
        "options": ", ".join(f"{name}={value}" for name, value in report.options.items() if value),
        "run": report.run_id,
        "made by": f"sparkify-lake {report.package_version}",
    }
    shown = (f"<dt>{text(name)}</dt><dd>{text(told)}</dd>" for name, told in facts.items() if told)
    return f"<dl>{''.join(shown)}</dl>"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "none"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count(number)}" for name, number in counts.items() if number)
