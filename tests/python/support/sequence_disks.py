"""Targets of sequences on disk: with tables of other formats, and with expectations."""

from __future__ import annotations

from dataclasses import replace

from support.delta_checker import LOG, commits, is_in_log, live_files
from support.iceberg_checker import FOLDER as ICEBERG
from support.iceberg_checker import live_files as live_iceberg_files
from support.input_mutations import Step
from support.lake_files import FOLDERS, Report, data_files
from support.sequence_replay import DiskTarget, FileBodies, Refusal, RunOutcome


class DeltaDisk(DiskTarget):
    """Input and lake in a folder. The tables are also Delta tables, with the same files as the folders."""

    formats = "delta"

    def run(self, step: Step, tables: str) -> RunOutcome | None:
        done = super().run(replace(step, options={**step.options, "formats": self.formats}), tables)
        for name in FOLDERS.values():
            if (table := self.lake / name).exists() and not isinstance(done, Refusal):
                files = data_files(table)
                found = {f"{name}/{file.relative_to(table)}" for file in files if not is_in_log(str(file))}
                live = live_files(commits(table)) if (table / LOG).exists() else found
                assert {f"{name}/{path}" for path in live} == found, f"{name} after {tables}"
        return done

    def rebuild(self, step: Step, tables: str) -> tuple[RunOutcome, FileBodies]:
        step = replace(step, options={**step.options, "formats": "delta"})
        outcome, files = super().rebuild(step, tables)
        return outcome, {path: body for path, body in files.items() if not is_in_log(path)}

    def bodies(self) -> FileBodies:
        return {path: body for path, body in super().bodies().items() if not is_in_log(path)}


class BothFormatsDisk(DeltaDisk):
    """Input and lake in a folder. The tables are also Delta and Iceberg tables."""

    formats = "delta,iceberg"

    def run(self, step: Step, tables: str) -> RunOutcome | None:
        done = super().run(step, tables)
        if not isinstance(done, Refusal):
            for table, name in FOLDERS.items():
                if (self.lake / ICEBERG / table).exists():
                    versions, live = live_iceberg_files(self.lake, table)
                    assert versions == sorted(set(versions))
                    files = data_files(self.lake / name)
                    found = {str(file.relative_to(self.lake)) for file in files if not is_in_log(str(file))}
                    assert live.keys() == found, f"{table} after {tables}"
                else:
                    assert not (self.lake / name).exists(), table
        return done


class ExpectingDisk(DiskTarget):
    """Input and lake in a folder. Two of three runs have expectations: the values are those of a rebuild."""

    EXPECT = (
        *(f"{table}.rows >= 0" for table in FOLDERS),
        *(f"{column}.null_rate <= 100%" for column in ("songs.title", "songs.year", "artists.location")),
        *(f"{column}.null_rate <= 100%" for column in ("users.gender", "time.hour", "songplays.song_id")),
        "songplays.match_rate >= 0%",
    )
    runs = 0
    values: dict[str, float] | None = None

    def expecting(self, step: Step) -> Step:
        return replace(step, options={**step.options, "expect": self.EXPECT}) if self.runs % 3 else step

    def run(self, step: Step, tables: str) -> RunOutcome | None:
        self.runs += 1
        done = super().run(self.expecting(step), tables)
        self.values = None if done is None or isinstance(done, Refusal) else values_of(done)
        return done

    def rebuild(self, step: Step, tables: str) -> tuple[RunOutcome, FileBodies]:
        outcome, files = super().rebuild(self.expecting(step), tables)
        if self.values is not None and not isinstance(outcome, Refusal):
            assert self.values == values_of(outcome)
            assert bool(self.values) == bool(self.runs % 3)
        return outcome, files


def values_of(report: Report) -> dict[str, float]:
    return {one["metric"]: one["value"] for one in report["expectations"]}
