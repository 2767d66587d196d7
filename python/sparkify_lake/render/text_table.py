"""Text tables: aligned with spaces for a terminal, or as HTML for a notebook.

Invariant: text from outside (file names, JSON keys) cannot break the alignment of a terminal or the markup of
a notebook: control characters are escaped and HTML is quoted. All added characters are ASCII, so that every
terminal can display them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTable:
    """Rows of cells.

    Attributes:
        rows: The cells. A table without rows is not displayed.
        head: The column names. Without them, all columns align left.
        text_columns: The columns, by name, that align left; the others hold numbers and align right.
    """

    rows: Sequence[Sequence[str]]
    head: Sequence[str] = ()
    text_columns: Sequence[str] = ()

    def aligns_left(self, column: int) -> bool:
        """Returns whether a column aligns left."""
        return not self.head or self.head[column] in self.text_columns


class Displayed:
    """A base for everything that prompts and notebooks display as a title, tables and warnings."""

    __slots__ = ()

    def __str__(self) -> str:
        return as_text(self._title(), self._tables(), self._warnings())

    def __repr__(self) -> str:
        return str(self)  # as a DataFrame does: a prompt displays the table

    def _repr_html_(self) -> str:
        return as_html(self._title(), self._tables(), self._warnings())

    def _title(self) -> str:
        raise NotImplementedError

    def _tables(self) -> list[TextTable]:
        raise NotImplementedError

    def _warnings(self) -> Sequence[str]:
        return ()


def as_text(title: str, tables: Sequence[TextTable], warnings: Sequence[str] = ()) -> str:
    """Renders tables one below the other, aligned with spaces."""
    blocks = [printable(title)]
    blocks += [_aligned(table) for table in tables if table.rows]
    if warnings:
        blocks.append("\n".join(f"warning: {printable(warning)}" for warning in warnings))
    return "\n\n".join(blocks)


def _aligned(table: TextTable) -> str:
    rows = [[printable(cell) for cell in row] for row in ([table.head] if table.head else []) + [*table.rows]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    if table.head:
        rows.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join(
            cell.ljust(width) if table.aligns_left(column) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


_TABLE_STYLE = "border-collapse:collapse;margin:.4em 0 .8em;font-size:.92em;font-variant-numeric:tabular-nums"
_CELL_STYLE = "padding:.18em .9em .18em 0;border:0;vertical-align:top;background:none;text-align:"
_HEAD_STYLE = ";border-bottom:1px solid currentColor;font-weight:600"


def as_html(title: str, tables: Sequence[TextTable], warnings: Sequence[str] = ()) -> str:
    """Renders tables as HTML with inline styles only; colors come from the notebook, so dark themes work."""
    from html import escape

    def row(tag: str, cells: Sequence[str], table: TextTable, style: str = "") -> str:
        rendered = []
        for column, cell in enumerate(cells):
            side = "left" if table.aligns_left(column) else "right"
            rendered.append(f'<{tag} style="{_CELL_STYLE}{side}{style}">{escape(printable(cell))}</{tag}>')
        return f"<tr>{''.join(rendered)}</tr>"

    parts = [f'<div style="font-weight:600">{escape(printable(title))}</div>']
    for table in tables:
        if table.rows:
            head = f"<thead>{row('th', table.head, table, _HEAD_STYLE)}</thead>" if table.head else ""
            body = "".join(row("td", cells, table) for cells in table.rows)
            parts.append(f'<table style="{_TABLE_STYLE}">{head}<tbody>{body}</tbody></table>')
    parts += [f"<div><b>warning:</b> {escape(printable(warning))}</div>" for warning in warnings]
    return f"<div>{''.join(parts)}</div>"


def printable(text: str) -> str:
    r"""Escapes characters that could move a cursor or hide text.

    Example:
        >>> printable("a\x1b[2Jb")
        'a\\x1b[2Jb'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def format_count(number: int) -> str:
    """Formats a count.

    Example:
        >>> format_count(1234567)
        '1,234,567'
    """
    return f"{number:,}"


def format_bytes(number: int) -> str:
    """Formats a number of bytes.

    Example:
        >>> format_bytes(999), format_bytes(2048), format_bytes(5_452_595)
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


def format_seconds(number: float) -> str:
    """Formats a duration.

    Example:
        >>> format_seconds(0.0042), format_seconds(1.26), format_seconds(75), format_seconds(7384)
        ('4 ms', '1.3 s', '1 min 15 s', '2 h 03 min')
        >>> format_seconds(200_000)
        '2 days 07 h'
    """
    if number < 0.9995:
        return f"{number * 1000:.0f} ms"
    if number < 59.95:
        return f"{number:.1f} s"
    minutes, rest = divmod(round(number), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours = minutes // 60
    if hours < 48:
        return f"{hours} h {minutes % 60:02d} min"
    return f"{hours // 24} days {hours % 24:02d} h"


def format_counts(counts: Mapping[str, int]) -> str:
    """Formats counts by name; those of zero are left out.

    Example:
        >>> format_counts({"page": 1233, "level": 0, "user_id": 2})
        'page 1,233, user_id 2'
    """
    return ", ".join(f"{name} {format_count(number)}" for name, number in counts.items() if number)
