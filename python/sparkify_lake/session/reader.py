"""`spark.read`: JSON as Spark infers it, and Parquet with the partitions that folders name.

JSON is read line by line into typed columns once; Parquet stays where it is, behind a view. Neither guesses
dates in text.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from sparkify_lake.errors import DataRefusedError
from sparkify_lake.session import types as T
from sparkify_lake.session.kinds import cast_to, duckdb_type, literal, quoted, schema_of, type_name
from sparkify_lake.session.paths import Found, find
from sparkify_lake.session.refusal import not_covered

if TYPE_CHECKING:
    from sparkify_lake.session.engine import Engine
    from sparkify_lake.session.frame import Frame

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]

_OPTIONS = (
    "recursivefilelookup",
    "mode",
    "multiline",
    "mergeschema",
    "inferschema",
    "columnnameofcorruptrecord",
)
_MODES = ("PERMISSIVE", "DROPMALFORMED", "FAILFAST")


class Reader:
    """What `spark.read` returns."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._format = "parquet"
        self._schema: T.StructType | None = None
        self._options: dict[str, str] = {}

    def format(self, source: str) -> Reader:
        """Names the format for `load`: json or parquet."""
        if source.lower() not in ("json", "parquet"):
            raise not_covered(f"spark.read.format({source!r})", hint="read json or parquet, or use Polars")
        self._format = source.lower()
        return self

    def schema(self, schema: T.StructType | str) -> Reader:
        """Takes the columns and their types, so that none are inferred."""
        self._schema = schema_of(schema)
        return self

    def option(self, key: str, value: Any) -> Reader:
        """Takes an option; one that is not covered is refused by name."""
        if key.lower() not in _OPTIONS:
            raise not_covered(f"spark.read.option({key!r})", hint=f"covered are {', '.join(_OPTIONS)}")
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if key.lower() == "mode" and text.upper() not in _MODES:
            raise not_covered(f"spark.read.option('mode', {text!r})", hint=f"one of {', '.join(_MODES)}")
        self._options[key.lower()] = text
        return self

    def options(self, **options: Any) -> Reader:
        """Takes several options."""
        for key, value in options.items():
            self.option(key, value)
        return self

    def table(self, tableName: str) -> Frame:  # Spark's name
        """Returns a temporary view as a frame."""
        return self._engine.table(tableName)

    def load(
        self,
        path: Paths | None = None,
        format: str | None = None,
        schema: T.StructType | str | None = None,
        **options: Any,
    ) -> Frame:
        """Reads in the format that was named."""
        if format is not None:
            self.format(format)
        if path is None:
            raise not_covered("spark.read.load() without a path", hint="name the path")
        if self._format == "json":
            return self.json(path, schema=schema, **options)
        if schema is not None:
            self.schema(schema)
        return self.options(**options).parquet(*([path] if isinstance(path, str | os.PathLike) else path))

    def json(self, path: Paths, schema: T.StructType | str | None = None, **options: Any) -> Frame:
        """Reads JSON lines, or with `multiLine` one value a file."""
        self.options(**{name: value for name, value in options.items() if value is not None})
        if schema is not None:
            self.schema(schema)
        paths = [path] if isinstance(path, str | os.PathLike) else list(path)
        found = find("spark.read.json", paths, recursive=self._is_on("recursivefilelookup"))
        return _Json(self._engine, found, self._options).read(self._schema)

    def parquet(self, *paths: str | os.PathLike[str], **options: Any) -> Frame:
        """Reads Parquet files, with the partition columns that their folders name."""
        self.options(**options)
        found = find("spark.read.parquet", paths, recursive=self._is_on("recursivefilelookup"))
        return _parquet(self._engine, found, self._schema)

    def _is_on(self, option: str) -> bool:
        return self._options.get(option) == "true"

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(f"'DataFrameReader' object has no attribute {name!r}")
        raise not_covered(
            f"spark.read.{name}", hint="read json or parquet; Polars reads the rest: pl.read_csv(…)"
        )


