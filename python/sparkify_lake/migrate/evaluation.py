"""The values of expressions."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from sparkify_lake.migrate import library, sql
from sparkify_lake.migrate.columns import (
    apply_udf,
    changed_by,
    combined,
    compared,
    function_of,
    method_of,
    udf_of,
)
from sparkify_lake.migrate.frames import Frame, Grouped, Reader, Writer
from sparkify_lake.migrate.recording import without_userinfo
from sparkify_lake.migrate.spark import (
    FRAME_METHODS,
    frame_attribute,
    frame_item,
    frame_method,
    grouped_method,
    session_method,
)
from sparkify_lake.migrate.storage import Context, reader_method, writer_method
from sparkify_lake.migrate.values import (
    CHOICE,
    Bound,
    Class,
    Column,
    Condition,
    Dotted,
    Function,
    Scope,
    Session,
    Text,
    Udf,
    Unknown,
    Window,
    as_text,
    constant_of,
    symbol,
    text,
)

FUNCTIONS = "pyspark.sql.functions"
_SESSION_ATTRIBUTES = ("sql", "sparkContext", "conf", "udf", "createDataFrame", "catalog", "table")


class Evaluation(ABC):
    """The values of expressions; a subclass follows the functions of the script."""

    def __init__(self, context: Context) -> None:
        """Takes the state of the script."""
        self.context = context

    @abstractmethod
    def call_function(
        self, function: Function, arguments: Sequence[Any], keywords: dict[str, Any], line: int = 0
    ) -> Any:
        """Follows a function of the script."""

    @abstractmethod
    def create(self, kind: Class, arguments: Sequence[Any], keywords: dict[str, Any], line: int = 0) -> Any:
        """Creates an object of a class of the script."""

    @abstractmethod
    def keyed(self, name: str, value: Any, line: int) -> None:
        """Is called with each named value: an item of a dictionary or a keyword of a call."""

    @abstractmethod
    def seen(self, node: ast.expr, scope: Scope) -> None:
        """Is called with each attribute that is read."""

    def value(self, node: ast.expr | None, scope: Scope) -> Any:
        """Returns the value of an expression."""
        if node is None:
            return None
        found = getattr(self, f"_{type(node).__name__.lower()}", None)
        return found(node, scope) if found is not None else Unknown(type(node).__name__)

    # --- literals -----------------------------------------------------------------------------------------

    def _constant(self, node: ast.Constant, scope: Scope) -> Any:
        # Keys in a URL are reported by the interpreter, and are not a part of the location.
        return text(without_userinfo(node.value)[0]) if isinstance(node.value, str) else node.value

    def _joinedstr(self, node: ast.JoinedStr, scope: Scope) -> Text:
        result = Text()
        for part in node.values:
            inner = part.value if isinstance(part, ast.FormattedValue) else part
            found = library.text_of(self.value(inner, scope))
            result = result + found if result.pieces else found
        return result

    def _list(self, node: ast.List | ast.Tuple | ast.Set, scope: Scope) -> list[Any]:
        return list(self._elements(node.elts, scope))

    _tuple = _set = _list

    def _elements(self, nodes: Sequence[ast.expr], scope: Scope) -> Iterator[Any]:
        for node in nodes:
            found = self.value(node.value if isinstance(node, ast.Starred) else node, scope)
            if isinstance(node, ast.Starred) and isinstance(found, list | tuple | dict):
                yield from (map(text, found) if isinstance(found, dict) else found)
            else:
                yield found

    def _dict(self, node: ast.Dict, scope: Scope) -> dict[Any, Any]:
        result: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            found = self.value(value, scope)
            name = self.value(key, scope)
            if key is None and isinstance(found, dict):
                result |= found
            else:
                self.keyed(constant_of(name) or "", found, value.lineno)
                result[constant_of(name) if isinstance(name, Text) else str(name)] = found
        return result

    # --- names and operators ------------------------------------------------------------------------------

    def _name(self, node: ast.Name, scope: Scope) -> Any:
        around: Scope | None = scope
        while around is not None:
            if node.id in around.names:
                return around.names[node.id]
            if FUNCTIONS in around.stars and node.id.islower() and node.id not in ("print", "open", "str"):
                return Dotted(f"{FUNCTIONS}.{node.id}")
            if "pyspark.sql.types" in around.stars and node.id.endswith("Type"):
                return Dotted(f"pyspark.sql.types.{node.id}")
            around = around.outer
        return Dotted(node.id)

    def _attribute(self, node: ast.Attribute, scope: Scope) -> Any:
        self.seen(node, scope)
        return self.attribute(self.value(node.value, scope), node.attr)

    def attribute(self, owner: Any, name: str) -> Any:
        """Returns an attribute of a value."""
        if isinstance(owner, Scope):  # an object or a module of the script
            found = owner.find(name)
            if isinstance(found, Function) and name not in owner.names:
                return Function(found.node, found.scope, owner)
            return found if found is not None or name in owner.names else Unknown(name)
        if isinstance(owner, Frame):
            return frame_attribute(owner, name)
        if isinstance(owner, Session):
            return Reader() if name == "read" else Bound(owner, name)
        if isinstance(owner, Bound):
            if owner.name == "na":  # frame.na.drop() is frame.dropna()
                name = {"drop": "dropna", "fill": "fillna"}.get(name, name)
            return Bound(owner.receiver, name)
        if isinstance(owner, Column | Reader | Writer | Grouped | Window):
            return Bound(owner, name)
        if isinstance(owner, Dotted) and owner.name.endswith("SparkSession"):
            return Bound(Session(), name)
        if isinstance(owner, Dotted) and owner.name.endswith(".Window"):
            return Bound(Window(), name)
        is_symbol = isinstance(owner, Text) and owner.constant is None
        if isinstance(owner, Unknown) or is_symbol:
            if name == "read":
                return Reader()
            if name == "write":
                return Writer(None)
            if name in _SESSION_ATTRIBUTES:
                return Bound(Session(), name)
            if name in FRAME_METHODS and not hasattr(str, name):
                return Bound(Frame(), name)
        return library.attribute(owner, name)

    def _subscript(self, node: ast.Subscript, scope: Scope) -> Any:
        owner, key = self.value(node.value, scope), self.value(node.slice, scope)
        if isinstance(owner, Frame):
            return frame_item(owner, key, node.lineno)
        if isinstance(owner, Column):
            return replace(owner, origin="?")
        return library.item(owner, key)

    def _binop(self, node: ast.BinOp, scope: Scope) -> Any:
        return self.operated(self.value(node.left, scope), node.op, self.value(node.right, scope))

    def operated(self, left: Any, operator: ast.operator, right: Any) -> Any:
        """Returns the value of a binary operator."""
        if isinstance(left, Condition | Column) or isinstance(right, Condition | Column):
            if (
                isinstance(left, Condition)
                and isinstance(right, Condition)
                and isinstance(operator, ast.BitAnd)
            ):
                return left & right
            if isinstance(left, Condition) or isinstance(right, Condition):
                return Condition(has_more=True)
            columns = [one for one in (left, right) if isinstance(one, Column)]
            return changed_by(combined(columns), "an expression")
        if isinstance(left, list) and isinstance(right, list) and isinstance(operator, ast.Add):
            return [*left, *right]
        if isinstance(left, Text) and isinstance(operator, ast.Mod):
            return library.percent(left, right)
        if isinstance(left, Text) and isinstance(operator, ast.Div):
            return library.joined([left, library.text_of(right)])
        if isinstance(operator, ast.Add) and (isinstance(left, Text) or isinstance(right, Text)):
            return library.text_of(left) + library.text_of(right)
        return Unknown("an operator")

    def _boolop(self, node: ast.BoolOp, scope: Scope) -> Any:
        values = [self.value(one, scope) for one in node.values]
        if all(isinstance(one, Condition) for one in values):
            return Condition(has_more=True)
        result = values[0]
        for one in values[1:]:
            is_known = truth(result)
            if is_known is None:
                result = merged(result, one)
            elif is_known is isinstance(node.op, ast.And):
                result = one
        return result

    def _unaryop(self, node: ast.UnaryOp, scope: Scope) -> Any:
        found = self.value(node.operand, scope)
        if isinstance(found, Condition):
            return Condition(has_more=True)
        if isinstance(node.op, ast.Not):
            known = truth(found)
            return Unknown("not") if known is None else not known
        return -found if isinstance(node.op, ast.USub) and isinstance(found, int | float) else found

    def _compare(self, node: ast.Compare, scope: Scope) -> Any:
        left, right = self.value(node.left, scope), self.value(node.comparators[0], scope)
        operator = node.ops[0]
        if isinstance(left, Column) or isinstance(right, Column):
            sign = {ast.Eq: "==", ast.NotEq: "!="}.get(type(operator), "?")
            return compared(left, sign, right)
        if isinstance(operator, ast.Is | ast.IsNot) and (left is None or right is None):
            is_known = not isinstance(left, Unknown) and not isinstance(right, Unknown)
            return (left is right) is isinstance(operator, ast.Is) if is_known else Unknown()
        first, second = _plain(left), _plain(right)
        if first is not None and second is not None and isinstance(operator, ast.Eq | ast.NotEq):
            return (first == second) is isinstance(operator, ast.Eq)
        return Unknown("a comparison")

    def _ifexp(self, node: ast.IfExp, scope: Scope) -> Any:
        known = truth(self.value(node.test, scope))
        if known is None:
            return merged(self.value(node.body, scope), self.value(node.orelse, scope))
        return self.value(node.body if known else node.orelse, scope)

    def _lambda(self, node: ast.Lambda, scope: Scope) -> Function:
        return Function(node, scope)

    def _namedexpr(self, node: ast.NamedExpr, scope: Scope) -> Any:
        scope.names[node.target.id] = self.value(node.value, scope)
        return scope.names[node.target.id]

    def _listcomp(self, node: ast.ListComp | ast.GeneratorExp | ast.SetComp, scope: Scope) -> Any:
        first = node.generators[0]
        over = self.value(first.iter, scope)
        if len(node.generators) > 1 or first.ifs or not isinstance(over, list | tuple):
            return Unknown("a comprehension")
        result = []
        for one in over:
            inner = Scope(outer=scope)
            assign_names(first.target, one, inner)
            result.append(self.value(node.elt, inner))
        return result

    _generatorexp = _setcomp = _listcomp

    # --- calls --------------------------------------------------------------------------------------------

    def _call(self, node: ast.Call, scope: Scope) -> Any:
        function = self.value(node.func, scope)
        arguments = list(self._elements(node.args, scope))
        keywords: dict[str, Any] = {}
        for keyword in node.keywords:
            found = self.value(keyword.value, scope)
            if keyword.arg is not None:
                self.keyed(keyword.arg, found, keyword.value.lineno)
                keywords[keyword.arg] = found
            elif isinstance(found, dict):
                keywords |= {str(name): one for name, one in found.items()}
        # In a chain of calls over several lines, the line of the method.
        return self.called(function, arguments, keywords, node.func.end_lineno or node.lineno)

    def called(self, function: Any, arguments: list[Any], keywords: dict[str, Any], line: int) -> Any:
        """Returns the result of a call."""
        if isinstance(function, Function):
            return self.call_function(function, arguments, keywords, line)
        if isinstance(function, Class):
            return self.create(function, arguments, keywords, line)
        if isinstance(function, Udf):
            return apply_udf(function, arguments)
        if isinstance(function, Bound):
            return self._method(function, arguments, keywords, line)
        if isinstance(function, Dotted):
            return self._library(function.name, arguments, keywords)
        return Unknown("a call")

    def _method(self, bound: Bound, arguments: list[Any], keywords: dict[str, Any], line: int) -> Any:
        owner, name = bound.receiver, bound.name
        if isinstance(owner, Session):
            return session_method(self.context, name, arguments, keywords, line)
        if isinstance(owner, Reader):
            return reader_method(self.context, owner, name, arguments, keywords, line)
        if isinstance(owner, Writer):
            return writer_method(self.context, owner, name, arguments, keywords, line)
        if isinstance(owner, Frame):
            return frame_method(self.context, owner, name, arguments, keywords, line)
        if isinstance(owner, Grouped):
            return grouped_method(owner, name, arguments, line)
        if isinstance(owner, Column):
            return method_of(owner, name, arguments)
        if isinstance(owner, Window):
            return owner
        if isinstance(owner, Text):
            return library.text_method(owner, name, arguments, keywords)
        return library.method(owner, name, arguments, keywords)

    def _library(self, name: str, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        if name.startswith(f"{FUNCTIONS}."):
            return self._column_function(name.rpartition(".")[2], arguments, keywords)
        if name.endswith(".StructField") or name.endswith(".StructType"):
            # The name of a column, and the names of all columns.
            return arguments[0] if arguments else []
        if name.startswith("pyspark.sql.types."):
            return Dotted(name)
        if name.startswith(("pyspark", "awsglue")):
            return Window() if "indow" in name else Session()
        if name == "map" and len(arguments) == 2 and isinstance(arguments[1], list):
            return [self.called(arguments[0], [one], {}, 0) for one in arguments[1]]
        return library.call(name, arguments, keywords)

    def _column_function(self, name: str, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        given = [*arguments, *keywords.values()]
        if not given and name in ("expr", "udf", "pandas_udf", "broadcast"):
            return Unknown(name)
        if name in ("udf", "pandas_udf"):
            return udf_of(given[0] if given else None, given[1:])
        if name == "expr":
            try:
                columns = sql.column_of_text(constant_of(given[0]) or "")
            except sql.NotUnderstood:
                return Column("", "?")
            return columns[0] if len(columns) == 1 else Column("", "?")
        if name == "broadcast" and given:
            return given[0]
        return function_of(name, given) if given or name != "col" else Unknown()


def _plain(value: Any) -> Any:
    """Returns a known text, number or boolean as a value of Python; None if it is not known."""
    if isinstance(value, Text):
        return value.constant
    return value if isinstance(value, bool | int | float) else None


def truth(value: Any) -> bool | None:
    """Returns whether a condition holds; None if that is not known."""
    if value is None:
        return False
    if isinstance(value, list | dict):
        return bool(value)
    known = _plain(value)
    return None if known is None else bool(known)


def merged(first: Any, second: Any) -> Any:
    """Returns one of two values, of which only a run decides."""
    if first == second or second is None:
        return first
    if first is None or (isinstance(first, Unknown) and isinstance(second, Frame)):
        return second
    if any(isinstance(getattr(one, "receiver", one), Session) for one in (first, second)):
        return Session()
    one, other = as_text(first), as_text(second)
    if one is not None and other is not None:
        return _choice(one, other) if str(one) != str(other) else first
    return first if isinstance(first, Frame) and isinstance(second, Frame | Unknown) else Unknown("a choice")


def _choice(first: Text, second: Text) -> Text:
    """Returns the beginning that two texts share, and a choice of the rest."""
    pieces = []
    for one, other in zip(first.pieces, second.pieces, strict=False):
        if one != other:
            break
        pieces.append(one)
    rests = (Text(first.pieces[len(pieces) :]), Text(second.pieces[len(pieces) :]))
    choice = symbol(CHOICE.join(map(str, rests)), "choice")
    spans = tuple(span for span in first.spans if span.pieces <= len(pieces))
    return Text((*pieces, *choice.pieces), spans)


def assign_names(target: ast.expr, value: Any, scope: Scope) -> None:
    """Assigns a value to the names of a target; the elements of a list to those of a tuple."""
    if isinstance(target, ast.Name):
        owner = scope
        while target.id in owner.shared and owner.outer is not None:
            owner = owner.outer
        owner.names[target.id] = value
    elif isinstance(target, ast.Tuple | ast.List):
        is_list = isinstance(value, list | tuple) and len(value) == len(target.elts)
        values = value if is_list else [Unknown("an element")] * len(target.elts)
        for inner, one in zip(target.elts, values, strict=True):
            assign_names(inner, one, scope)
