"""The result of a migration: what stays, what differs, what was not understood, and the new files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sparkify_lake.migrate.recording import Note
from sparkify_lake.render.text_table import Displayed, TextTable


@dataclass(frozen=True, slots=True, kw_only=True)
class MigratedTable:
    """A table of the old script.

    Attributes:
        name: The table of ours.
        line: The line that writes it.
        folder: Its folder, as the script builds it.
        columns: The names of its columns; empty if they are not known.
        partitioned_by: Its partition columns.
        mode: The mode of the write.
        format: The format of its files.
        renamed: Our columns that have another name in it.
    """

    name: str
    line: int
    folder: str
    columns: tuple[str, ...]
    partitioned_by: tuple[str, ...]
    mode: str
    format: str
    renamed: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Migration(Displayed):
    """The findings on a script for Spark, and the files that replace it.

    Attributes:
        script: The path of the script.
        tables: The tables that it writes.
        settings: The settings in the new `lake.cfg`.
        stays: The names that callers and readers can keep.
        differs: The differences, and their reasons.
        unclear: The parts that were not understood, and what to do.
        secrets: The lines with secrets, and where to put them.
        files: The texts of the new files, by name.
        folder: Where they were written, or would be written.
        written: Whether they were written.
    """

    script: str
    tables: tuple[MigratedTable, ...]
    settings: Mapping[str, str]
    stays: tuple[Note, ...]
    differs: tuple[Note, ...]
    unclear: tuple[Note, ...]
    secrets: tuple[Note, ...]
    files: Mapping[str, str]
    folder: str
    written: bool

    def to_dict(self) -> dict[str, Any]:
        """Returns the report as a dictionary; `--json` prints it."""
        return {
            "script": self.script,
            "tables": {
                table.name: {
                    "line": table.line,
                    "folder": table.folder,
                    "columns": list(table.columns),
                    "partitioned_by": list(table.partitioned_by),
                    "mode": table.mode,
                    "format": table.format,
                    "renamed": dict(table.renamed),
                }
                for table in self.tables
            },
            "settings": dict(self.settings),
            **{
                name: [
                    {"line": note.line or None, "text": note.text, "reason": note.reason or None}
                    for note in notes
                ]
                for name, notes in self._notes().items()
            },
            "files": dict(self.files),
            "folder": self.folder,
            "written": self.written,
        }

    def to_json(self) -> str:
        """Returns the report as JSON."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)

    def _notes(self) -> dict[str, Sequence[Note]]:
        return {
            "stays": self.stays,
            "differs": self.differs,
            "unclear": self.unclear,
            "secrets": self.secrets,
        }

    def _title(self) -> str:
        names = " and ".join(self.files)
        done = (
            f"wrote {names} to {self.folder}"
            if self.written
            else f"a dry run; it would write {names} to {self.folder}"
        )
        return f"{self.script}: {len(self.tables)} of 5 tables found; {done}"

    def _tables(self) -> list[TextTable]:
        head = ("table", "line", "folder", "partitioned by", "mode")
        rows = [
            (
                table.name,
                str(table.line),
                table.folder,
                ", ".join(table.partitioned_by),
                table.mode or "error if it exists",
            )
            for table in self.tables
        ]
        renamed = [
            (f"{table.name}.{name}", old) for table in self.tables for name, old in table.renamed.items()
        ]
        names = ("column", "name in the old table")
        headings = {
            "stays": "what stays",
            "differs": "what differs",
            "unclear": "not understood",
            "secrets": "secrets in the script",
        }
        return [
            TextTable(head=head, rows=rows, text_columns=(head[0], *head[2:])),
            TextTable(head=names, rows=renamed, text_columns=names),
        ] + [
            TextTable(
                head=("line", headings[name], "reason or remedy"),
                rows=[(str(note.line or ""), note.text, note.reason) for note in notes],
                text_columns=(headings[name], "reason or remedy"),
            )
            for name, notes in self._notes().items()
        ]
