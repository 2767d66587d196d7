"""An input whose log files arrive in sequence, and its lake."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import sparkify_lake
from support.generate_inputs import write_input
from support.generate_records import listen, song, song_of_each_artist


class Arrivals:
    """An input with songs, into which log files can be moved one by one."""

    def __init__(self, folder: Path) -> None:
        self.input, self.lake = folder / "in", folder / "lake"
        songs = [*song_of_each_artist(), *map(song, range(30))]
        write_input(self.input, songs, [listen(seed, range(30)) for seed in range(120)], 3)
        self._late = folder / "late"
        shutil.move(self.input / "log_data", self._late)
        self._waiting = sorted(file for file in self._late.rglob("*") if file.is_file())
        (self.input / "log_data").mkdir()

    def arrive(self, count: int) -> None:
        """Adds log files to the input."""
        assert len(self._waiting) >= count
        for file in self._waiting[:count]:
            target = self.input / "log_data" / file.relative_to(self._late)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target)
        del self._waiting[:count]

    def run(self, *expect: str, **options: Any) -> sparkify_lake.RunReport:
        """Runs the job with expectations."""
        return sparkify_lake.run(self.input, self.lake, expect=list(expect), quiet=True, **options)

    def build(self, **options: Any) -> sparkify_lake.Star:
        """The tables of a rebuild."""
        return sparkify_lake.build(self.input, quiet=True, **options)
