"""The new `etl.py`, with the functions that callers of the old one use."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sparkify_lake.migrate.locations import DATA_FOLDER, OUTPUT_NAME, root_of
from sparkify_lake.migrate.recording import Read, Recording, Write, part_of
from sparkify_lake.migrate.tables import OldTable
from sparkify_lake.migrate.values import Class, Function, Scope, Span, Text

Role = Literal["create_spark_session", "process_song_data", "process_log_data", "main"]
ROLES: tuple[Role, ...] = ("create_spark_session", "process_song_data", "process_log_data", "main")
_STANDARD = ("spark", "input_data", "output_data")
_SONG_TABLES, _LOG_TABLES = {"songs", "artists"}, {"users", "time", "songplays"}
_HEAD = '''"""Sparkify's ETL job. Run it (`python etl.py --help`), or import its functions."""
'''
_TAIL = """
if __name__ == "__main__":
    from sparkify_lake.cli import entry

    entry()
"""


@dataclass(frozen=True, slots=True)
class OldFunction:
    """A function of the old script that its callers may use.

    Attributes:
        name: Its name.
        role: The function of ours that replaces it.
        line: Its line.
        parameters: Its parameters, with whether each has a default.
        session: The parameter that is the session, if there is one.
        input: The input, as an expression of the parameters.
        songs: The input of the songs, if that is another one.
        output: The output.
    """

    name: str
    role: Role
    line: int
    parameters: tuple[tuple[str, bool], ...] = ()
    session: str = ""
    input: str = ""
    songs: str = ""
    output: str = ""

    @property
    def is_standard(self) -> bool:
        """Whether ours takes the same arguments."""
        names = tuple(name for name, _ in self.parameters)
        if self.role == "create_spark_session":
            return True
        if self.role == "main":
            return not names
        return (
            names[:3] == _STANDARD and not self.songs and (self.session, self.input, self.output) == _STANDARD
        )


def functions_of(
    module: Scope, recording: Recording, tables: Mapping[str, OldTable]
) -> tuple[list[OldFunction], list[tuple[str, int]]]:
    """Returns the functions that callers may use, and the name and line of those that have no successor."""
    root = root_of([table.write.path for table in tables.values()], OUTPUT_NAME)
    output = str(root.path) if root is not None else ""
    kept: list[OldFunction] = []
    lost: list[tuple[str, int]] = []
    for name, value in module.names.items():
        if isinstance(value, Class):
            lost.append((name, value.node.lineno))
        node = value.node if isinstance(value, Function) else None
        if not isinstance(node, ast.FunctionDef) or value.scope is not module:
            continue
        role = _role(name, recording, tables)
        if role is None:
            lost.append((name, node.lineno))
        else:
            kept.append(_described(name, node, role, recording, output))
    return kept, lost


def _role(name: str, recording: Recording, tables: Mapping[str, OldTable]) -> Role | None:
    if name in recording.session_functions:
        return "create_spark_session"
    if name == "main":
        return "main"
    is_reading = any(name in read.functions for read in recording.reads)
    written = {table.name for table in tables.values() if name in table.write.functions}
    if not written or not (is_reading or written <= _LOG_TABLES or written <= _SONG_TABLES):
        return None
    if written <= _SONG_TABLES:
        return "process_song_data" if is_reading else None
    if written <= _LOG_TABLES:
        return "process_log_data" if is_reading else None
    return "main"


def _described(
    name: str, node: ast.FunctionDef, role: Role, recording: Recording, output: str
) -> OldFunction:
    arguments = (*node.args.posonlyargs, *node.args.args)
    optional = len(arguments) - len(node.args.defaults)
    parameters = [(one.arg, number >= optional) for number, one in enumerate(arguments)]
    parameters += [(one.arg, True) for one in node.args.kwonlyargs]
    names = {parameter for parameter, _ in parameters}
    session = recording.session_parameters.get(name, "")
    log_reads = [read for read in recording.reads if part_of(read.path) == "log"]
    song_reads = [read for read in recording.reads if part_of(read.path) == "song"]
    songs, logs = (_input(reads, name, names) for reads in (song_reads, log_reads))
    root = logs or songs or _used(node, names, r"in|source|src|raw")
    return OldFunction(
        name=name,
        role=role,
        line=node.lineno,
        parameters=tuple(parameters),
        session=session if session in names else "",
        input=root,
        songs=songs if songs != root else "",
        output=_output(recording.writes, name, names, output) or _used(node, names, r"out|target|dest|lake"),
    )


def _used(node: ast.FunctionDef, names: set[str], pattern: str) -> str:
    """Returns the parameter with a name of this kind that a function uses."""
    used = [inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name) and inner.id in names]
    return next((name for name in used if re.match(pattern, name, re.I)), "")


def _input(reads: Sequence[Read], function: str, names: set[str]) -> str:
    """Returns the input of a function: a parameter, and what the function puts before the data folder."""
    span, path = _parameter(reads, function, names)
    if span is None:
        return ""
    rest = str(path)[len(str(path.prefix(span))) :]
    data = DATA_FOLDER.search(rest)
    return _below(span.name, rest[: data.start()] if data else "")


def _output(writes: Sequence[Write], function: str, names: set[str], root: str) -> str:
    """Returns the output of a function: a parameter, and what the function puts before the folders."""
    span, path = _parameter(writes, function, names)
    if span is None:
        return ""
    beginning = str(path.prefix(span))
    return _below(span.name, root[len(beginning) :]) if root.startswith(beginning) else span.name


def _below(parameter: str, folder: str) -> str:
    """Returns the expression for a folder below a parameter."""
    is_below = folder.strip("/") and not set(folder) & set("{}*?[")
    return f'f"{{{parameter}}}{folder.rstrip("/")}"' if is_below else parameter


def _parameter(
    uses: Sequence[Read] | Sequence[Write], function: str, names: set[str]
) -> tuple[Span | None, Text]:
    """Returns the parameter of a function with which the paths of its reads or writes begin."""
    for use in uses:
        if function in use.functions:
            for span in use.path.spans:
                if span.is_parameter and span.name in names:
                    return span, use.path
    return None, Text()


def text_of_script(functions: Sequence[OldFunction]) -> str:
    """Returns the text of the new script."""
    imports: dict[str, None] = {}
    wrappers: list[str] = []
    names: list[str] = []
    for function in functions:
        names.append(function.name)
        if function.is_standard:
            as_name = "" if function.name == function.role else f" as {function.name}"
            imports[f"{function.role}{as_name}"] = None
        else:
            wrappers.append(_wrapper(function))
    roles = {function.role for function in functions}
    for role in ("create_spark_session", "main", "process_log_data", "process_song_data"):
        if role not in roles:
            imports[role] = None
            names.append(role)
    lines = [_HEAD]
    if wrappers:
        lines.append("from sparkify_lake import etl")
    if imports:
        lines.append(_import_line(sorted(imports)))
    listed = ", ".join(f'"{name}"' for name in sorted(set(names)))
    lines.append(f"\n__all__ = [{listed}]")
    lines += [f"\n\n{wrapper}" for wrapper in wrappers]
    return "\n".join(lines) + "\n" + ("\n" if wrappers else "") + _TAIL


def _import_line(names: Sequence[str]) -> str:
    line = f"from sparkify_lake.etl import {', '.join(names)}"
    if len(line) <= 110:
        return line
    return "from sparkify_lake.etl import (\n" + "".join(f"    {name},\n" for name in names) + ")"


_TABLES_OF_ROLE = {
    "process_song_data": "songs and artists",
    "process_log_data": "users, time and songplays",
    "main": "all five tables",
}


def _wrapper(function: OldFunction) -> str:
    """Returns a function with the parameters of the old one."""
    parameters = ", ".join(name + ("=None" if optional else "") for name, optional in function.parameters)
    places = [function.input or "None", function.output or "None"]
    if function.role != "main":
        places.insert(0, function.session or "None")
    if function.songs:
        places.append(f"song_data={function.songs}")
    is_configured = not function.input and not function.output
    source = "; lake.cfg and dl.cfg name the input and the output" if is_configured else ""
    return (
        f"def {function.name}({parameters}):\n"
        f'    """Writes {_TABLES_OF_ROLE[function.role]}{source}."""\n'
        f"    return etl.{function.role}({', '.join(places)})"
    )
