"""Corrects each request before it is sent, where Sail understands something differently from Spark.

`to_timestamp` of a number means seconds in Spark and microseconds in Sail 0.7; `weekday` is -1 on Sundays;
some parts of dates and forms of functions are missing or have other types (`_FUNCTIONS`); names of views are
compared with case; the name of a column keeps the case in which a query wrote the function.

Invariant: a request that was changed already is not changed again, because the client repeats requests.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any

import pyspark.sql.connect.proto as proto

from sparkify_lake.session.refusal import not_covered

# Text, quoted names and comments of SQL, which do not change, or a name.
_TOKEN = re.compile(
    r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`[^`]*`|--[^\n]*|/\*.*?\*/|(?P<name>[A-Za-z_][A-Za-z_0-9]*)|.""",
    re.S,
)
_ML = ("pyspark.ml", "use scikit-learn with df.toPandas()")
_STREAM = ("df.writeStream", "read new files with spark.read, and write them with df.write.mode('append')")
_REFUSED = {"MlRelation": _ML, "MlCommand": _ML, "WriteStreamOperationStart": _STREAM}
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
        if (refused := _REFUSED.get(message.DESCRIPTOR.name)) is not None:
            raise not_covered(refused[0], hint=refused[1])
        names = _names(message)
        self._walk(message)
        for expression, name in names:
            if not expression.HasField("unresolved_function") or _name(expression) != name:
                made = _copy(expression)
                expression.Clear()
                expression.alias.expr.CopyFrom(made)
                expression.alias.name.append(name)
        if isinstance(message, proto.Expression):
            if message.HasField("unresolved_function"):
                _mend_function(message)
            elif message.HasField("unresolved_attribute"):
                if message.unresolved_attribute.unparsed_identifier.startswith("_metadata."):
                    raise not_covered("_metadata", hint=_NO_FILE_NAME)
            elif message.HasField("expression_string"):
                text = message.expression_string
                text.expression = self._sql(text.expression)
        elif isinstance(message, proto.SQL):
            message.query = self._sql(message.query)
        elif isinstance(message, proto.SqlCommand):
            message.sql = self._sql(message.sql)
        elif isinstance(message, proto.CreateDataFrameViewCommand):
            self._views[message.name.lower()] = message.name
        elif isinstance(message, proto.WriteOperation) and message.HasField("table"):
            self._views[message.table.table_name.lower()] = message.table.table_name
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


def _names(message: Any) -> list[tuple[Any, str]]:
    """The expressions that become columns, and the names that Spark gives to those that are changed."""
    columns: list[Any] = []
    if isinstance(message, proto.Project):
        columns = list(message.expressions)
    elif isinstance(message, proto.Aggregate):
        columns = list(message.aggregate_expressions)
    functions = [one for one in columns if one.unresolved_function.function_name in _NAMES]
    return [(one, name) for one in functions if (name := _name(one)) is not None]


def _name(expression: Any) -> str | None:
    """The name of a function of columns and literals."""
    kind = expression.WhichOneof("expr_type")
    if kind == "unresolved_attribute":
        return str(expression.unresolved_attribute.unparsed_identifier)
    if kind == "literal":
        literal = expression.literal
        return str(getattr(literal, literal.WhichOneof("literal_type")))
    if kind != "unresolved_function":
        return None
    function = expression.unresolved_function
    names = [_name(argument) for argument in function.arguments]
    if None in names or not function.function_name.isidentifier():
        return None
    return f"{function.function_name}({', '.join(name for name in names if name)})"


def _expression(value: Any) -> Any:
    """A function, a literal, or another expression, unchanged."""
    if isinstance(value, proto.Expression):
        return value
    made = proto.Expression()
    if isinstance(value, tuple):
        made.unresolved_function.function_name = value[0]
        made.unresolved_function.arguments.extend(_expression(one) for one in value[1:])
    elif isinstance(value, bool):
        made.literal.boolean = value
    else:
        made.literal.integer = value
    return made


def _cast(value: Any, to: str) -> Any:
    made = proto.Expression()
    made.cast.expr.CopyFrom(_expression(value))
    made.cast.type_str = to
    return made


def _copy(value: Any) -> Any:
    made = proto.Expression()
    made.CopyFrom(value)
    return made


def _quantile(values: Any, share: Any, accuracy: Any = None) -> Any:
    """The smallest value that enough rows do not exceed; Sail interpolates between whole numbers."""
    function = share.unresolved_function
    if function.function_name == "array":
        return _expression(("array", *[_quantile(values, one) for one in function.arguments]))
    place = ("greatest", ("ceil", ("*", ("count", values), share)), 1)
    return _expression(("try_element_at", ("array_sort", ("collect_list", values)), _cast(place, "int")))


