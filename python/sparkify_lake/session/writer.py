"""`df.write` to files: Sail writes into a staging folder, then the files get the places and names of Spark.

Sail 0.7 writes NULL and '' as an empty folder name, escapes other characters than Spark, deletes all partitions
when it should replace some, and deletes a table before it has read it. So a table changes only after the new
files are complete.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

from pyspark.errors import AnalysisException
from pyspark.sql.connect.dataframe import DataFrame
from pyspark.sql.connect.readwriter import DataFrameWriter

from sparkify_lake.session.locations import Place, folder_name, place_of, unescaped
from sparkify_lake.session.refusal import not_covered

_FORMATS = ("parquet", "json", "csv", "text")
_MODES = {"append", "overwrite", "ignore", "error", "errorifexists"}


class Writer(DataFrameWriter):
    """Spark's writer, with Spark's folders."""

    def save(
        self, path: Any = None, format: Any = None, mode: Any = None, partitionBy: Any = None, **options: Any
    ) -> None:
        """Writes the frame to a folder."""
        self.mode(mode).options(**options)
        if partitionBy is not None:
            self.partitionBy(partitionBy)
        if format is not None:
            self.format(format)
        source = (self._write.source or "parquet").lower()
        path = path or self._write.options.pop("path", None)
        if source not in _FORMATS or path is None:
            super().save(path)
            return
        how = (self._write.mode or "error").lower()
        if how not in _MODES:
            raise not_covered(
                f"write.mode({self._write.mode!r})", hint=f"use one of {', '.join(sorted(_MODES))}"
            )
        if self._write.num_buckets > 0 or self._write.sort_cols:
            raise AnalysisException("'save' does not support bucketBy and sortBy right now. Use saveAsTable.")
        target = place_of(self._spark, path)
        before = [one for one in target.children() if one.base_name != _STAGING]
        if before and how in ("error", "errorifexists"):
            raise AnalysisException(
                f"[PATH_ALREADY_EXISTS] Path {target.url} already exists. "
                'Set mode as "overwrite" to overwrite the existing path. SQLSTATE: 42K04'
            )
        if before and how == "ignore":
            return
        existed = target.system.get_file_info(target.path).type.value > 1
        staging = target.at(f"{target.path}/{_STAGING}/{uuid4()}")
        try:
            self._stage(source, staging)
            moves = _moves(staging, target)
            if how == "overwrite":
                _delete(target, self._replaced(before, moves, target))
            _move(target, moves)
            with target.system.open_output_stream(f"{target.path}/_SUCCESS"):
                pass
        finally:
            self._clean(target, existed)

    def _stage(self, source: str, staging: Place) -> None:
        """Lets Sail write below the staging folder, with all partition values as text."""
        from pyspark.sql.connect.functions import builtin as F

        frame = DataFrame(self._df, self._spark)
        names = {name.lower(): name for name in frame.columns} if self._write.partitioning_cols else {}
        for name in self._write.partitioning_cols:
            if name.lower() not in names:
                raise AnalysisException(
                    f"[COLUMN_NOT_DEFINED_IN_TABLE] partition column `{name}` is not one of the columns "
                    f"{', '.join(names.values())}. SQLSTATE: 42703"
                )
        columns = [names[name.lower()] for name in self._write.partitioning_cols]
        if columns and len(columns) == len(names):
            raise AnalysisException(
                "[ALL_PARTITION_COLUMNS_NOT_ALLOWED] Cannot use all columns for partition columns."
            )
        frame = (
            frame.withColumns({name: F.col(f"`{name}`").cast("string") for name in columns})
            if columns
            else frame
        )
        writer = (
            DataFrameWriter(frame._plan, self._spark).format(source).mode("overwrite").partitionBy(columns)
        )
        writer.options(
            **{**({"compression": "snappy"} if source == "parquet" else {}), **self._write.options}
        )
        writer.save(staging.url)

    def _replaced(self, before: list[Any], moves: dict[str, str], target: Place) -> Iterable[Any]:
        """Returns what an overwrite deletes: everything, or the partitions that are written."""
        setting = "spark.sql.sources.partitionOverwriteMode"
        given = {name.lower(): value for name, value in self._write.options.items()}
        chosen = given.get("partitionoverwritemode") or self._spark.conf.get(setting, "static")
        if str(chosen).lower() != "dynamic" or not self._write.partitioning_cols:
            return before
        folders = {path.rpartition("/")[0] for path in moves.values()}
        return [one for folder in folders for one in target.at(folder).children()]

    def _clean(self, target: Place, existed: bool) -> None:
        target.system.delete_dir_contents(f"{target.path}/{_STAGING}", missing_dir_ok=True)
        if target.system.get_file_info(f"{target.path}/{_STAGING}").type.value > 1:
            target.system.delete_dir(f"{target.path}/{_STAGING}")
        if not existed and not target.children() and target.system.type_name == "local":
            if target.system.get_file_info(target.path).type.value > 1:
                target.system.delete_dir(target.path)


_STAGING = "_temporary"


def _moves(staging: Place, target: Place) -> dict[str, str]:
    """Returns where each staged file goes: Spark's names of folders and files."""
    name = str(uuid4())
    moves = {}
    files = sorted((one for one in staging.children(recursive=True) if one.is_file), key=lambda one: one.path)
    for number, one in enumerate(files):
        *folders, file = one.path[len(staging.path) + 1 :].split("/")
        parts = (folder.partition("=") for folder in folders)
        inner = [folder_name(unescaped(key), unescaped(value)) for key, _, value in parts]
        ending = file.partition(".")[2]
        moves[one.path] = "/".join([target.path, *inner, f"part-{number:05d}-{name}-c000.{ending}"])
    return moves


def _delete(target: Place, found: Iterable[Any]) -> None:
    for one in found:
        if one.is_file:
            target.system.delete_file(one.path)
        else:
            target.system.delete_dir(one.path)


def _move(target: Place, moves: dict[str, str]) -> None:
    if target.system.type_name == "local":
        for folder in {path.rpartition("/")[0] for path in moves.values()}:
            target.system.create_dir(folder)
    with ThreadPoolExecutor(16) as threads:
        for _ in threads.map(target.system.move, moves, moves.values()):
            pass
