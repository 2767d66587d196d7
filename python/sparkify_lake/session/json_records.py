"""JSON read record by record: types and values as Spark's parser gives them, broken records included."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

_QUOTED = re.compile(r""" "(?:[^"\\]|\\.)*" | '((?:[^'\\]|\\.)*)' """, re.VERBOSE)
_DOUBLES = {"NaN": "nan", "Infinity": "inf", "+INF": "inf", "INF": "inf", "-Infinity": "-inf", "-INF": "-inf"}


class _Real(float):
    """A number with its own text, which is the value if the column is text."""

    text: str


def _real(text: str) -> _Real:
    number = _Real(text)
    number.text = text
    return number


_decoder = json.JSONDecoder(parse_float=_real)


class Records:
    """The records of a block of lines, or of a document."""

    def __init__(self, text: str, *, is_document: bool) -> None:
        self._texts = [text] if is_document else _lines(text)
        self.has_corrupt = False

    def _parsed(self) -> Iterator[tuple[str, dict[str, Any] | None]]:
        """Lists the records; None for a text that is neither an object nor an array of objects."""
        for text in self._texts:
            stripped = text.lstrip("\ufeff \t\r\n")
            if not stripped:
                continue
            value = _decoded(stripped)
            rows = value if isinstance(value, list) else [value]
            if all(isinstance(row, dict) for row in rows):
                yield from ((text, row) for row in rows)
            else:
                self.has_corrupt = True
                yield text, None

    def inferred(self) -> Any:
        """Returns the type of all records."""
        total: Any = pa.struct([])
        seen: dict[Any, Any] = {}
        for _, record in self._parsed():
            if record is not None:
                found = _type_of(record)
                if found not in seen:  # most records have the type of an earlier one
                    seen[found] = total = merged(total, found)
        return total

    def rows(self, schema: pa.Schema, corrupt: str, *, drop: bool) -> tuple[list[dict[str, Any]], bool]:
        """Returns the values of each record, and whether any was broken."""
        rows, any_bad = [], False
        for text, record in self._parsed():
            bad = record is None
            row: dict[str, Any] = {}
            for field in schema if record is not None else ():
                try:
                    row[field.name] = _converted((record or {}).get(field.name), field.type)
                except ValueError:
                    bad = True
            any_bad |= bad
            if bad and corrupt in schema.names:
                row[corrupt] = text.rstrip("\r\n")
            if not (bad and drop):
                rows.append(row)
        return rows, any_bad


def _decoded(text: str) -> Any:
    # Spark ignores what follows the first value, and accepts single quotes.
    for attempt in (text, _QUOTED.sub(_with_double_quotes, text)) if "'" in text else (text,):
        try:
            return _decoder.raw_decode(attempt)[0]
        except (ValueError, RecursionError):
            continue
    return None


def _with_double_quotes(found: re.Match[str]) -> str:
    return found[0] if found[1] is None else json.dumps(found[1].replace("\\'", "'"))


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _type_of(value: Any) -> Any:
    if value is None:
        return pa.null()
    if isinstance(value, bool):
        return pa.bool_()
    if isinstance(value, int):
        digits = len(str(abs(value)))
        if -(2**63) <= value < 2**63:
            return pa.int64()
        return pa.decimal128(digits, 0) if digits <= 38 else pa.float64()
    if isinstance(value, float):
        return pa.float64()
    if isinstance(value, list):
        total: Any = pa.null()
        for one in value:
            total = merged(total, _type_of(one))
        return pa.list_(total)
    if isinstance(value, dict):
        return pa.struct([pa.field(name, _type_of(one)) for name, one in value.items()])
    return pa.string()


def merged(left: Any, right: Any) -> Any:
    """Returns the type that holds the values of both; text if nothing else does."""
    left, right = _plain(left), _plain(right)
    if left == right or pa.types.is_null(right):
        return left
    if pa.types.is_null(left):
        return right
    if pa.types.is_struct(left) and pa.types.is_struct(right):
        fields = {field.name: field.type for field in left}
        for field in right:
            fields[field.name] = merged(fields.get(field.name, pa.null()), field.type)
        return pa.struct([pa.field(name, kind) for name, kind in fields.items()])
    if pa.types.is_list(left) and pa.types.is_list(right):
        return pa.list_(merged(left.value_type, right.value_type))
    kinds = {left, right}
    if all(map(_is_number, kinds)):
        if pa.float64() in kinds:
            return pa.float64()
        return pa.decimal128(max(20 if kind == pa.int64() else kind.precision for kind in kinds), 0)
    return pa.string()


def _is_number(kind: Any) -> bool:
    return bool(kind in (pa.int64(), pa.float64()) or pa.types.is_decimal(kind))


def _plain(kind: Any) -> Any:
    # pyarrow infers times from text; Spark does not.
    return pa.string() if pa.types.is_temporal(kind) else kind


def canonical(kind: Any) -> Any:
    """Returns a type as Spark ends an inference: fields by name, text for NULL only; None if it is empty."""
    kind = _plain(kind)
    if pa.types.is_null(kind):
        return pa.string()
    if pa.types.is_list(kind):
        inner = canonical(kind.value_type)
        return None if inner is None else pa.list_(inner)
    if pa.types.is_struct(kind):
        fields = {field.name: canonical(field.type) for field in kind}
        kept = [pa.field(name, fields[name]) for name in sorted(fields) if fields[name] is not None]
        return pa.struct(kept) if kept else None
    return kind


def _converted(value: Any, kind: Any) -> Any:
    """Returns a value as a type; raises ValueError if it is none."""
    if value is None:
        return None
    if pa.types.is_string(kind):
        return value.encode("utf-8", "replace").decode() if isinstance(value, str) else _text(value)
    if pa.types.is_boolean(kind) and isinstance(value, bool):
        return value
    if pa.types.is_integer(kind) and isinstance(value, int) and not isinstance(value, bool):
        limit = 2 ** (kind.bit_width - 1)
        if -limit <= value < limit:
            return value
    if pa.types.is_decimal(kind) and isinstance(value, int):
        from decimal import Decimal

        return Decimal(value)
    if pa.types.is_floating(kind) and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if pa.types.is_floating(kind) and isinstance(value, str) and value in _DOUBLES:
        return float(_DOUBLES[value])
    if pa.types.is_list(kind) and isinstance(value, list):
        return [_converted(one, kind.value_type) for one in value]
    if pa.types.is_map(kind) and isinstance(value, dict):
        return [(name, _converted(one, kind.item_type)) for name, one in value.items()]
    if pa.types.is_struct(kind) and isinstance(value, dict):
        return {field.name: _converted(value.get(field.name), field.type) for field in kind}
    raise ValueError


def _text(value: Any) -> str:
    if isinstance(value, _Real):
        return value.text
    if isinstance(value, dict):
        return (
            "{" + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{_inner(v)}" for k, v in value.items()) + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(map(_inner, value)) + "]"
    return json.dumps(value)


def _inner(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else _text(value)
