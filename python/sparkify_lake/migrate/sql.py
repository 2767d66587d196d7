"""SQL texts as frames: the columns of a query, its joins and its filters.

The texts are parsed by sqlglot. Temporary views are the frames that the script registered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sparkify_lake.migrate.columns import changed_by, combined, equal, function_of, of_format, part_of_time
from sparkify_lake.migrate.frames import Frame
from sparkify_lake.migrate.values import Column, Condition, text

if TYPE_CHECKING:
    from sqlglot import exp


class NotUnderstood(Exception):
    """A query that cannot be parsed, or that is not a SELECT."""


def frame_of_query(query: str, views: Mapping[str, Frame], line: int) -> Frame:
    """Returns the frame that a query selects.

    Args:
        query: The SQL text.
        views: The temporary views, by name in lower case.
        line: The line of the call, for notes.

    Raises:
        NotUnderstood: If it cannot be parsed, or is not a SELECT.
    """
    from sqlglot import exp

    parsed = _parsed(query)
    if not isinstance(parsed, exp.Query):
        raise NotUnderstood
    return _frame(parsed, views, line)


def column_of_text(expression: str) -> list[Column]:
    """Returns the columns of a SQL expression, as `selectExpr` takes it; `*` has the name `*`."""
    from sqlglot import exp

    parsed = _parsed(f"SELECT {expression}")
    return [_column(one) for one in parsed.selects] if isinstance(parsed, exp.Select) else []


def condition_of_text(condition: str) -> Condition:
    """Returns the condition of a SQL text, as `where` takes it."""
    from sqlglot import exp

    parsed = _parsed(f"SELECT * FROM t WHERE {condition}")
    where = parsed.args.get("where") if isinstance(parsed, exp.Select) else None
    return _condition(where.this) if where is not None else Condition(has_more=True)


def _parsed(query: str) -> exp.Expr:
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        return sqlglot.parse_one(query, read="spark")
    except (SqlglotError, RecursionError):
        raise NotUnderstood from None


def _frame(query: exp.Query, views: Mapping[str, Frame], line: int) -> Frame:
    from sqlglot import exp

    local = dict(views)
    for common in query.ctes:
        local[common.alias.lower()] = _frame(common.this, local, line)
    if isinstance(query, exp.SetOperation):
        left = _frame(query.left, local, line)
        return left.with_step("union", line)
    if isinstance(query, exp.Subquery):
        return _frame(query.this, local, line)
    if not isinstance(query, exp.Select):
        raise NotUnderstood
    where = query.args.get("where")
    condition = _condition(where.this) if where is not None else Condition()
    frame = _sources(query, local, line, condition)
    frame = frame.filtered(replace(condition, pairs=()), line)
    columns = [_column(one) for one in query.selects]
    keys = _keys(query, frame, columns)
    frame = replace(frame.selected(columns), aliases={})
    if keys or query.args.get("distinct") is not None:
        frame = replace(frame, distinct=keys)
    for key, step in (("limit", "limit"), ("having", "filter"), ("qualify", "filter")):
        if query.args.get(key) is not None:
            frame = frame.with_step(step, line)
    return frame


def _keys(query: exp.Select, frame: Frame, columns: Sequence[Column]) -> tuple[str, ...]:
    """Returns the origins of the keys of GROUP BY: columns, their new names, or their numbers."""
    from sqlglot import exp

    group = query.args.get("group")
    by_name = {column.name.lower(): column for column in columns}
    keys = []
    for one in group.expressions if group is not None else ():
        number = int(one.name) - 1 if isinstance(one, exp.Literal) and one.name.isdigit() else -1
        key = columns[number] if 0 <= number < len(columns) else _value(one)
        known = frame.resolved(key)
        renamed = by_name.get(key.name.lower())
        keys.append(frame.resolved(renamed).origin if known.origin == "?" and renamed else known.origin)
    return tuple(keys)


def _sources(query: exp.Select, views: Mapping[str, Frame], line: int, where: Condition) -> Frame:
    """Returns the join of everything after FROM."""
    source = query.args.get("from_") or query.args.get("from")
    if source is None:
        raise NotUnderstood
    frame = _table(source.this, views, line)
    for join in query.args.get("joins") or ():
        other = _table(join.this, views, line)
        on = join.args.get("on")
        condition = _condition(on) if on is not None else Condition()
        for name in join.args.get("using") or ():
            condition &= Condition(pairs=((Column(name.name), Column(name.name)),))
        if on is None and not join.args.get("using"):
            condition = Condition(pairs=where.pairs)  # FROM a, b WHERE a.x = b.y
        frame = frame.joined(other, condition, (join.side or join.kind or "inner").lower(), line)
    return frame


def _table(source: exp.Expr, views: Mapping[str, Frame], line: int) -> Frame:
    from sqlglot import exp

    if isinstance(source, exp.Subquery):
        frame = _frame(source.this, views, line)
    else:
        frame = views.get(source.name.lower(), Frame()) if isinstance(source, exp.Table) else Frame()
    return frame.named(source.alias_or_name)


def _column(node: exp.Expr) -> Column:
    """Returns a projection as a column with its name."""
    from sqlglot import exp

    if isinstance(node, exp.Star) or (isinstance(node, exp.Column) and isinstance(node.this, exp.Star)):
        return Column("*")
    if isinstance(node, exp.Alias):
        inner = _value(node.this)
        return replace(inner, name=node.alias, ref=inner.ref if inner.origin else inner.looked_up)
    value = _value(node)
    if isinstance(node, exp.Column):
        return value
    name = node.sql("spark").lower()
    return replace(value, name=name, ref=value.ref if value.origin else value.looked_up)


def _value(node: exp.Expr) -> Column:
    """Returns what an expression holds."""
    from sqlglot import exp

    if isinstance(node, exp.Column):
        return Column(node.name, ref=f"{node.table}.{node.name}" if node.table else "")
    if isinstance(node, exp.Literal | exp.Null | exp.Boolean):
        return Column("", "literal")
    if isinstance(node, exp.Paren | exp.Ordered | exp.Distinct):
        return _value(node.this) if isinstance(node.this, exp.Expr) else Column("", "?")
    if isinstance(node, exp.Window):
        return _value(node.this)
    if isinstance(node, exp.Cast):
        kind = node.to.sql("spark").lower()
        inner = _value(node.this)
        if kind == "date":
            return part_of_time(inner, "date")
        if "timestamp" in kind:
            return replace(inner, is_time=True, is_text=False)
        return replace(inner, is_text=inner.is_text and "string" in kind)
    if isinstance(node, exp.TimeToStr):
        pattern = node.args["format"].name.replace("strict", "")
        return of_format(_value(node.this), _PATTERNS.get(pattern, pattern))
    if isinstance(node, exp.Extract):
        return _typed(function_of("extract", [text(node.this.name), _value(node.expression)]))
    if isinstance(node, exp.Func):
        name = node.name if isinstance(node, exp.Anonymous) else node.sql_name()
        arguments: list[Any] = [
            text(one.name) if isinstance(one, exp.Literal) and one.is_string else _value(one)
            for one in _arguments(node)
        ]
        return _typed(function_of(_PLAIN.get(name, name), arguments))
    return changed_by(combined(map(_value, _arguments(node))), "an expression")


# The functions that sqlglot renames.
_PLAIN = {
    "UNIX_TO_TIME": "totimestamp", "TS_OR_DS_TO_DATE": "todate", "TIMESTAMP_TRUNC": "totimestamp",
    "UNIX_TO_STR": "fromunixtime", "STR_TO_TIME": "totimestamp", "TIME_STR_TO_TIME": "totimestamp",
    "TS_OR_DS_TO_TIMESTAMP": "totimestamp",
}  # fmt: skip
# The patterns of Spark for the formats into which sqlglot converts them.
_PATTERNS = {
    "%a": "E", "%A": "EEEE", "%H": "HH", "%-H": "H", "%d": "dd", "%-d": "d", "%m": "MM", "%-m": "M",
    "%b": "MMM", "%B": "MMMM", "%Y": "yyyy", "%y": "yy",
}  # fmt: skip


def _arguments(node: exp.Expr) -> list[exp.Expr]:
    from sqlglot import exp

    return [
        inner
        for value in node.args.values()
        for inner in (value if isinstance(value, list) else [value])
        if isinstance(inner, exp.Expr) and not isinstance(inner, exp.DataType | exp.Var)
    ]


def _typed(value: Any) -> Column:
    return value if isinstance(value, Column) else Column("", "?")


def _of_subquery(left: exp.Expr, right: exp.Expr) -> Condition:
    """Returns the condition that a column equals a subquery: with MAX it selects rows, as a window does."""
    from sqlglot import exp

    selected = [one for side in (left, right) if isinstance(side, exp.Subquery) for one in side.selects]
    is_last = len(selected) == 1 and isinstance(selected[0].unalias(), exp.Max | exp.Min)
    return Condition(constants=((Column("", "id"), "1"),)) if is_last else Condition(has_more=True)


def _condition(node: exp.Expr) -> Condition:
    from sqlglot import exp

    if isinstance(node, exp.Paren):
        return _condition(node.this)
    if isinstance(node, exp.And):
        return _condition(node.left) & _condition(node.right)
    if isinstance(node, exp.EQ):
        left, right = node.left, node.right
        if isinstance(left, exp.Literal):
            left, right = right, left
        if isinstance(right, exp.Literal):
            return Condition(constants=((_value(left), right.name),))
        if isinstance(left, exp.Subquery | exp.Select) or isinstance(right, exp.Subquery | exp.Select):
            return _of_subquery(left, right)
        return equal(_value(left), _value(right))
    if isinstance(node, exp.NEQ) and isinstance(node.right, exp.Literal) and not node.right.name:
        return Condition(not_null=(_value(node.left),))  # an empty userId is left out, as NULL is
    is_null = node.this if isinstance(node, exp.Not) else None
    if isinstance(is_null, exp.Is) and isinstance(is_null.expression, exp.Null):
        return Condition(not_null=(_value(is_null.this),))
    return Condition(has_more=True)
