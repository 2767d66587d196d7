"""What Sail understands differently from Spark, changed in each request before it is sent.

`to_timestamp` of a number means seconds in Spark and microseconds in Sail 0.7; `weekday` is -1 on Sundays; names
of views are compared with case; the name of a column keeps the case in which a query wrote the function.

Invariant: a request that was changed already is not changed again, because the client repeats requests.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import pyspark.sql.connect.proto as proto

# Text, quoted names and comments of SQL, which stay as they are, or a name.
_TOKEN = re.compile(
    r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`[^`]*`|--[^\n]*|/\*.*?\*/|(?P<name>[A-Za-z_][A-Za-z_0-9]*)|.""",
    re.S,
)
_BEFORE_VIEW = frozenset({"from", "join", "table", "describe", "desc"})


class Requests:
    """Changes the requests of one session."""

    def __init__(self, on_setting: Callable[[str, str], bool]) -> None:
        self._on_setting = on_setting
        self._views: dict[str, str] = {}

    def mend(self, request: Any) -> None:
        """Changes a request in place."""
        if isinstance(request, proto.ConfigRequest):
            operation = request.operation.set
            kept = [pair for pair in operation.pairs if not self._on_setting(pair.key, pair.value)]
            if len(kept) < len(operation.pairs):
                del operation.pairs[:]
                operation.pairs.extend(kept)
        elif isinstance(request, proto.ExecutePlanRequest | proto.AnalyzePlanRequest):
            self._walk(request)

    def _walk(self, message: Any) -> None:
        for field, value in message.ListFields():
            if field.message_type is None:
                continue
            if not field.is_repeated:
                self._visit(value)
            elif field.message_type.GetOptions().map_entry:
                if field.message_type.fields_by_name["value"].message_type is not None:
                    for one in value.values():
                        self._visit(one)
            else:
                for one in value:
                    self._visit(one)

    def _visit(self, message: Any) -> None:
        self._walk(message)
        if isinstance(message, proto.Expression):
            if message.HasField("unresolved_function"):
                _mend_function(message)
            elif message.HasField("expression_string"):
                text = message.expression_string
                text.expression = self._sql(text.expression)
        elif isinstance(message, proto.SQL):
            message.query = self._sql(message.query)
        elif isinstance(message, proto.SqlCommand):
            message.sql = self._sql(message.sql)
        elif isinstance(message, proto.CreateDataFrameViewCommand):
            self._views[message.name.lower()] = message.name
        elif isinstance(message, proto.Read.NamedTable):
            name = message.unparsed_identifier
            message.unparsed_identifier = self._views.get(name.lower(), name)

    def _sql(self, text: str) -> str:
        tokens = [(match[0], match["name"] is not None) for match in _TOKEN.finditer(text)]
        words = [number for number, (_, is_name) in enumerate(tokens) if is_name]
        previous = ""
        for number in words:
            word = tokens[number][0]
            following = next((one for one, _ in tokens[number + 1 :] if not one.isspace()), "")
            if following == "(" and word.lower() in _functions():
                tokens[number] = (word.lower(), True)
            elif previous in _BEFORE_VIEW and word.lower() in self._views:
                tokens[number] = (self._views[word.lower()], True)
                if previous in ("describe", "desc"):
                    tokens[number] = (f"TABLE {tokens[number][0]}", True)
            previous = word.lower()
        return _with_calls_replaced([token for token, _ in tokens])


@cache
def _functions() -> frozenset[str]:
    from pyspark.sql import functions

    return frozenset(name for name in vars(functions) if name.islower())


def _mend_function(message: Any) -> None:
    function = message.unresolved_function
    if function.function_name == "to_timestamp" and len(function.arguments) == 1:
        argument = proto.Expression()
        argument.CopyFrom(function.arguments[0])
        message.Clear()
        message.cast.expr.CopyFrom(argument)
        message.cast.type_str = "timestamp"
    elif function.function_name == "weekday":
        message.unresolved_function.function_name = "dayofweek"
        days = proto.Expression()
        days.CopyFrom(message)
        message.Clear()
        message.unresolved_function.function_name = "pmod"
        message.unresolved_function.arguments.extend([_plus_five(days), _number(7)])


def _plus_five(days: Any) -> Any:
    total = proto.Expression()
    total.unresolved_function.function_name = "+"
    total.unresolved_function.arguments.extend([days, _number(5)])
    return total


def _number(value: int) -> Any:
    number = proto.Expression()
    number.literal.integer = value
    return number


def _with_calls_replaced(tokens: list[str]) -> str:
    """Replaces to_timestamp(x) and weekday(x), which have one argument, from the inside out."""
    for start in range(len(tokens) - 1, -1, -1):
        name = tokens[start].lower()
        if name not in ("to_timestamp", "weekday"):
            continue
        opening = next((n for n in range(start + 1, len(tokens)) if not tokens[n].isspace()), len(tokens))
        end = _closing(tokens, opening)
        if end is None:
            continue
        argument = "".join(tokens[opening + 1 : end])
        if name == "to_timestamp":
            tokens[start : end + 1] = [f"CAST({argument} AS TIMESTAMP)"]
        else:
            tokens[start : end + 1] = [f"pmod(dayofweek({argument}) + 5, 7)"]
    return "".join(tokens)


def _closing(tokens: list[str], opening: int) -> int | None:
    """Returns the place of the bracket that closes a call with one argument."""
    depth = 0
    for number in range(opening, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[number], 0)
        if depth == 0:
            return number if number > opening else None
        if depth == 1 and tokens[number] == ",":
            return None
    return None
