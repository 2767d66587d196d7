"""`spark.read` on files: what Sail reads wrongly without an error is listed, typed or converted first."""

from __future__ import annotations

from tempfile import NamedTemporaryFile
from typing import Any

from pyspark.errors import AnalysisException
from pyspark.sql.connect.readwriter import DataFrameReader
from pyspark.sql.types import StringType, StructField, StructType

from sparkify_lake.session import csv_types, json_files
from sparkify_lake.session.context import Rows
from sparkify_lake.session.csv_types import quoted
from sparkify_lake.session.locations import (
    NULL_PARTITION,
    File,
    Place,
    expanded,
    files_of,
    partition_type,
    place_of,
)
from sparkify_lake.session.refusal import not_covered

_MAX_PARTITIONS = 1_000
_FORMATS = ("parquet", "json", "csv", "text")


class Reader(DataFrameReader):
    """Spark's reader, with Spark's listing of files."""

    def load(self, path: Any = None, format: Any = None, schema: Any = None, **options: Any) -> Any:
        """Returns the frame of a path or of several."""
        source = (format or self._format or "parquet").rpartition(".")[2].lower()
        if source not in _FORMATS or (path is None and "path" not in self._options):
            return super().load(path, format, schema, **options)
        if schema is not None:
            self.schema(schema)
        self.options(**options)
        given = {name.lower(): value for name, value in self._options.items()}
        paths = path if path is not None else given["path"]
        roots = [place_of(self._client, one) for one in ([paths] if isinstance(paths, str) else paths)]
        files, folders = self._listed(roots, given)
        columns = self._partition_columns(files)
        return self._frame(source, files, folders, columns, given)

    def json(self, path: Any, *arguments: Any, **options: Any) -> Any:
        """Returns the frame of JSON files, or of the texts of an RDD."""
        if not isinstance(path, Rows):
            return super().json(path, *arguments, **options)
        with NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
            file.writelines(f"{text}\n" for text in path.collect())
            file.flush()
            return super().json(file.name, *arguments, **options)

    def _listed(self, roots: list[Place], given: dict[str, str]) -> tuple[list[File], list[Place]]:
        for name in ("modifiedbefore", "modifiedafter"):
            if name in given:
                raise not_covered(
                    f"spark.read with the option {name}", hint="select the files by their names"
                )
        recursive = given.get("recursivefilelookup", "false").lower() == "true"
        base = place_of(self._client, given["basepath"]) if "basepath" in given else None
        files, folders = [], []
        for root in roots:
            found = expanded(root)
            if not found:
                raise AnalysisException(f"[PATH_NOT_FOUND] Path does not exist: {root.url}. SQLSTATE: 42K03")
            folders += found
            for one in found:
                files += files_of(
                    one, base, recursive=recursive, name_filter=given.get("pathglobfilter", "*")
                )
        return files, [base] if base else folders

    def _frame(
        self,
        source: str,
        files: list[File],
        folders: list[Place],
        columns: dict[str, str],
        given: dict[str, str],
    ) -> Any:
        schema = self._struct()
        if schema is not None:
            columns |= {one.name: one.dataType.simpleString() for one in schema if one.name in columns}
            schema = StructType([one for one in schema if one.name not in columns])
        if not files and source in ("parquet", "json") and schema is None:
            raise AnalysisException(
                f"[UNABLE_TO_INFER_SCHEMA] Unable to infer schema for {source.title()}: "
                f"{folders[0].url} has no data file. It must be specified manually. SQLSTATE: 42KD9"
            )
        if not files:
            return self._client.createDataFrame([], schema or "value string")
        if source == "json":
            converted = json_files.converted(folders[0].system, files, schema, given)
            if not converted.names:
                return self._client.createDataFrame([], StructType([]))
            frame = self._of_sail("parquet", [converted.path], None)
            return converted.typed(_with_partitions(frame, columns))
        if not columns:
            urls = [folders[0].prefix + file.path for file in files]
            return self._read(source, urls, schema, given, columns)
        if schema is not None:
            schema = StructType([*schema, *[StructField(name, StringType()) for name in columns]])
        frame = self._read(source, [f"{folder.url}/" for folder in folders], schema, given, columns)
        return _with_partitions(
            frame.where(chosen) if (chosen := _chosen(folders, files)) else frame, columns
        )

    def _partition_columns(self, files: list[File]) -> dict[str, str]:
        names = list(files[0].values) if files else []
        if any(list(file.values) != names for file in files):
            raise AnalysisException(
                "[CONFLICTING_PARTITION_COLUMN_NAMES] Conflicting partition column names detected: the "
                "folders are partitioned in different ways. SQLSTATE: KD009"
            )
        setting = "spark.sql.sources.partitionColumnTypeInference.enabled"
        if names and self._client.conf.get(setting, "true") == "false":
            return dict.fromkeys(names, "string")
        return {name: partition_type(file.values[name] for file in files) for name in names}

    def _read(
        self, source: str, urls: list[str], schema: StructType | None, given: dict[str, str], skip: Any
    ) -> Any:
        if source != "csv" or csv_types.is_for_sail(given):
            return self._of_sail(source, urls, schema)
        texts = StructType([StructField(one.name, StringType()) for one in schema]) if schema else None
        self._options: dict[str, str] = {
            k: v for k, v in self._options.items() if k.lower() not in ("inferschema", "nullvalue")
        }
        return csv_types.typed(self._of_sail(source, urls, texts), schema, given, skip)

    def _of_sail(self, source: str, urls: list[str], schema: StructType | None) -> Any:
        reader = DataFrameReader(self._client).format(source)
        reader._options = {k: v for k, v in self._options.items() if k.lower() not in _OURS}
        if schema is not None and source != "text":
            reader.schema(schema)
        return reader.load(urls)

    def _struct(self) -> StructType | None:
        if not self._schema:
            return None
        if self._schema.startswith("{"):
            import json

            return StructType.fromJson(json.loads(self._schema))
        parsed = self._client._client._analyze(method="ddl_parse", ddl_string=self._schema).parsed
        assert isinstance(parsed, StructType)
        return parsed


_OURS = ("path", "basepath", "recursivefilelookup", "pathglobfilter")


def _chosen(folders: list[Place], files: list[File]) -> str | None:
    """Returns the condition for the partitions to read. Sail finds partition columns only below a folder."""
    everything = [file for folder in folders for file in files_of(folder, None, recursive=False)]
    if len(everything) == len(files):
        return None
    chosen = {tuple(file.values.items()) for file in files}
    below = sum(1 for file in everything if tuple(file.values.items()) in chosen)
    if below != len(files) or len(chosen) > _MAX_PARTITIONS:
        raise not_covered(
            "spark.read of some files of a partitioned table",
            hint="read the table's folder, and select the partitions with where(…)",
        )
    return " OR ".join(
        "(" + " AND ".join(f"{quoted(name)} = {_literal(value)}" for name, value in values) + ")"
        for values in sorted(chosen, key=str)
    )


def _literal(value: str | None) -> str:
    text = NULL_PARTITION if value is None else value
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _with_partitions(frame: Any, columns: dict[str, str]) -> Any:
    from pyspark.sql.connect.functions import builtin as F

    return frame.withColumns(
        {
            name: F.expr(f"CAST(NULLIF({quoted(name)}, '{NULL_PARTITION}') AS {kind})")
            for name, kind in columns.items()
        }
    ) if columns else frame  # fmt: skip
