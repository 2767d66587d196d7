"""An input whose log files arrive in sequence, and its lake."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sparkify_lake
from support.generate_inputs import write_input
from support.generate_records import Record, play, song, song_of_each_artist
from support.lake_files import FOLDERS

NESTED = {table: f"{table}/{table}.parquet" for table in FOLDERS}


class GrowingInput:
    """An input whose log files arrive in sequence, and its lake."""

    def __init__(self, folder: Path, lake: str = "lake", events: Sequence[Record] | None = None) -> None:
        self.input, self.lake = folder / "in", folder / lake
        events = [play(seed) for seed in range(200)] if events is None else events
        write_input(self.input, [*song_of_each_artist(), *map(song, range(30))], events, 3)
        self.late = folder / "late"
        shutil.copytree(self.input / "log_data", self.late)
        self.logs = sorted(file for file in self.late.rglob("*") if file.is_file())

    def keep(self, count: int) -> None:
        """Makes the first log files the whole input."""
        shutil.rmtree(self.input / "log_data")
        (self.input / "log_data").mkdir()
        for file in self.logs[:count]:
            target = self.input / "log_data" / file.relative_to(self.late)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target)

    def run(self, **options: Any) -> sparkify_lake.RunReport:
        """Runs with the lake."""
        return sparkify_lake.run(
            self.input, self.lake, quiet=True, max_bad="100%", allow_shrink=True, **options
        )

    def build(self, **options: Any) -> sparkify_lake.Star:
        """Builds the tables in memory."""
        return sparkify_lake.build(self.input, max_bad="100%", quiet=True, **options)
