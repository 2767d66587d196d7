"""`df.write` to files: Sail writes into a staging folder, then the files get the places and names of Spark.

Sail 0.7 writes NULL and '' as an empty folder name, escapes other characters than Spark, deletes all
partitions when it should replace some, and deletes a table before it has read it. So a table changes only
after the new files are complete.
"""

from __future__ import annotations

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

    def bucketBy(self, *_: Any, **__: Any) -> Any:
        """Refused: Sail writes other columns."""
        raise not_covered("df.write.bucketBy", hint="write without buckets, or with partitionBy")

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
        before = [
            one for one in target.children(recursive=True) if one.is_file and f"/{_STAGING}/" not in one.path
        ]
        if before and how in ("error", "errorifexists"):
            raise AnalysisException(
                f"[PATH_ALREADY_EXISTS] Path {target.url} already exists. "
                'Set mode as "overwrite" to overwrite the existing path. SQLSTATE: 42K04'
            )
        if before and how == "ignore":
            return
        folder = target.at(f"{target.path}/{_STAGING}")
        staging = folder.at(f"{folder.path}/{uuid4()}")
        try:
            frame = self._stage(source, staging)
            moves = _moves(staging, target, self._write.partitioning_cols)
            _move(target, moves)
            if how == "overwrite":
                _delete(self._replaced(before, moves, target), target)
            if not moves and source == "parquet" and not self._write.partitioning_cols:
                _write_empty(frame, target)
            with target.system.open_output_stream(f"{target.path}/_SUCCESS"):
                pass
        finally:
            if _is_folder(staging):
                target.system.delete_dir(staging.path)
            _delete([], target, folder)

    def _stage(self, source: str, staging: Place) -> DataFrame:
        """Lets Sail write below the staging folder, with all partition values as text."""
        from pyspark.sql.connect.functions import builtin as F

        frame = DataFrame(self._df, self._spark)
        kinds = dict(frame.dtypes)
        names = {name.lower(): name for name in frame.columns}
        if len(names) < len(frame.columns):
            raise AnalysisException(
                "[COLUMN_ALREADY_EXISTS] Two columns have the same name, apart from upper and lower case; "
                "choose another name or rename one of them. SQLSTATE: 42711"
            )
        for name in self._write.partitioning_cols:
            if name.lower() not in names:
                raise AnalysisException(
                    f"[COLUMN_NOT_DEFINED_IN_TABLE] partition column `{name}` is not one of the columns "
                    f"{', '.join(names.values())}. SQLSTATE: 42703"
                )
        columns = [names[name.lower()] for name in self._write.partitioning_cols]
        if columns and len(columns) == len(names):
            raise AnalysisException(
                "[ALL_PARTITION_COLUMNS_NOT_ALLOWED] Cannot use all columns for partition columns. "
                "SQLSTATE: KD005"
            )
        texts = {name: F.col(f"`{name}`").cast("string") for name in columns}
        if source in ("json", "csv"):  # Sail writes times without fractions of a second
            texts |= {
                name: F.date_format(f"`{name}`", "yyyy-MM-dd'T'HH:mm:ss.SSSXXX")
                for name in names.values()
                if kinds[name] == "timestamp" and name not in columns
            }
        staged = frame.withColumns(texts) if texts else frame
        writer = (
            DataFrameWriter(staged._plan, self._spark).format(source).mode("overwrite").partitionBy(columns)
        )
        writer.options(
            **{**({"compression": "snappy"} if source == "parquet" else {}), **self._write.options}
        )
        writer.save(staging.url)
        return frame

    def _replaced(self, before: list[Any], moves: dict[str, str], target: Place) -> list[Any]:
        """Returns what an overwrite deletes: everything, or the partitions that are written."""
        setting = "spark.sql.sources.partitionOverwriteMode"
        given = {name.lower(): value for name, value in self._write.options.items()}
        chosen = given.get("partitionoverwritemode") or self._spark.conf.get(setting, "static")
        if str(chosen).lower() != "dynamic" or not self._write.partitioning_cols:
            return before
        folders = {path.rpartition("/")[0] for path in moves.values()}
        return [one for one in before if one.path.rpartition("/")[0] in folders]


_STAGING = "_temporary"


def _moves(staging: Place, target: Place, columns: list[str]) -> dict[str, str]:
    """Returns where each staged file goes: Spark's names of folders and files."""
    name = str(uuid4())
    moves = {}
    files = sorted((one for one in staging.children(recursive=True) if one.is_file), key=lambda one: one.path)
    for number, one in enumerate(files):
        *folders, file = one.path[len(staging.path) + 1 :].split("/")
        values = [unescaped(folder.partition("=")[2]) for folder in folders]
        inner = [folder_name(column, value) for column, value in zip(columns, values, strict=True)]
        ending = ".".join(filter(None, file.split(".")[1:])).replace("zst.", "zstd.")
        moves[one.path] = "/".join([target.path, *inner, f"part-{number:05d}-{name}-c000.{ending}"])
    return moves


def _move(target: Place, moves: dict[str, str]) -> None:
    if _is_local(target):
        for folder in {target.path, *(path.rpartition("/")[0] for path in moves.values())}:
            target.system.create_dir(folder)
    with ThreadPoolExecutor(16) as threads:
        for _ in threads.map(target.system.move, moves, moves.values()):
            pass


def _delete(files: list[Any], target: Place, *folders: Place) -> None:
    """Deletes files, and the folders that are empty then (on S3, the objects that represent them)."""
    with ThreadPoolExecutor(16) as threads:
        for _ in threads.map(target.system.delete_file, [one.path for one in files]):
            pass
    places = {one.path.rpartition("/")[0] for one in files} | {folder.path for folder in folders}
    above = {"/".join(path.split("/")[:depth]) for path in places for depth in range(2, path.count("/") + 2)}
    for path in sorted(above, reverse=True):
        inside = path.startswith(target.path) and _is_folder(target.at(path))
        if inside and not target.at(path).children():
            target.system.delete_dir(path)


def _is_folder(place: Place) -> bool:
    from pyarrow.fs import FileType

    return bool(place.system.get_file_info(place.path).type == FileType.Directory)


def _is_local(place: Place) -> bool:
    return bool(place.system.type_name == "local")


def _write_empty(frame: DataFrame, target: Place) -> None:
    from pyarrow.parquet import write_table

    file = f"{target.path}/part-00000-{uuid4()}-c000.snappy.parquet"
    write_table(frame.limit(0).toArrow(), file, filesystem=target.system)