# Functions by name and number of arguments: as expressions, and as SQL.
_FUNCTIONS: dict[tuple[str, int], tuple[Callable[..., Any], str]] = {
    ("to_timestamp", 1): (lambda x: _cast(x, "timestamp"), "CAST({0} AS TIMESTAMP)"),
    ("timestamp", 1): (lambda x: _cast(x, "timestamp"), "CAST({0} AS TIMESTAMP)"),
    ("timestamp_seconds", 1): (lambda x: _cast(x, "timestamp"), "CAST({0} AS TIMESTAMP)"),
    ("weekday", 1): (
        lambda x: _expression(("pmod", ("+", ("dayofweek", x), 5), 7)),
        "pmod(dayofweek({0}) + 5, 7)",
    ),
    ("isnan", 1): (lambda x: _expression(("coalesce", ("isnan", x), False)), "coalesce(isnan({0}), false)"),
    ("log", 1): (lambda x: _expression(("ln", x)), "ln({0})"),
    ("datediff", 2): (lambda x, y: _cast(("datediff", x, y), "int"), "CAST(datediff({0}, {1}) AS INT)"),
    ("date_diff", 2): (lambda x, y: _cast(("datediff", x, y), "int"), "CAST(datediff({0}, {1}) AS INT)"),
}
# Parts of a date that `extract` and `date_part` of Sail do not know.
_PARTS = {
    "dayofweek": "dayofweek({})",
    "dow": "dayofweek({})",
    "dayofweek_iso": "(pmod(dayofweek({}) + 5, 7) + 1)",
    "dow_iso": "(pmod(dayofweek({}) + 5, 7) + 1)",
    "doy": "dayofyear({})",
    "yearofweek": "year(date_add(trunc({}, 'week'), 3))",
}
_MISSING = ("input_file_name", "input_file_block_start", "input_file_block_length")
_PLACE = "CAST(greatest(ceil(count({0}) * {1}), 1) AS INT)"
for _alias in ("percentile_approx", "approx_percentile"):
    _FUNCTIONS |= {
        (_alias, number): (_quantile, f"try_element_at(array_sort(collect_list({{0}})), {_PLACE})")
        for number in (2, 3)
    }
_NAMES = frozenset({name for name, _ in _FUNCTIONS} | {"extract", "date_part", *_MISSING})
_NO_FILE_NAME = "read the files one by one, and add the name with withColumn(…, lit(name))"


def _mend_function(message: Any) -> None:
    function = message.unresolved_function
    if function.function_name in _MISSING:
        raise not_covered(function.function_name, hint=_NO_FILE_NAME)
    mended = _FUNCTIONS.get((function.function_name, len(function.arguments)))
    if mended is not None:
        message.CopyFrom(mended[0](*[_copy(argument) for argument in function.arguments]))


def _with_calls_replaced(tokens: list[str]) -> str:
    """Replaces calls of functions, from the inside out."""
    for start in range(len(tokens) - 1, -1, -1):
        name = tokens[start].lower()
        opening = next((n for n in range(start + 1, len(tokens)) if not tokens[n].isspace()), len(tokens))
        if name not in _NAMES or tokens[opening : opening + 1] != ["("]:
            continue
        if name in _MISSING:
            raise not_covered(name, hint=_NO_FILE_NAME)
        end, commas = _closing(tokens, opening)
        if end is None:
            continue
        inside = "".join(tokens[opening + 1 : end])
        if (mended := _FUNCTIONS.get((name, len(commas) + 1))) is not None:
            limits = [opening, *commas, end]
            arguments = ["".join(tokens[one + 1 : other]).strip() for one, other in pairwise(limits)]
            tokens[start : end + 1] = [mended[1].format(*arguments)]
        elif (part := _PART.fullmatch(inside)) and (template := _PARTS.get(part[1].lower())):
            tokens[start : end + 1] = [template.format(part[2])]
    return "".join(tokens)


_PART = re.compile(r"\s*'?(\w+)'?\s*(?:,|\bfrom\b)(.*)", re.I | re.S)


def _closing(tokens: list[str], opening: int) -> tuple[int | None, list[int]]:
    """Returns the place of the bracket that closes a call, and those of the commas between its arguments."""
    depth = 0
    commas: list[int] = []
    for number in range(opening, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[number], 0)
        if depth == 0:
            return (number if number > opening else None), commas
        if depth == 1 and tokens[number] == ",":
            commas.append(number)
    return None, commas
