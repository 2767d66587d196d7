"""Tables for people: grids of text, aligned for a terminal or as HTML for a notebook, whatever they mean.

Invariant: text that came from outside (file names, keys) can neither break the alignment of a terminal nor
the markup of a notebook: control characters are escaped, HTML is quoted. What is added is ASCII, so any
terminal can show it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Rows of cells. Columns align right, but for those named in `texts`; without a head all align left."""

    rows: Sequence[Sequence[str]]
    head: Sequence[str] = ()
    texts: Sequence[str] = ()

    def is_text(self, column: int) -> bool:
        """Returns whether a column aligns left."""
        return not self.head or self.head[column] in self.texts


def as_text(title: str, grids: Sequence[Grid], warnings: Sequence[str] = ()) -> str:
    """Renders grids below each other, aligned by blanks."""
    blocks = [printable(title)]
    blocks += [_aligned(grid) for grid in grids if grid.rows]
    if warnings:
        blocks.append("\n".join(f"warning: {printable(warning)}" for warning in warnings))
    return "\n\n".join(blocks)


def _aligned(grid: Grid) -> str:
    rows = [[printable(cell) for cell in row] for row in ([grid.head] if grid.head else []) + [*grid.rows]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    if grid.head:
        rows.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join(
            cell.ljust(width) if grid.is_text(column) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


_TABLE = "border-collapse:collapse;margin:.4em 0 .8em;font-size:.92em;font-variant-numeric:tabular-nums"
_CELL = "padding:.18em .9em .18em 0;border:0;vertical-align:top;background:none;text-align:"
_LINE = ";border-bottom:1px solid currentColor;font-weight:600"


def as_html(title: str, grids: Sequence[Grid], warnings: Sequence[str] = ()) -> str:
    """Renders grids as HTML with inline styles only; colours are the page's own, so that dark themes work."""
    from html import escape

    def row(tag: str, cells: Sequence[str], grid: Grid, style: str = "") -> str:
        shown = []
        for column, cell in enumerate(cells):
            side = "left" if grid.is_text(column) else "right"
            shown.append(f'<{tag} style="{_CELL}{side}{style}">{escape(printable(cell))}</{tag}>')
        return f"<tr>{''.join(shown)}</tr>"

    parts = [f'<div style="font-weight:600">{escape(printable(title))}</div>']
    for grid in grids:
        if grid.rows:
            head = f"<thead>{row('th', grid.head, grid, _LINE)}</thead>" if grid.head else ""
            body = "".join(row("td", cells, grid) for cells in grid.rows)
            parts.append(f'<table style="{_TABLE}">{head}<tbody>{body}</tbody></table>')
    parts += [f"<div><b>warning:</b> {escape(printable(warning))}</div>" for warning in warnings]
    return f"<div>{''.join(parts)}</div>"


def printable(text: str) -> str:
    r"""Escapes what could move a cursor or hide text.

    Example:
        >>> printable("a\x1b[2Jb")
        'a\\x1b[2Jb'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def count(number: int) -> str:
    """Shows a count.

    Example:
        >>> count(1234567)
        '1,234,567'
    """
    return f"{number:,}"


def size(number: int) -> str:
    """Shows a number of bytes.

    Example:
        >>> size(999), size(2048), size(5_452_595)
        ('999 B', '2.0 KiB', '5.2 MiB')
    """
    if number < 1024:
        return f"{number} B"
    amount, unit = number / 1024, "KiB"
    for larger in ("MiB", "GiB", "TiB"):
        if amount < 1000:
            break
        amount, unit = amount / 1024, larger
    return f"{amount:.1f} {unit}" if amount < 100 else f"{amount:,.0f} {unit}"


def seconds(number: float) -> str:
    """Shows a duration.

    Example:
        >>> seconds(0.0042), seconds(1.26), seconds(75), seconds(7384)
        ('4 ms', '1.3 s', '1 min 15 s', '2 h 03 min')
    """
    if number < 0.9995:
        return f"{number * 1000:.0f} ms"
    if number < 59.95:
        return f"{number:.1f} s"
    minutes, rest = divmod(round(number), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