class _Json:
    """One reading of JSON: the lines in a table of text, then as typed columns."""

    def __init__(self, engine: Engine, found: Found, options: Mapping[str, str]) -> None:
        self._engine = engine
        self._found = found
        self._mode = options.get("mode", "PERMISSIVE").upper()
        self._corrupt = options.get("columnnameofcorruptrecord", "_corrupt_record")
        self._is_whole = options.get("multiline") == "true"
        self._lines = engine.new_name("lines")

    def read(self, schema: T.StructType | None) -> Frame:
        """Returns the frame."""
        self._load()
        try:
            return self._typed(schema)
        finally:
            self._engine.run(f"DROP TABLE {self._lines}")

    def _load(self) -> None:
        files = "[" + ", ".join(map(literal, self._found.files)) + "]"
        if self._is_whole:
            text = f"SELECT content AS line, filename FROM read_text({files})"
        else:
            # No JSON holds a raw control character, so this delimiter splits no line.
            text = (
                f"SELECT line, filename FROM read_csv({files}, auto_detect = false, header = false, "
                "delim = '\x01', quote = '', escape = '', columns = {'line': 'VARCHAR'}, filename = true, "
                "max_line_size = 67108864, strict_mode = false, null_padding = true)"
            )
        # An array stands for the rows in it.
        self._engine.run(f"""
            CREATE TEMP TABLE {self._lines} AS
            WITH texts AS ({text}),
            lines AS (
                SELECT line, filename, CASE WHEN json_valid(line) THEN json_type(line) ELSE '' END AS kind
                FROM texts WHERE trim(line) <> ''
            )
            SELECT line, filename, kind = 'OBJECT' AS is_record FROM lines WHERE kind <> 'ARRAY'
            UNION ALL
            SELECT CAST(item AS VARCHAR), filename, json_type(item) = 'OBJECT'
            FROM (
                SELECT unnest(from_json(CASE WHEN kind = 'ARRAY' THEN line END, '["JSON"]')) AS item, filename
                FROM lines WHERE kind = 'ARRAY'
            )""")
        if self._mode != "PERMISSIVE":
            self._refuse_or_drop()

    def _refuse_or_drop(self) -> None:
        if self._mode == "DROPMALFORMED":
            self._engine.run(f"DELETE FROM {self._lines} WHERE NOT is_record")
            return
        bad = self._engine.rows(f"SELECT filename FROM {self._lines} WHERE NOT is_record LIMIT 1")
        if bad:
            raise DataRefusedError(
                "spark.read.json met a line that is no JSON object",
                cause=f"mode is FAILFAST, and the line is in {bad[0][0]}",
                hint="read with mode PERMISSIVE, which keeps it in _corrupt_record",
            )

    def _typed(self, schema: T.StructType | None) -> Frame:
        columns: dict[str, str]
        if schema is None:
            structure = self._structure()
            columns = {name: self._extracted(name, kind) for name, kind in structure.items()}
            bad = self._engine.rows(f"SELECT count(*) FROM {self._lines} WHERE NOT is_record")[0][0]
            if bad:
                columns[self._corrupt] = "CASE WHEN NOT is_record THEN line END"
            columns = dict(sorted(columns.items()))
        else:
            columns = {one.name: self._checked(one.name, one.dataType) for one in schema}
        partitions = self._found.types
        listed = [f"{text} AS {quoted(name)}" for name, text in columns.items() if name not in partitions]
        listed += [f"p.{quoted(name)}" for name in partitions]
        if not listed:
            raise DataRefusedError(
                "spark.read.json found no column", cause="no file holds a record", hint="give a schema"
            )
        name = self._engine.new_name("json")
        source = f"(SELECT *, CASE WHEN is_record THEN line END AS record FROM {self._lines}) AS l"
        if partitions:
            source += f" JOIN {partition_values(self._found)} AS p ON l.filename = p.file"
        self._engine.run(f"CREATE TEMP TABLE {name} AS SELECT {', '.join(listed)} FROM {source}")
        return self._engine.frame_of(name)

    def _structure(self) -> dict[str, Any]:
        import json

        found = self._engine.rows(
            f"SELECT json_group_structure(CAST(line AS JSON)) FROM {self._lines} WHERE is_record"
        )
        merged = json.loads(found[0][0]) if found and found[0][0] else {}
        return merged if isinstance(merged, dict) else {}

    def _extracted(self, name: str, structure: Any) -> str:
        """Returns the expression for a column of an inferred type; every value fits by then."""
        kind = _inferred(structure)
        path = literal(f'$."{name}"')
        if kind == "VARCHAR":
            return f"json_extract_string(record, {path})"
        if "STRUCT" in kind or kind.endswith("[]"):
            return f"from_json(json_extract(record, {path}), {literal(_transformation(structure))})"
        return f"CAST(json_extract_string(record, {path}) AS {kind})"

    def _checked(self, name: str, kind: T.DataType) -> str:
        """Returns the expression for a column of a given type; a value that does not fit is NULL."""
        if name == self._corrupt:
            return "CASE WHEN NOT is_record THEN line END"
        path, asked = literal(f'$."{name}"'), duckdb_type(kind)
        text, seen = f"json_extract_string(record, {path})", f"json_type(record, {path})"
        word = type_name(kind)
        if word == "string":
            value = text
        elif word in ("byte", "short", "integer", "long"):
            value = f"CASE WHEN {seen} IN ('BIGINT', 'UBIGINT') THEN TRY_CAST({text} AS {asked}) END"
        elif word in ("float", "double"):
            value = (
                f"CASE WHEN {seen} IN ('BIGINT', 'UBIGINT', 'DOUBLE') THEN TRY_CAST({text} AS {asked}) END"
            )
        elif word == "boolean":
            value = f"CASE WHEN {seen} = 'BOOLEAN' THEN {text} = 'true' END"
        elif word == "timestamp":
            value = (
                f"CASE WHEN {seen} IN ('BIGINT', 'UBIGINT') THEN make_timestamptz({text}::BIGINT * 1000000) "
                f"ELSE TRY_CAST({text} AS TIMESTAMPTZ) END"
            )
        elif word == "date" or word.startswith("decimal"):
            value = f"TRY_CAST({text} AS {asked})"
        else:
            shape = literal(_shape(kind))
            value = f"from_json(json_extract(record, {path}), {shape})"
        return value


