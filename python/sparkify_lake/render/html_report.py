"""A self-contained HTML page: its frame, its sections, and writing it to a file.

Invariant: a page has no script, no network access and no embedded font.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sparkify_lake.errors import StorageError
from sparkify_lake.render.charts import Markup, text


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A number in large type, with a text below it; `color` is "bad" for a number that needs attention."""

    number: str
    label: str
    color: str = ""


def document(title: str, parts: Iterable[Markup]) -> str:
    """Returns a complete HTML document."""
    from importlib.resources import files

    style = files("sparkify_lake.render").joinpath("html_report.css").read_text(encoding="utf-8")
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{text(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>\n{style}</style>\n</head>\n<body>\n<main>{''.join(parts)}</main>\n</body>\n</html>\n"
    )


def heading(name: str, emphasis: str, paths: Sequence[str], notes: Sequence[str]) -> Markup:
    """Draws the heading of a page, with paths and notes below it in small type."""
    lines = [f'<p class="path quiet">{text(path)}</p>' for path in paths]
    lines += [f'<p class="quiet">{text(note)}</p>' for note in notes]
    return Markup(f"<h1>{text(name)} <em>{text(emphasis)}</em></h1>{''.join(lines)}")


def warning(message: str) -> Markup:
    """Draws a warning."""
    return Markup(f'<div class="warning"><b>warning:</b> {text(message)}</div>')


def tiles(entries: Sequence[Tile]) -> Markup:
    """Draws tiles side by side."""
    drawn = "".join(
        f'<div class="tile {tile.color}"><b>{text(tile.number)}</b>{text(tile.label)}</div>'
        for tile in entries
    )
    return Markup(f'<div class="tiles">{drawn}</div>')


def section(title: str, *parts: Markup) -> Markup:
    """Draws a section of a page."""
    return Markup(f"<section><h2>{text(title)}</h2>{''.join(parts)}</section>")


def titled(title: str, part: Markup) -> Markup:
    """Puts a small title above a part of a section."""
    return Markup(f"<h3>{text(title)}</h3>{part}")


def side_by_side(parts: Sequence[Markup]) -> Markup:
    """Puts parts of a section next to each other where there is room."""
    return Markup(f'<div class="columns">{"".join(f"<div>{part}</div>" for part in parts)}</div>')


def facts(pairs: Iterable[tuple[str, str]]) -> Markup:
    """Draws pairs of a name and a text; those without a text are left out."""
    drawn = "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in pairs if value)
    return Markup(f"<dl>{drawn}</dl>")


def path_note(note: str, path: str) -> Markup:
    """Draws a line of text that ends with a path."""
    return Markup(f'<p class="path">{text(note)}: {text(path)}</p>')


def write_page(
    html: str,
    path: Path,
    message: str = "the tables are published, but the report could not be written",
    hint: str = "run again to get the report; tables without changes are not written again",
) -> None:
    """Writes a page; a reader sees either the old file or the new one.

    Args:
        html: The page.
        path: Its path.
        message: The message of the error if writing fails.
        hint: The hint of this error.

    Raises:
        StorageError: If writing fails.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(html, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StorageError(
            message,
            cause=f"{path}: {error.strerror}",
            hint=hint,
            context={"path": str(path)},
        ) from error
