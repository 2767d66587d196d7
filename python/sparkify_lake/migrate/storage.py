"""Reads and writes: methods of readers and writers of Spark, and the state of the script."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sparkify_lake.migrate import library
from sparkify_lake.migrate.frames import Frame, Reader, Writer
from sparkify_lake.migrate.recording import Note, Read, Recording, Write, part_of
from sparkify_lake.migrate.values import Settings, Text, constant_of, names_in

Arguments = Sequence[Any]
Keywords = Mapping[str, Any]


@dataclass(slots=True)
class Context:
    """The state of the script while it is read.

    Attributes:
        recording: What was found.
        views: The temporary views, by name in lower case.
        lake: The frames that were written, by path.
        functions: The functions of the script that are running, outermost first.
        calls: The lines that called them.
    """

    recording: Recording
    views: dict[str, Frame] = field(default_factory=dict)
    lake: dict[str, Frame] = field(default_factory=dict)
    functions: list[str] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)


def reader_method(
    context: Context, reader: Reader, name: str, arguments: Arguments, keywords: Keywords, line: int
) -> Any:
    """Returns the result of a method of `spark.read`."""
    if name == "format":
        return replace(
            reader, format=constant_of(arguments[0] if arguments else keywords.get("source")) or ""
        )
    given_options = dict(keywords)
    if name == "option" and len(arguments) == 2:
        given_options[constant_of(arguments[0]) or ""] = arguments[1]
    multiline = next((one for key, one in given_options.items() if key.lower() == "multiline"), None)
    if multiline is True or constant_of(multiline) in ("true", "True"):
        reader = replace(reader, is_multiline=True)
    if name in ("json", "parquet", "load", "csv", "orc", "text"):
        given = arguments[0] if arguments else keywords.get("path")
        paths = given if isinstance(given, list | tuple) else [given]
        for path in map(_path, paths):
            if isinstance(path, Text):
                kind = (constant_of(keywords.get("format")) or reader.format) if name == "load" else name
                is_input = kind in ("json", "text", "")
                found = _written(context, path, by_name=not is_input)
                if found is not None:
                    return found
                if is_input:
                    context.recording.reads.append(Read(path, line, tuple(context.functions)))
                    if reader.is_multiline and part_of(path) == "log":
                        reason = "sparkify-lake reads all records"
                        note = Note(line, "with multiLine, Spark reads one record of each log file", reason)
                        context.recording.differs.append(note)
                else:
                    reason = "the names of its columns are expected to be those of the input"
                    context.recording.not_understood(line, f"the {kind} files in {path}", reason)
                return Frame(sources=frozenset({part_of(path)} - {""}))
            context.recording.not_understood(line, "the path of a read")
        return Frame()
    return reader  # option, schema


def _written(context: Context, path: Text, *, by_name: bool) -> Frame | None:
    """Returns the frame that the script wrote to a path; a glob below it is the same frame.

    With `by_name`, the name of the folder decides if no such path was written.
    """
    wanted = _key(path)
    for key, frame in context.lake.items():
        if wanted == key or wanted.startswith(f"{key}/"):
            return frame
    words = [word for word in wanted.split("/") if not re.search(r"[*?=\[{]", word)]
    last = [frame for key, frame in context.lake.items() if words and key.rpartition("/")[2] == words[-1]]
    return last[0] if by_name and len(last) == 1 else None


def _path(value: Any) -> Any:
    """Returns a path; a key before the first section of a configuration file is one, too."""
    return library.text_of(value) if isinstance(value, Settings) else value


def _key(path: Text) -> str:
    return str(path).rstrip("/").replace("//", "/")


def writer_method(
    context: Context, writer: Writer, name: str, arguments: Arguments, keywords: Keywords, line: int
) -> Any:
    """Returns the result of a method of `frame.write`."""
    if name == "mode":
        return replace(
            writer, mode=constant_of(arguments[0] if arguments else keywords.get("saveMode")) or "?"
        )
    if name == "partitionBy":
        return replace(writer, partitions=_partitions(context, arguments, line))
    if name == "format":
        given = arguments[0] if arguments else keywords.get("source")
        return replace(writer, format=constant_of(given) or "?")
    if name in ("option", "options"):
        pairs = dict(keywords)
        if name == "option" and len(arguments) == 2:
            pairs[constant_of(arguments[0]) or ""] = arguments[1]
        elif "key" in keywords:
            pairs = {constant_of(keywords["key"]) or "": keywords.get("value")}
        for key, value in pairs.items():
            if key.lower() == "compression":
                writer = replace(writer, compression=constant_of(value) or "?")
            elif key.lower() == "path" and isinstance(value, Text):
                context.recording.not_understood(line, "a path that is set as an option of a writer")
        return writer
    if name in ("parquet", "save", "csv", "json", "orc", "text"):
        _record_write(context, writer, name, arguments, keywords, line)
        return None
    if name in ("saveAsTable", "insertInto", "jdbc"):
        context.recording.not_understood(
            line, f"a write with {name}()", "sparkify-lake writes folders of Parquet files"
        )
        return None
    return writer  # sortBy, bucketBy


def _record_write(
    context: Context, writer: Writer, name: str, arguments: Arguments, keywords: Keywords, line: int
) -> None:
    order = (
        ("path", "format", "mode", "partitionBy")
        if name == "save"
        else ("path", "mode", "partitionBy", "compression")
    )
    given = {**dict(zip(order, arguments, strict=False)), **keywords}
    path = _path(given.get("path"))
    if not isinstance(path, Text):
        context.recording.not_understood(line, "the path of a write")
        return
    columns = given.get("partitionBy")
    partitions = _partitions(context, [columns], line) if columns else writer.partitions
    kind = (constant_of(given.get("format")) or writer.format) if name == "save" else name
    context.recording.writes.append(
        Write(
            path=path,
            line=line,
            functions=tuple(context.functions),
            calls=tuple(context.calls),
            frame=writer.frame,
            mode=(constant_of(given.get("mode")) or writer.mode),
            partitions=partitions,
            format=kind,
            compression=constant_of(given.get("compression")) or writer.compression,
        )
    )
    if writer.frame is not None:
        context.lake[_key(path)] = writer.frame


def _partitions(context: Context, values: Arguments, line: int) -> tuple[str, ...]:
    """Returns the names of partition columns."""
    columns = [
        one for value in values for one in (value if isinstance(value, list | tuple) else [value]) if one
    ]
    names = names_in(*columns)
    if len(names) != len(columns):
        context.recording.not_understood(line, "a partition column", "it is not the name of a column")
    return tuple(names)