def _inferred(structure: Any) -> str:
    """Returns the type for a part of DuckDB's structure of JSON: integers are 64 bits, mixtures are text."""
    if isinstance(structure, dict):
        if not structure:
            return "VARCHAR"
        return (
            f"STRUCT({', '.join(f'{quoted(key)} {_inferred(structure[key])}' for key in sorted(structure))})"
        )
    if isinstance(structure, list):
        return f"{_inferred(structure[0])}[]"
    kinds = {"UBIGINT": "BIGINT", "HUGEINT": "DOUBLE"}
    kept = ("BIGINT", "DOUBLE", "BOOLEAN")
    return kinds.get(structure, structure if structure in kept else "VARCHAR")


def _transformation(structure: Any) -> str:
    """Returns the same as a structure for `from_json`."""
    import json

    def part(one: Any) -> Any:
        if isinstance(one, dict) and one:
            return {key: part(one[key]) for key in sorted(one)}
        return [part(one[0])] if isinstance(one, list) else _inferred(one)

    return json.dumps(part(structure))


def _shape(kind: T.DataType) -> str:
    import json

    def part(one: T.DataType) -> Any:
        if isinstance(one, T.StructType):
            return {field.name: part(field.dataType) for field in one}
        return [part(one.elementType)] if isinstance(one, T.ArrayType) else duckdb_type(one)

    return json.dumps(part(kind))


def _parquet(engine: Engine, found: Found, schema: T.StructType | None) -> Frame:
    files = "[" + ", ".join(map(literal, found.files)) + "]"
    scan = f"read_parquet({files}, hive_partitioning = false, union_by_name = true, filename = 'file')"
    seen = {name: kind for name, kind in engine.described(f"SELECT * FROM {scan}") if name != "file"}
    names = [*seen, *(name for name in found.types if name not in seen)]
    columns = {}
    for name in names:
        column = f"{'p' if name in found.types else 'f'}.{quoted(name)}"
        cast = None if name in found.types else cast_to(seen[name])
        columns[name] = f"CAST({column} AS {cast})" if cast else column
    if schema is not None:
        # As Spark: the columns asked for, in that order, NULL where a file has none; partitions come last.
        asked = {one.name: one.dataType for one in schema}
        order = [*(name for name in asked if name not in found.types), *found.types]
        columns = {
            name: f"CAST({columns.get(name, 'NULL')} AS {duckdb_type(asked[name])})"
            if name in asked
            else columns[name]
            for name in order
        }
    listed = ", ".join(f"{text} AS {quoted(name)}" for name, text in columns.items())
    source = f"{scan} AS f"
    if found.types:
        source += f" JOIN {partition_values(found)} AS p ON f.file = p.file"
    name = engine.new_name("parquet")
    engine.run(f"CREATE TEMP VIEW {name} AS SELECT {listed} FROM {source}")
    return engine.frame_of(name)


def partition_values(found: Found) -> str:
    """Returns a table of each file's partition values, as SQL."""
    lists = [f"[{', '.join(map(literal, found.files))}] AS file"]
    for name, kind in found.types.items():
        texts = (one[name] for one in found.partitions)
        listed = ", ".join("NULL" if text is None else literal(text) for text in texts)
        lists.append(f"CAST([{listed}] AS {kind}[]) AS {quoted(name)}")
    items = ", ".join(f"unnest({quoted(name)}) AS {quoted(name)}" for name in ("file", *found.types))
    return f"(SELECT {items} FROM (SELECT {', '.join(lists)}))"
