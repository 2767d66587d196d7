"""`df.write`: Parquet as Spark lays it out, with partitions in folder names and `_SUCCESS`.

Files are written beside the target first and moved in place when all are there.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import uuid4

from sparkify_lake.errors import OutputError
from sparkify_lake.session.kinds import literal, quoted
from sparkify_lake.session.paths import folder_name, local
from sparkify_lake.session.refusal import not_covered
from sparkify_lake.session.show import text

if TYPE_CHECKING:
    from sparkify_lake.session.frame import Frame

_MODES = {"overwrite": "overwrite", "append": "append", "ignore": "ignore", "error": "error",
          "errorifexists": "error", "default": "error"}  # fmt: skip
_CODECS = ("snappy", "gzip", "zstd", "none", "uncompressed")
_NULL = "<null>"


class Writer:
    """What `df.write` returns."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._mode = "error"
        self._by: list[str] = []
        self._codec = "snappy"
        self._is_dynamic: bool | None = None

    def mode(self, saveMode: str | None) -> Writer:  # Spark's name
        """Says what happens to what is there: overwrite, append, ignore or error."""
        if saveMode is not None:
            if saveMode.lower() not in _MODES:
                raise not_covered(f"df.write.mode({saveMode!r})", hint=f"one of {', '.join(_MODES)}")
            self._mode = _MODES[saveMode.lower()]
        return self

    def format(self, source: str) -> Writer:
        """Names the format for `save`; it is Parquet."""
        if source.lower() != "parquet":
            raise not_covered(
                f"df.write.format({source!r})", hint="write Parquet, or df.toPandas().to_csv(path)"
            )
        return self

    def option(self, key: str, value: Any) -> Writer:
        """Takes `compression` and `partitionOverwriteMode`; others are refused by name."""
        if key.lower() == "compression" and str(value).lower() in _CODECS:
            self._codec = "uncompressed" if str(value).lower() == "none" else str(value).lower()
        elif key.lower() == "partitionoverwritemode":
            self._is_dynamic = str(value).lower() == "dynamic"
        else:
            raise not_covered(
                f"df.write.option({key!r}, {value!r})", hint=f"compression is one of {', '.join(_CODECS)}"
            )
        return self

    def options(self, **options: Any) -> Writer:
        """Takes several options."""
        for key, value in options.items():
            self.option(key, value)
        return self

    def partitionBy(self, *cols: str | list[str]) -> Writer:  # Spark's name
        """Puts the values of columns into folder names."""
        self._by = [name for one in cols for name in ([one] if isinstance(one, str) else one)]
        return self

    def save(self, path: str | os.PathLike[str] | None = None, **options: Any) -> None:
        """Writes in the format that was named."""
        if path is None:
            raise not_covered("df.write.save() without a path", hint="name the path")
        self.parquet(path, **options)

    def parquet(
        self,
        path: str | os.PathLike[str],
        mode: str | None = None,
        partitionBy: str | list[str] | None = None,  # Spark's name
        compression: str | None = None,
    ) -> None:
        """Writes Parquet files below a folder."""
        self.mode(mode)
        if partitionBy is not None:
            self.partitionBy(partitionBy)
        if compression is not None:
            self.option("compression", compression)
        target = Path(local("df.write.parquet", path))
        if target.exists() and self._mode in ("error", "ignore"):
            if self._mode == "ignore":
                return
            raise OutputError(
                f"{target} is there already",
                cause="the mode is error, Spark's default",
                hint="choose what happens to it: df.write.mode('overwrite')",
                context={"path": str(target)},
            )
        self._write(target)

    def _write(self, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = target.parent / f".{target.name}.{uuid4().hex}"
        try:
            staging.mkdir()
            files = self._stage(staging)
            self._publish(staging, files, target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _stage(self, staging: Path) -> list[tuple[Path, Path]]:
        """Writes the files; returns each with its place in the table."""
        engine, sql = self._frame.session, self._frame.as_sql()
        plain = engine.plain(sql, engine.described(sql), keep_instants=True)
        columns = [name for name, _ in engine.described(plain)]
        by = [self._column(name, columns) for name in self._by]
        if len(by) == len(columns):
            raise not_covered("df.write.partitionBy of all columns", hint="leave one column in the files")
        options = f"FORMAT parquet, COMPRESSION {self._codec}"
        suffix = f"-{uuid4()}-c000{'' if self._codec == 'uncompressed' else f'.{self._codec}'}.parquet"
        if not by:
            file = staging / "part"
            engine.run(f"COPY ({plain}) TO {literal(str(file))} ({options})")
            return [(file, Path(f"part-00000{suffix}"))]
        # Folders are numbered first: their names are Spark's business, not DuckDB's.
        table = engine.new_name("written")
        keys = ", ".join(map(quoted, by))
        engine.run(
            f"CREATE TEMP TABLE {table} AS "
            f"SELECT *, dense_rank() OVER (ORDER BY {keys}) AS partition_number FROM ({plain})"
        )
        try:
            _, values = engine.fetched(f"SELECT DISTINCT partition_number, {keys} FROM {table}", in_utc=True)
            rest = ", ".join(quoted(name) for name in columns if name not in by)
            if values:
                engine.run(
                    f"COPY (SELECT partition_number, {rest} FROM {table} ORDER BY partition_number) "
                    f"TO {literal(str(staging / 'parts'))} ({options}, PARTITION_BY (partition_number))"
                )
        finally:
            engine.run(f"DROP TABLE {table}")
        files = []
        for number, *key in values:
            parts = (folder_name(name, _value(value)) for name, value in zip(by, key, strict=True))
            folder = Path(*parts)
            found = sorted((staging / "parts" / f"partition_number={number}").iterdir())
            files += [(file, folder / f"part-{at:05d}{suffix}") for at, file in enumerate(found)]
        return files

    def _publish(self, staging: Path, files: list[tuple[Path, Path]], target: Path) -> None:
        if self._mode == "overwrite" and target.exists():
            if self._dynamic() and self._by:
                for folder in {place.parent for _, place in files}:
                    shutil.rmtree(target / folder, ignore_errors=True)
            elif target.is_dir() and not target.is_symlink():
                shutil.rmtree(target)
            else:
                target.unlink()
        target.mkdir(exist_ok=True)
        for file, place in files:
            (target / place).parent.mkdir(parents=True, exist_ok=True)
            os.replace(file, target / place)
        (target / "_SUCCESS").touch()

    def _dynamic(self) -> bool:
        from sparkify_lake.session import RuntimeConfig

        if self._is_dynamic is not None:
            return self._is_dynamic
        setting = RuntimeConfig().get("spark.sql.sources.partitionOverwriteMode", "STATIC")
        return str(setting).upper() == "DYNAMIC"

    @staticmethod
    def _column(name: str, columns: list[str]) -> str:
        for column in columns:
            if column.lower() == name.lower():
                return column
        raise not_covered(
            f"df.write.partitionBy({name!r})",
            cause="there is no such column",
            hint=f"one of {', '.join(columns)}",
        )

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(f"'DataFrameWriter' object has no attribute {name!r}")
        raise not_covered(f"df.write.{name}", hint="write Parquet, or df.toPandas() and pandas' own writers")


def _value(value: Any) -> str | None:
    return None if value is None else text(value)
