"""Figures of a page, as HTML: tables, bars, and columns over time, whatever they mean.

Invariant: what comes in as `str` is text and is escaped; only what a function of this module returned is
markup (`Markup`). Nothing drawn needs a script, a font or the network; colors are classes of
`html_report.css`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import NewType

from sparkify_lake.render.text_table import count, printable

Markup = NewType("Markup", str)

WIDTH, HEIGHT = 900, 190
LEFT, BELOW, ABOVE = 56, 22, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A piece of a bar.

    Attributes:
        what: What it stands for.
        amount: Its length, in the unit of its bar.
        kind: The class of its colour: "first", "second" or "bad".
    """

    what: str
    amount: float
    kind: str = "first"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar: its name, its pieces from left to right, and what stands behind it."""

    name: str
    pieces: Sequence[Piece]
    told: str
    aside: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column over time: the lower part of `height` has a colour of its own."""

    start: str
    height: int
    lower: int
    told: str


def text(words: str) -> Markup:
    """Escapes text."""
    return Markup(escape(printable(words)))


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, texts: Sequence[str]) -> Markup:
    """Draws a table; columns align right, but for those named in `texts`."""

    def cells(tag: str, row: Sequence[str]) -> str:
        sides = [' class="text"' if name in texts else "" for name in head]
        return "".join(f"<{tag}{side}>{text(cell)}</{tag}>" for side, cell in zip(sides, row, strict=True))

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    whole = f"<table><thead><tr>{cells('th', head)}</tr></thead><tbody>{body}</tbody></table>"
    return Markup(f'<div class="scroll">{whole}</div>')


def bars(rows: Sequence[Bar], longest: float | None = None) -> Markup:
    """Draws bars below each other, to the scale of the longest; without one, each bar is full."""
    shown = []
    for bar in rows:
        whole = longest if longest is not None else sum(piece.amount for piece in bar.pieces)
        pieces = "".join(
            f'<i class="{piece.kind}" style="width:{100 * piece.amount / whole:.2f}%"'
            f' title="{text(piece.what)}"></i>'
            for piece in bar.pieces
            if piece.amount and whole
        )
        whole_name = text(f"{bar.name}, {bar.aside}" if bar.aside else bar.name)
        aside = f" <small>{text(bar.aside)}</small>" if bar.aside else ""
        shown += [
            f'<span class="name" title="{whole_name}">{text(bar.name)}{aside}</span>',
            f'<span class="track">{pieces}</span><span class="amount">{text(bar.told)}</span>',
        ]
    return Markup(f'<div class="bars">{"".join(shown)}</div>')


def legend(*entries: tuple[str, str]) -> Markup:
    """Draws what colours mean: pairs of a text and a class."""
    shown = "".join(f'<span><i class="{kind}"></i>{text(name)}</span>' for name, kind in entries)
    return Markup(f'<div class="legend">{shown}</div>')


def columns_over_time(columns: Sequence[Column], title: str) -> Markup:
    """Draws columns for days (2018-11-30) or months (2018-11), in order of time.

    A day that has no column keeps its place, so that gaps are seen.
    """
    places = _places([column.start for column in columns])
    step = _round_step(max(column.height for column in columns))
    highest = -(-max(column.height for column in columns) // step) * step
    base, scale = HEIGHT - BELOW, (HEIGHT - BELOW - ABOVE) / highest
    pitch = (WIDTH - LEFT) / len(places)
    thick = max(pitch * 0.8, 0.6)

    def line(at: int) -> str:
        y = base - at * scale
        label = f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{count(at)}</text>'
        return f'<line x1="{LEFT}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>{label}'

    def piece(kind: str, x: float, top: float, height: float) -> str:
        size = f'width="{thick:.1f}" height="{height * scale:.1f}"'
        return f'<rect class="{kind}" x="{x:.1f}" y="{base - top * scale:.1f}" {size}/>'

    def drawn(column: Column) -> str:
        x = LEFT + places[column.start] * pitch + (pitch - thick) / 2
        lower = piece("first", x, column.lower, column.lower)
        upper = piece("second", x, column.height, column.height - column.lower)
        return f"<g><title>{text(column.told)}</title>{lower}{upper}</g>"

    def name(start: str) -> str:
        middle = LEFT + (places[start] + 0.5) * pitch
        return f'<text x="{middle:.1f}" y="{HEIGHT - 4}" text-anchor="middle">{text(start)}</text>'

    parts = [line(at) for at in range(0, highest + 1, step)]
    parts += [drawn(column) for column in columns]
    parts += [name(start) for start, at in places.items() if at % -(-len(places) // 8) == 0]
    label = f'role="img" aria-label="{text(title)}"'
    drawing = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" {label}>{"".join(parts)}</svg>'
    return Markup(f'<div class="scroll">{drawing}</div>')


def _places(starts: Sequence[str]) -> dict[str, int]:
    """Numbers the days, or months, from the first to the last, those in between included.

    Example:
        >>> _places(["2018-12", "2019-02"])
        {'2018-12': 0, '2019-01': 1, '2019-02': 2}
        >>> _places(["2018-11-30", "2018-12-02"])
        {'2018-11-30': 0, '2018-12-01': 1, '2018-12-02': 2}
    """
    from datetime import date, timedelta

    if len(starts[0]) == len("2018-11"):
        first, last = (int(start[:4]) * 12 + int(start[5:]) - 1 for start in (starts[0], starts[-1]))
        return {f"{at // 12:04}-{at % 12 + 1:02}": at - first for at in range(first, last + 1)}
    begin, end = date.fromisoformat(starts[0]), date.fromisoformat(starts[-1])
    return {(begin + timedelta(days=at)).isoformat(): at for at in range((end - begin).days + 1)}


def _round_step(top: int) -> int:
    """Returns a round distance of lines, so that there are at most five of them above the base.

    Example:
        >>> [_round_step(top) for top in (1, 7, 430, 9_000)]
        [1, 2, 100, 2000]
    """
    step = 1
    while True:
        for factor in (1, 2, 5):
            if top <= step * factor * 5:
                return step * factor
        step *= 10
