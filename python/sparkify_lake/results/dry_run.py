"""What `plan` tells of a run that has not been made: plain frozen data, of the native module's mapping.

Invariant: `to_dict` gives back what `from_dict` took.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sparkify_lake.render.text_table import Grid, as_html, as_text, count, size
from sparkify_lake.results.request_cost import Requests, described
from sparkify_lake.results.run_report import SourceReport, as_json, plain, songs_first

SHOWN_PARTITIONS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPartition:
    """A partition that a run would make again ("" is a table without partitions), and what lies there now."""

    partition: str
    files: int
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTable:
    """One table that a run would write, and what lies there now.

    Attributes:
        name: Of the table.
        folder: Below the output.
        location: The whole path.
        exists: Whether the folder does.
        files: In it now.
        partitions: Those that would be made again; None for all of them.
        more_partitions: Further ones at most, of which only reading can tell which they are.
    """

    name: str
    folder: str
    location: str
    exists: bool
    files: int
    partitions: Sequence[PlannedPartition] | None
    more_partitions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run would read and write; making it writes nothing.

    Attributes:
        input: What was found, by "songs" and "logs", and what of it would be read.
        output: Where the lake would be.
        options: The options that would be in force, as text.
        outlook: "first" where there is no lake yet, "whole" when everything would be read, "part" when only
            what has changed would, "unchanged" when there is nothing to do.
        rebuilt: Why everything would be read although the lake holds tables.
        tables: By name, in the order of the star schema.
        warnings: What deserves a look.
        requests: What a run would ask of the store, and what S3 charges for it; None when all is local.
    """

    input: Mapping[str, SourceReport]
    output: str
    options: Mapping[str, str]
    outlook: str
    rebuilt: str | None
    tables: Mapping[str, PlannedTable]
    warnings: Sequence[str]
    requests: Requests | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Plan:
        """Makes a plan of its mapping."""
        return cls(
            **{
                **data,
                "input": {name: SourceReport(**source) for name, source in data["input"].items()},
                "tables": {table["name"]: _planned(table) for table in data["tables"]},
                "warnings": tuple(data["warnings"]),
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns plain mappings, lists and numbers, ready for JSON."""
        data = plain(self, "tables", "warnings")
        for table in data["tables"]:
            table["partitions"] = None if table["partitions"] is None else list(table["partitions"])
        return data

    def to_json(self, *, indent: int | None = 2) -> str:
        """Returns the plan as JSON text."""
        return as_json(self.to_dict(), indent)

    def __str__(self) -> str:
        return as_text(self._title(), self._grids(), self.warnings)

    __repr__ = __str__  # as a frame's: a prompt shows the table

    def _repr_html_(self) -> str:
        return as_html(self._title(), self._grids(), self.warnings)

    def _title(self) -> str:
        title = "plan: nothing was written"
        return (
            f"{title}; nothing has changed, a run would do nothing" if self.outlook == "unchanged" else title
        )

    def _grids(self) -> list[Grid]:
        return [
            Grid(
                head=("input", "files", "size", "to read", "size", "location"),
                rows=[
                    (
                        name,
                        count(s.files),
                        size(s.bytes),
                        count(s.files_read),
                        size(s.bytes_read),
                        s.location,
                    )
                    for name, s in songs_first(self.input)
                ],
                texts=("input", "location"),
            ),
            Grid(
                head=("table", "there now", "to make again", "location"),
                rows=[
                    (t.name, f"{count(t.files)} files" if t.exists else "nothing", _again(t), t.location)
                    for t in self.tables.values()
                ],
                texts=("table", "to make again", "location"),
            ),
            Grid(
                head=("partition", "files", "rows", "size"),
                rows=[
                    (f"{t.folder}/{p.partition}", count(p.files), count(p.rows), size(p.bytes))
                    for t in self.tables.values()
                    for p in (t.partitions or ())[:SHOWN_PARTITIONS]
                ],
                texts=("partition",),
            ),
            Grid(rows=[("everything is read", self.rebuilt)] if self.rebuilt else []),
            Grid(rows=[("requests", described(self.requests))] if self.requests else []),
            Grid(rows=[(name, value) for name, value in self.options.items() if value]),
        ]


def _planned(table: Mapping[str, Any]) -> PlannedTable:
    partitions = table["partitions"]
    if partitions is not None:
        partitions = tuple(PlannedPartition(**partition) for partition in partitions)
    return PlannedTable(**{**table, "partitions": partitions})


def _again(table: PlannedTable) -> str:
    """Says what of a table would be made again."""
    if table.partitions is None:
        return "all"
    if table.partitions and not table.partitions[0].partition:
        return "its file"
    told = [f"{count(len(table.partitions))} partitions"] if table.partitions else []
    told += [f"at most {count(table.more_partitions)} more"] if table.more_partitions else []
    return ", ".join(told) or "nothing"
