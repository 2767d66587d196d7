"""What Spark calls a column that nobody has named: `count(1)`, `sum(length)`, `hour(start_time)`."""

from __future__ import annotations

from sqlglot import exp

_NAMES = {
    "day_of_month": "dayofmonth", "day_of_year": "dayofyear", "week_of_year": "weekofyear",
    "approx_distinct": "approx_count_distinct", "array_agg": "collect_list",
}  # fmt: skip
_SIGNS: dict[type[exp.Expr], str] = {
    exp.EQ: "=", exp.NEQ: "=", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<=",
    exp.And: "AND", exp.Or: "OR", exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%",
}  # fmt: skip


def column_name(node: exp.Expr) -> str:
    """Returns the name of the column that an expression makes; a cast column keeps its name."""
    if isinstance(node, exp.Cast) and isinstance(node.this, exp.Column | exp.Cast):
        return column_name(node.this)
    return spark_name(node)


def spark_name(node: exp.Expr) -> str:
    """Returns an expression as Spark writes it."""
    while isinstance(node, exp.Paren | exp.TsOrDsToDate | exp.TimeStrToTime):
        node = node.this
    if isinstance(node, exp.Alias):
        return str(node.alias)
    if isinstance(node, exp.Column | exp.Identifier):
        return str(node.meta.get("display_name") or node.name)
    if isinstance(node, exp.Star):
        return "1"
    if isinstance(node, exp.Null):
        return "NULL"
    if isinstance(node, exp.Literal):
        return str(node.this)
    if isinstance(node, exp.Distinct):
        return "DISTINCT " + ", ".join(map(spark_name, node.expressions))
    if isinstance(node, exp.Cast):
        kind = "TIMESTAMP" if node.to.is_type("timestamptz", "timestampltz") else node.to.sql(dialect="spark")
        return f"CAST({spark_name(node.this)} AS {kind.upper()})"
    if isinstance(node, exp.Is):
        return f"({spark_name(node.this)} IS {spark_name(node.expression)})"
    if isinstance(node, exp.Binary) and type(node) in _SIGNS:
        text = f"({spark_name(node.left)} {_SIGNS[type(node)]} {spark_name(node.right)})"
        return f"(NOT {text})" if isinstance(node, exp.NEQ) else text
    if isinstance(node, exp.Anonymous) and node.name.upper() in ("ISNULL", "ISNOTNULL"):
        return f"({spark_name(node.expressions[0])} IS {'NOT ' * (len(node.name) > 6)}NULL)"
    if isinstance(node, exp.Anonymous):
        name = node.meta.get("spark_name") or node.name.lower()
        return f"{name}({', '.join(map(spark_name, node.expressions))})"
    if isinstance(node, exp.Func):
        key = node.sql_name().lower()
        arguments = [value for value in node.args.values() if isinstance(value, exp.Expr)]
        for value in node.args.values():
            if isinstance(value, list):
                arguments += [item for item in value if isinstance(item, exp.Expr)]
        return f"{_NAMES.get(key, key)}({', '.join(map(spark_name, arguments))})"
    return str(node.sql(dialect="spark"))
