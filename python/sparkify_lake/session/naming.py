"""What Spark calls a column that nobody has named: `count(1)`, `sum(length)`, `hour(start_time)`."""

from __future__ import annotations

from sqlglot import exp

_NAMES = {
    "dayofmonth": "dayofmonth", "day_of_month": "dayofmonth", "day_of_week": "dayofweek",
    "day_of_year": "dayofyear", "week_of_year": "weekofyear", "approx_distinct": "approx_count_distinct",
    "stddev_samp": "stddev_samp", "stddev": "stddev", "array_agg": "collect_list",
}  # fmt: skip


def spark_name(node: exp.Expression) -> str:
    """Returns the name that Spark gives to an expression."""
    node = node.unnest() if isinstance(node, exp.Paren) else node
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
        # Spark leaves casts of a plain column out, and writes the others.
        inner = spark_name(node.this)
        kind = node.to.sql(dialect="spark").upper()
        return inner if isinstance(node.this, exp.Column) else f"CAST({inner} AS {kind})"
    if isinstance(node, exp.Binary):
        signs = {exp.EQ: "=", exp.NEQ: "=", exp.And: "AND", exp.Or: "OR", exp.Mod: "%"}
        sign = signs.get(type(node)) or {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/",
                                         exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<="}.get(type(node))
        if sign:
            text = f"({spark_name(node.left)} {sign} {spark_name(node.right)})"
            return f"(NOT {text})" if isinstance(node, exp.NEQ) else text
    if isinstance(node, exp.Anonymous):
        name = node.meta.get("spark_name") or node.name.lower()
        return f"{name}({', '.join(map(spark_name, node.expressions))})"
    if isinstance(node, exp.Func):
        key = node.sql_name().lower()
        arguments = [value for value in node.args.values() if isinstance(value, exp.Expression)]
        for value in node.args.values():
            if isinstance(value, list):
                arguments += [item for item in value if isinstance(item, exp.Expression)]
        return f"{_NAMES.get(key, key)}({', '.join(map(spark_name, arguments))})"
    return str(node.sql(dialect="spark"))
