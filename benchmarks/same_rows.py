"""Checks that engines wrote the same tables: ``same_rows.py OUTPUT`` prints rows, checksums, files, bytes.

A checksum covers all rows and columns of a table, also the columns in the path. It does not depend on the
order of the rows or their division into files. Types are unified first: ``int`` and ``bigint`` have the same
checksum. NULL and the empty text do not. ``songplay_id`` is only checked to be unique, because the peers
number the plays in their own way.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measurement import EngineFailed

TIME = "timestamp"
COLUMNS: dict[str, dict[str, Any]] = {
    "songs": {"song_id": str, "title": str, "artist_id": str, "year": int, "duration": float},
    "artists": {"artist_id": str, "name": str, "location": str, "latitude": float, "longitude": float},
    "users": {"user_id": str, "first_name": str, "last_name": str, "gender": str, "level": str},
    "time": {"start_time": TIME, **dict.fromkeys(("hour", "day", "week", "month", "year", "weekday"), int)},
    "songplays": {
        "start_time": TIME,
        **dict.fromkeys(("user_id", "level", "song_id", "artist_id"), str),
        "session_id": int,
        **dict.fromkeys(("location", "user_agent"), str),
        **dict.fromkeys(("year", "month"), int),
    },
}
PARTITIONED_BY = {"songs": ("year", "artist_id"), "time": ("year", "month"), "songplays": ("year", "month")}


@dataclass(frozen=True, kw_only=True)
class Written:
    """The result of an engine: rows and checksum of each table, and the Parquet files."""

    rows: dict[str, int]
    checksums: dict[str, int]
    files: int
    bytes: int

    def different(self, other: Written) -> list[str]:
        """The tables that differ, with their numbers of rows."""
        return [
            f"{table} ({self.rows[table]:,} and {other.rows[table]:,} rows)"
            for table in COLUMNS
            if (self.rows[table], self.checksums[table]) != (other.rows[table], other.checksums[table])
        ]


def parquet_files(output: Path) -> list[Path]:
    return sorted(file for table in COLUMNS for file in (output / table).rglob("*.parquet"))


def written(output: Path) -> Written:
    """Reads the tables in a separate process: children inherit the memory peak of this process."""
    done = subprocess.run([sys.executable, __file__, str(output)], capture_output=True, text=True)
    if done.returncode:
        raise EngineFailed(f"its tables cannot be checked:\n{done.stderr}")
    return Written(**json.loads(done.stdout))


def main() -> None:
    import polars as pl

    types = {str: pl.String(), int: pl.Int64(), float: pl.Float64(), TIME: pl.Datetime("us", "UTC")}
    output = Path(sys.argv[1])
    rows, checksums = {}, {}
    for table, columns in COLUMNS.items():
        keys = {name: types[columns[name]] for name in PARTITIONED_BY.get(table, ())}
        scanned = pl.scan_parquet(
            output / table / "**" / "*.parquet", hive_partitioning=bool(keys), hive_schema=keys or None
        )
        wanted = []
        for name, kind in columns.items():
            column = pl.col(name)
            if kind == TIME:  # in UTC, with or without a time zone in the type
                column = column.dt.cast_time_unit("us").dt.replace_time_zone("UTC")
            wanted.append(column.cast(types[kind]))
        frame = scanned.select(wanted).collect()
        rows[table] = frame.height
        # The sum of 2^20 or more numbers below 2^40 fits into 64 bits.
        checksums[table] = int((frame.hash_rows(seed=0) % 2**40).sum())
        if table == "songplays":
            ids = scanned.select("songplay_id").collect().to_series()
            if ids.null_count() or ids.n_unique() != frame.height:
                sys.exit("songplay_id is not unique")
    files = parquet_files(output)
    size = sum(file.stat().st_size for file in files)
    print(json.dumps({"rows": rows, "checksums": checksums, "files": len(files), "bytes": size}))


if __name__ == "__main__":
    main()
