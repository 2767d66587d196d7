"""From a script to the files that replace it, and to the report."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sparkify_lake.errors import AccessDeniedError, DataRefusedError, NoInputError
from sparkify_lake.migrate.files import write_files
from sparkify_lake.migrate.interpreter import Interpreter
from sparkify_lake.migrate.locations import (
    Setting,
    setting_of_codec,
    settings_of_input,
    settings_of_output,
    settings_of_store,
)
from sparkify_lake.migrate.recording import Note, Recording
from sparkify_lake.migrate.report import MigratedTable, Migration
from sparkify_lake.migrate.script import ROLES, OldFunction, functions_of, text_of_script
from sparkify_lake.migrate.storage import Context
from sparkify_lake.migrate.tables import OldTable, matching_of, tables_of
from sparkify_lake.secret import MASK

_MAX_BYTES = 1 << 20


def migrate(
    script: str | os.PathLike[str],
    *,
    output_dir: str | os.PathLike[str] | None = None,
    dry_run: bool = False,
    force: bool = False,
) -> Migration:
    """Reads an `etl.py` for Spark and writes `lake.cfg` and a new `etl.py`. The script is not run.

    Args:
        script: The script.
        output_dir: The folder for the new files; by default `migrated` next to the script.
        dry_run: Whether to write nothing.
        force: Whether to replace existing files.

    Returns:
        The report.

    Raises:
        NoInputError: If there is no such script.
        DataRefusedError: If it is not valid Python, or writes none of the five tables.
        OutputError: If a file exists already, or cannot be written.
    """
    path = Path(script)
    tree = _parsed(path)
    recording = Recording()
    interpreter = Interpreter(Context(recording), path.resolve().parent)
    module = interpreter.follow(tree)
    tables = tables_of(recording)
    if not tables:
        raise DataRefusedError(
            f"{path} writes none of the five tables",
            cause="; ".join(f"line {note.line}: {note.text}" for note in recording.unclear[:3] if note.line)
            or None,
            hint="pass the script that writes songs, artists, users, time and songplays with Spark",
            context={"path": str(path)},
        )
    functions, lost = functions_of(module, recording, tables)
    settings = [
        *settings_of_input(recording), *settings_of_output(tables, recording),
        *_settings_of_tables(tables, recording), *setting_of_codec(tables, recording),
        *settings_of_store(recording),
    ]  # fmt: skip
    _note_functions(functions, lost, recording)
    folder = Path(output_dir) if output_dir is not None else path.parent / "migrated"
    texts = {"lake.cfg": _lake_cfg(path.name, settings), "etl.py": text_of_script(functions)}
    hide = _Hiding(recording.hidden)
    texts = {name: hide.text(text) for name, text in texts.items()}
    if not dry_run:
        write_files(folder, texts, force=force)
    return Migration(
        script=str(path),
        tables=tuple(hide.table(table) for table in tables.values()),
        settings={one.key: hide.text(one.value) for one in settings if one.value is not None},
        stays=hide.notes(_stays(tables, functions, recording)),
        differs=hide.notes(sorted(recording.differs)),
        unclear=hide.notes(sorted(recording.unclear)),
        secrets=hide.notes(_specific(sorted(recording.secrets))),
        files=texts,
        folder=str(folder),
        written=not dry_run,
    )


def _parsed(path: Path) -> ast.Module:
    context = {"path": str(path)}
    try:
        content = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise NoInputError(
            f"there is no script {path}", hint="pass the path of the etl.py for Spark", context=context
        ) from None
    except PermissionError:
        raise AccessDeniedError(
            f"{path} cannot be read", cause="permission denied", context=context
        ) from None
    if len(content) > _MAX_BYTES:
        raise DataRefusedError(
            f"{path} is too large for a script", hint="the maximum size is 1 MiB", context=context
        )
    try:
        return ast.parse(content)
    except (SyntaxError, ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        # The line itself is not displayed, because it may contain a secret.
        raise DataRefusedError(
            f"{path} is not valid Python" + (f" in line {line}" if line else ""),
            hint="convert a script for Python 2 with 2to3, or a notebook with jupyter nbconvert --to script",
            context=context,
        ) from None


def _settings_of_tables(tables: Mapping[str, OldTable], recording: Recording) -> list[Setting]:
    """Returns COLUMN_NAMES, MATCH and UNMATCHED."""
    settings = []
    renamed = [
        f"{table.name}.{name}={old}" for table in tables.values() for name, old in table.renamed.items()
    ]
    if renamed:
        comments = [
            f"{table.name}: the columns of line {table.write.line}"
            for table in tables.values()
            if table.renamed
        ]
        settings.append(Setting("COLUMN_NAMES", ",".join(renamed), tuple(comments)))
    matching = matching_of(tables, recording)
    if matching is not None:
        comment = f"line {matching.line}: plays are joined on {matching.compared}"
        settings.append(Setting("MATCH", matching.match, (comment,)))
        kept = "kept" if matching.unmatched == "keep" else "left out"
        comment = f"line {matching.line}: plays without a song are {kept}"
        settings.append(Setting("UNMATCHED", matching.unmatched, (comment,)))
    return settings


def _lake_cfg(script: str, settings: Iterable[Setting]) -> str:
    lines = [
        f"# From {script}, by sparkify-lake migrate; the lines are those of that script.",
        "# Secrets belong in dl.cfg. `sparkify-lake config` displays all settings and their origins.",
        "",
        "[LAKE]",
    ]
    for setting in settings:
        lines += [f"# {' '.join(comment.split())}" for comment in setting.comments]
        lines.append(
            f"{setting.key} = {setting.value}" if setting.value is not None else f"# {setting.key} ="
        )
    return "\n".join(lines) + "\n"


def _note_functions(
    functions: Sequence[OldFunction], lost: Sequence[tuple[str, int]], recording: Recording
) -> None:
    for function in functions:
        if not function.is_standard:
            taken = [name for name in (function.songs, function.input, function.output) if name]
            reason = f"it uses {', '.join(taken)}" if taken else "lake.cfg names the input and the output"
            names = ", ".join(name for name, _ in function.parameters)
            what = "keeps its parameters" if function.name == function.role else f"calls {function.role}"
            recording.differs.append(Note(function.line, f"{function.name}({names}) {what}", reason))
        elif function.name != function.role:
            recording.differs.append(
                Note(function.line, f"{function.name} is another name of {function.role}")
            )
    for name, line in lost:
        if name in ROLES:
            reason = f"{name}(spark, input_data, output_data) reads the input itself and writes its tables"
            recording.differs.append(Note(line, f"{name} has other parameters now", reason))
    public = [name for name, _ in lost if not name.startswith("_") and name not in ROLES]
    if public:
        reason = "they are parts of the old job; callers from outside need another way"
        line = min(line for name, line in lost if name in public)
        recording.differs.append(Note(line, f"the new etl.py does not have {', '.join(public)}", reason))


def _stays(
    tables: Mapping[str, OldTable], functions: Sequence[OldFunction], recording: Recording
) -> list[Note]:
    notes = [Note(0, "python etl.py, with lake.cfg and dl.cfg in the current folder")]
    notes += [
        Note(function.line, f"{function.name}({', '.join(name for name, _ in function.parameters)})")
        for function in functions
    ]
    notes += recording.credentials
    same = [table.name for table in tables.values() if table.columns and not table.renamed]
    if same:
        notes.append(Note(0, f"the names of the columns of {', '.join(same)}"))
    return notes


def _specific(secrets: Sequence[Note]) -> list[Note]:
    """Returns one remark per line: the one that names the variable or the setting, if there is one."""
    by_line: dict[int, Note] = {}
    for note in secrets:
        if note.line not in by_line or "a key of AWS" in by_line[note.line].text:
            by_line[note.line] = note
    return list(by_line.values())


class _Hiding:
    """Masks the secrets of the script in everything that leaves this module."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = sorted((one for one in secrets if one), key=len, reverse=True)

    def text(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def notes(self, notes: Iterable[Note]) -> tuple[Note, ...]:
        hidden = (Note(note.line, self.text(note.text), self.text(note.reason)) for note in notes)
        return tuple(dict.fromkeys(hidden))

    def table(self, table: OldTable) -> MigratedTable:
        write = table.write
        return MigratedTable(
            name=table.name,
            line=write.line,
            folder=self.text(str(write.path)),
            columns=tuple(map(self.text, table.columns)),
            partitioned_by=tuple(map(self.text, write.partitions)),
            mode=write.mode,
            format=write.format,
            renamed=dict(table.renamed),
        )
