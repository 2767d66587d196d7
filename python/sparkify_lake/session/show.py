"""Rows as Spark prints them: `show()`, with its widths, its cut and its way of writing values.

Knows values only, no frame and no engine.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

# What takes two columns in a terminal, as Spark counts it.
_WIDE = (
    (0x1100, 0x115F), (0x2E80, 0x303E), (0x3041, 0x33FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF),
    (0xA000, 0xA4CF), (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0xFE30, 0xFE6F), (0xFF01, 0xFF60),
    (0xFFE0, 0xFFE6),
)  # fmt: skip
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f", "\b": "\\b", "\v": "\\v", "\a": "\\a"}


def shown(
    names: Sequence[str], rows: Iterable[Sequence[Any]], *, limit: int, truncate: bool | int, vertical: bool
) -> str:
    """Renders rows as `DataFrame.show` prints them.

    Args:
        names: The columns' names.
        rows: The rows, one more than `limit` if there are more.
        limit: How many rows are shown.
        truncate: Whether, or to how many characters, cells are cut.
        vertical: Whether each row is a block with a line for each column.

    Returns:
        The text, ending as Spark's does: with a line feed, unless there is more to show.
    """
    width = 20 if truncate is True else int(truncate)
    table = [[_cut(_escaped(text(value)), width) for value in row] for row in rows]
    more = len(table) > limit
    table = table[:limit]
    head = [_escaped(name) for name in names]
    printed = _vertical(head, table) if vertical else _grid(head, table, right=width > 0)
    if more:
        printed += f"only showing top {limit} row{'' if limit == 1 else 's'}"
    return printed


def text(value: Any) -> str:
    """Returns a value as Spark casts it to a string.

    Example:
        >>> text(12345678.0), text(1e-4), text(None), text([1.5, True])
        ('1.2345678E7', '1.0E-4', 'NULL', '[1.5, true]')
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return java_double(value)
    if isinstance(value, datetime):
        whole = value.strftime("%Y-%m-%d %H:%M:%S")
        return whole + (f".{value.microsecond:06d}".rstrip("0") if value.microsecond else "")
    if isinstance(value, date | str | int | Decimal):
        return str(value)
    if isinstance(value, bytes | bytearray):
        return "[" + " ".join(f"{byte:02X}" for byte in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{text(key)} -> {text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, tuple):
        return "{" + ", ".join(map(text, value)) + "}"
    if isinstance(value, Iterable):
        return "[" + ", ".join(map(text, value)) + "]"
    return str(value)


def java_double(number: float) -> str:
    """Returns a double as Java writes it.

    Example:
        >>> java_double(100.0), java_double(1.0e7), java_double(0.00012), java_double(float("-inf"))
        ('100.0', '1.0E7', '1.2E-4', '-Infinity')
    """
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    if number == 0 or 1e-3 <= abs(number) < 1e7:
        plain = repr(number)
        return plain if "e" not in plain else format(Decimal(plain), "f")
    digits, _, exponent = f"{Decimal(repr(number)).normalize():e}".partition("e")
    mantissa = digits if "." in digits else f"{digits}.0"
    return f"{mantissa}E{int(exponent)}"


def _escaped(cell: str) -> str:
    return "".join(_ESCAPES.get(character, character) for character in cell)


def _cut(cell: str, width: int) -> str:
    if width <= 0 or len(cell) <= width:
        return cell
    return cell[:width] if width < 4 else cell[: width - 3] + "..."


def _columns(cell: str) -> int:
    wide = sum(any(low <= ord(character) <= high for low, high in _WIDE) for character in cell)
    return len(cell) + (wide if not cell.isascii() else 0)


def _grid(head: Sequence[str], table: Sequence[Sequence[str]], *, right: bool) -> str:
    widths = [max(3, *(_columns(row[at]) for row in (head, *table))) for at in range(len(head))]

    def line(row: Sequence[str]) -> str:
        cells = []
        for cell, width in zip(row, widths, strict=True):
            blanks = " " * (width - _columns(cell))
            cells.append(blanks + cell if right else cell + blanks)
        return "|" + "|".join(cells) + "|\n"

    rule = "+" + "+".join("-" * width for width in widths) + "+\n"
    return rule + line(head) + rule + "".join(map(line, table)) + rule


def _vertical(head: Sequence[str], table: Sequence[Sequence[str]]) -> str:
    if not table:
        return "(0 rows)\n"
    names = max(3, *map(_columns, head))
    cells = max(3, *(_columns(cell) for row in table for cell in row))
    blocks = []
    for number, row in enumerate(table):
        blocks.append(f"-RECORD {number}".ljust(names + cells + 5, "-") + "\n")
        for name, cell in zip(head, row, strict=True):
            padding, rest = " " * (names - _columns(name)), " " * (cells - _columns(cell))
            blocks.append(f" {name}{padding} | {cell}{rest} \n")
    return "".join(blocks)
