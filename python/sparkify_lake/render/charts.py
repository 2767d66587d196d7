"""Charts and tables of an HTML page: tables, bars, and columns over time.

Invariant: a `str` argument is text and is escaped; only `Markup`, which the functions of this module return,
is HTML. A chart needs no script, no font and no network; colors are classes of `html_report.css`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import NewType

from sparkify_lake.render.text_table import format_count, printable

Markup = NewType("Markup", str)

# The drawing area of a column chart, in SVG units, and its margins.
CHART_WIDTH, CHART_HEIGHT = 900, 190
LEFT_MARGIN, BOTTOM_MARGIN, TOP_MARGIN = 56, 22, 8
MAX_TIME_LABELS = 8
HALF_TIME_LABEL = 36
MAX_GRID_LINES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class BarSegment:
    """A segment of a bar.

    Attributes:
        label: What the segment stands for; displayed as a tooltip.
        amount: Its length, in the unit of its bar.
        color: The CSS class of its color: "first", "second" or "bad".
    """

    label: str
    amount: float
    color: str = "first"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A bar.

    Attributes:
        name: The text to its left.
        segments: Its segments, from left to right.
        value: The text to its right.
        detail: A second, smaller text after the name.
    """

    name: str
    segments: Sequence[BarSegment]
    value: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartColumn:
    """One column over time.

    Attributes:
        start: The day, as 2018-11-30, or the month, as 2018-11.
        height: Its height.
        lower: The height of its lower part, which has another color.
        label: The text of its tooltip.
    """

    start: str
    height: int
    lower: int
    label: str


def text(words: str) -> Markup:
    """Escapes text."""
    return Markup(escape(printable(words)))


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, text_columns: Sequence[str]) -> Markup:
    """Draws a table. Columns align right, except those named in `text_columns`."""

    def cells(tag: str, row: Sequence[str]) -> str:
        sides = [' class="text"' if name in text_columns else "" for name in head]
        return "".join(f"<{tag}{side}>{text(cell)}</{tag}>" for side, cell in zip(sides, row, strict=True))

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    whole = f"<table><thead><tr>{cells('th', head)}</tr></thead><tbody>{body}</tbody></table>"
    return Markup(f'<div class="scroll">{whole}</div>')


def bars(rows: Sequence[Bar], longest: float | None = None) -> Markup:
    """Draws bars one below the other.

    Args:
        rows: The bars.
        longest: The amount that has the full width. Without it, every bar has the full width.
    """
    drawn = []
    for bar in rows:
        whole = longest if longest is not None else sum(segment.amount for segment in bar.segments)
        segments = "".join(
            f'<i class="{segment.color}" style="width:{100 * segment.amount / whole:.2f}%"'
            f' title="{text(segment.label)}"></i>'
            for segment in bar.segments
            if segment.amount and whole
        )
        whole_name = text(f"{bar.name}, {bar.detail}" if bar.detail else bar.name)
        detail = f" <small>{text(bar.detail)}</small>" if bar.detail else ""
        drawn += [
            f'<span class="name" title="{whole_name}">{text(bar.name)}{detail}</span>',
            f'<span class="track">{segments}</span><span class="amount">{text(bar.value)}</span>',
        ]
    return Markup(f'<div class="bars">{"".join(drawn)}</div>')


def legend(*entries: tuple[str, str]) -> Markup:
    """Draws a legend from pairs of a text and the CSS class of its color."""
    drawn = "".join(f'<span><i class="{color}"></i>{text(name)}</span>' for name, color in entries)
    return Markup(f'<div class="legend">{drawn}</div>')


def columns_over_time(
    columns: Sequence[ChartColumn], title: str, span: tuple[str, str] | None = None
) -> Markup:
    """Draws columns for days (2018-11-30) or months (2018-11), which must be in order of time.

    A day without a column keeps its position, so that gaps are visible.

    Args:
        columns: The columns.
        title: What they show.
        span: The first and the last day or month, if these are not those of the columns.
    """
    positions = _positions(span or [column.start for column in columns])
    step = _round_step(max(column.height for column in columns))
    highest = -(-max(column.height for column in columns) // step) * step
    base, scale = CHART_HEIGHT - BOTTOM_MARGIN, (CHART_HEIGHT - BOTTOM_MARGIN - TOP_MARGIN) / highest
    pitch = (CHART_WIDTH - LEFT_MARGIN) / len(positions)
    width = max(pitch * 0.8, 0.6)

    def grid_line(value: int) -> str:
        y = base - value * scale
        label = f'<text x="{LEFT_MARGIN - 8}" y="{y + 4:.1f}" text-anchor="end">{format_count(value)}</text>'
        return f'<line x1="{LEFT_MARGIN}" x2="{CHART_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>{label}'

    def part(color: str, x: float, top: float, height: float) -> str:
        size = f'width="{width:.1f}" height="{height * scale:.1f}"'
        return f'<rect class="{color}" x="{x:.1f}" y="{base - top * scale:.1f}" {size}/>'

    def drawn(column: ChartColumn) -> str:
        x = LEFT_MARGIN + positions[column.start] * pitch + (pitch - width) / 2
        lower = part("first", x, column.lower, column.lower)
        upper = part("second", x, column.height, column.height - column.lower)
        return f"<g><title>{text(column.label)}</title>{lower}{upper}</g>"

    def time_label(start: str) -> str:
        x, anchor = LEFT_MARGIN + (positions[start] + 0.5) * pitch, "middle"
        if x > CHART_WIDTH - HALF_TIME_LABEL:  # the right half would be cut off
            x, anchor = CHART_WIDTH, "end"
        return f'<text x="{x:.1f}" y="{CHART_HEIGHT - 4}" text-anchor="{anchor}">{text(start)}</text>'

    label_step = -(-len(positions) // MAX_TIME_LABELS)
    parts = [grid_line(value) for value in range(0, highest + 1, step)]
    parts += [drawn(column) for column in columns]
    parts += [time_label(start) for start, position in positions.items() if position % label_step == 0]
    label = f'role="img" aria-label="{text(title)}"'
    drawing = f'<svg viewBox="0 0 {CHART_WIDTH} {CHART_HEIGHT}" {label}>{"".join(parts)}</svg>'
    return Markup(f'<div class="scroll">{drawing}</div>')


def _positions(starts: Sequence[str]) -> dict[str, int]:
    """Numbers all days or months from the first to the last, including those without a column.

    Example:
        >>> _positions(["2018-12", "2019-02"])
        {'2018-12': 0, '2019-01': 1, '2019-02': 2}
        >>> _positions(["2018-11-30", "2018-12-02"])
        {'2018-11-30': 0, '2018-12-01': 1, '2018-12-02': 2}
    """
    from datetime import date, timedelta

    if len(starts[0]) == len("2018-11"):
        first, last = (int(start[:4]) * 12 + int(start[5:]) - 1 for start in (starts[0], starts[-1]))
        return {f"{at // 12:04}-{at % 12 + 1:02}": at - first for at in range(first, last + 1)}
    begin, end = date.fromisoformat(starts[0]), date.fromisoformat(starts[-1])
    return {(begin + timedelta(days=at)).isoformat(): at for at in range((end - begin).days + 1)}


def _round_step(top: int) -> int:
    """Returns a round distance between grid lines, so that at most five of them are above the base.

    Example:
        >>> [_round_step(top) for top in (1, 7, 430, 9_000)]
        [1, 2, 100, 2000]
    """
    step = 1
    while True:
        for factor in (1, 2, 5):
            if top <= step * factor * MAX_GRID_LINES:
                return step * factor
        step *= 10
