"""Log files of a test: listing, packing, and runs that read them."""

from __future__ import annotations

import bz2
import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

import sparkify_lake
from support.lake_files import Report

Input = dict[str, str]
"""The options that say where the input is."""

PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    ".json": bytes,
    ".json.gz": gzip.compress,
    ".json.bz2": bz2.compress,
    ".json.zst": lambda body: bytes(pa.compress(body, codec="zstd", asbytes=True)),
}


def logs(source: Path) -> list[Path]:
    return sorted(path for path in (source / "log_data").rglob("*") if path.is_file())


def plays(lake: Path) -> list[int]:
    return sorted(sparkify_lake.open_lake(lake).songplays.collect()["songplay_id"])


def run_input(where: Input, lake: Path, **options: Any) -> Report:
    report: Report = sparkify_lake.run(output=lake, quiet=True, **where, **options).to_dict()
    return report


def repack(path: Path, packing: str, name: str | None = None) -> Path:
    """Replaces a plain file by a packed one, as logrotate does: with the times of the original."""
    times = path.stat()
    packed = path.with_name((name or path.name.removesuffix(".json")) + packing)
    body = PACKINGS[packing](path.read_bytes())
    path.unlink()
    packed.write_bytes(body)
    os.utime(packed, ns=(times.st_atime_ns, times.st_mtime_ns))
    return packed
