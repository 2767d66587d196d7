"""The result of `plan`: the input and the output of a run, as frozen data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from sparkify_lake.render.text_table import TextTable, format_bytes, format_count
from sparkify_lake.results.report_parts import SourceReport
from sparkify_lake.results.request_cost import Requests, describe_requests
from sparkify_lake.results.result import Result, songs_first

# How many partitions of each table the text table lists.
MAX_LISTED_PARTITIONS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPartition:
    """A partition that a run would rewrite, with its current size; "" is a table without partitions."""

    partition: str
    files: int
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTable:
    """One table that a run would write, and its current state.

    Attributes:
        name: Name of the table.
        folder: Its folder in the output.
        location: The full path of the folder.
        exists: Whether the folder exists.
        files: Number of files in it now.
        partitions: The partitions that a run would rewrite; None for all partitions.
    """

    name: str
    folder: str
    location: str
    exists: bool
    files: int
    partitions: Sequence[PlannedPartition] | None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PlannedTable:
        """Returns the table for a plain mapping."""
        partitions = data["partitions"]
        if partitions is not None:
            partitions = tuple(PlannedPartition(**partition) for partition in partitions)
        return cls(**{**data, "partitions": partitions})

    def describe_rewrite(self) -> str:
        """Returns in words which part of the table a run would rewrite."""
        if self.partitions is None:
            return "all"
        if self.partitions and not self.partitions[0].partition:
            return "its file"
        return f"{format_count(len(self.partitions))} partitions" if self.partitions else "nothing"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Plan(Result):
    """The input and the output of a run, before it runs. Making a plan writes nothing.

    Attributes:
        input: The files found, by "songs" and "logs", and how many of them would be read.
        output: Root of the lake.
        options: The options that would be in effect, as text.
        outlook: "first" if there is no lake yet, "whole" if a run would read all files, "part" if it would
            read only what has changed, "unchanged" if there is nothing to do.
        rebuilt: Why a run would read all files although the lake contains tables.
        tables: The tables by name, in the order of the star schema.
        warnings: Warnings.
        requests: The requests that a run would make to the object store, and what S3 charges for them; None
            if all files are local.
    """

    input: Mapping[str, SourceReport]
    output: str
    options: Mapping[str, str]
    outlook: str
    rebuilt: str | None
    tables: Mapping[str, PlannedTable]
    warnings: Sequence[str]
    requests: Requests | None = None

    _listed_fields: ClassVar[tuple[str, ...]] = ("tables",)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Plan:
        """Returns the plan for a plain mapping."""
        return cls(
            **{
                **data,
                "input": {name: SourceReport(**source) for name, source in data["input"].items()},
                "tables": {table["name"]: PlannedTable.from_dict(table) for table in data["tables"]},
                "warnings": tuple(data["warnings"]),
            }
        )

    def _title(self) -> str:
        title = "plan: nothing was written"
        if self.outlook == "unchanged":
            title += "; the input is unchanged, so a run would do nothing"
        return title

    def _tables(self) -> list[TextTable]:
        return [
            self._input_table(),
            self._rewrite_table(),
            self._partition_table(),
            TextTable(rows=[("reads all files", self.rebuilt)] if self.rebuilt else []),
            TextTable(rows=[("requests", describe_requests(self.requests))] if self.requests else []),
            TextTable(rows=[(name, value) for name, value in self.options.items() if value]),
        ]

    def _warnings(self) -> Sequence[str]:
        return self.warnings

    def _input_table(self) -> TextTable:
        return TextTable(
            head=("input", "files", "size", "to read", "size", "location"),
            rows=[
                (
                    name,
                    format_count(source.files),
                    format_bytes(source.bytes),
                    format_count(source.files_read),
                    format_bytes(source.bytes_read),
                    source.location,
                )
                for name, source in songs_first(self.input)
            ],
            text_columns=("input", "location"),
        )

    def _rewrite_table(self) -> TextTable:
        return TextTable(
            head=("table", "now", "to rewrite", "location"),
            rows=[
                (
                    table.name,
                    f"{format_count(table.files)} files" if table.exists else "nothing",
                    table.describe_rewrite(),
                    table.location,
                )
                for table in self.tables.values()
            ],
            text_columns=("table", "to rewrite", "location"),
        )

    def _partition_table(self) -> TextTable:
        return TextTable(
            head=("partition", "files", "rows", "size"),
            rows=[
                (
                    f"{table.folder}/{partition.partition}",
                    format_count(partition.files),
                    format_count(partition.rows),
                    format_bytes(partition.bytes),
                )
                for table in self.tables.values()
                for partition in (table.partitions or ())[:MAX_LISTED_PARTITIONS]
            ],
            text_columns=("partition",),
        )
