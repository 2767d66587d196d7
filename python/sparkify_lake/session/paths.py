"""Paths as Spark takes them: files, folders and globs, with partitions in folder names.

Finds files and reads and writes names; opens no file. The rules are Spark's: names that begin with `_` or `.`
are not data, a folder stands for the files directly in it unless its folders are partitions, and the type of
a partition column is guessed from all its values.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path

from sparkify_lake.errors import NoInputError
from sparkify_lake.session.refusal import not_covered
from sparkify_lake.settings.locations import is_remote

NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
_ESCAPED = frozenset([*map(chr, range(1, 32)), *"\"#%'*/:=?\\{[]^", "\x7f"])
_INT, _LONG = (-(2**31), 2**31 - 1), (-(2**63), 2**63 - 1)
_WHOLE = re.compile(r"[+-]?[0-9]+")
_REAL = re.compile(r"[+-]?(NaN|Infinity|([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?)")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Files, and the partition columns that their folders name.

    Attributes:
        files: The files, sorted.
        partitions: For each file the values of the partition columns; None is NULL.
        types: The type of each partition column, as DuckDB names it.
    """

    files: Sequence[str]
    partitions: Sequence[Mapping[str, str | None]]
    types: Mapping[str, str]


def find(call: str, paths: Iterable[str | os.PathLike[str]], *, recursive: bool = False) -> Found:
    """Finds the files that a call of Spark's reader would read.

    Args:
        call: The call, for messages.
        paths: Files, folders or globs.
        recursive: Whether files are taken at any depth, without partitions (`recursiveFileLookup`).

    Returns:
        The files and their partitions.

    Raises:
        NoInputError: If a path is not there, or nothing lies in it.
    """
    files: list[str] = []
    partitions: list[dict[str, str | None]] = []
    roots = [local(call, path) for path in paths]
    for path in roots:
        for root in _expanded(call, path):
            for file, folders in _walk(root, recursive=recursive):
                files.append(file)
                partitions.append(dict(map(_partition, folders)))
    if not files:
        raise NoInputError(
            f"{call} found no data file",
            cause="a folder stands for the files directly in it, as in Spark",
            hint="name the depth by a glob such as song_data/*/*/*/*.json, or set recursiveFileLookup",
            context={"path": ", ".join(roots)},
        )
    names = list(partitions[0])
    if any(list(one) != names for one in partitions):
        raise NoInputError(
            f"{call} found folders that are partitioned in different ways",
            hint="read one table at a time: name the folder of one of them",
            context={"path": ", ".join(roots)},
        )
    types = {name: _type_of([one[name] for one in partitions]) for name in names}
    return Found(files=files, partitions=partitions, types=types)


def local(call: str, path: str | os.PathLike[str]) -> str:
    """Returns a path of the local disk without its scheme; other stores are refused by name."""
    text = os.fspath(path)
    if is_remote(text) or ("://" in text and not text.startswith("file:")):
        raise not_covered(
            f"{call} of {text.partition('://')[0]}://",
            cause="the session reads and writes local files",
            hint="read a lake in a bucket with sparkify_lake.open_lake(location)",
        )
    return re.sub(r"^file:(//)?", "", text) if text.startswith("file:") else text


def folder_name(column: str, value: str | None) -> str:
    """Returns the folder of a partition, escaped as Spark does it.

    Example:
        >>> folder_name("artist_id", "AR/1"), folder_name("year", None)
        ('artist_id=AR%2F1', 'year=__HIVE_DEFAULT_PARTITION__')
    """
    return f"{_escape(column)}={_escape(value) if value else NULL_PARTITION}"


def _escape(text: str) -> str:
    return "".join(f"%{ord(char):02X}" if char in _ESCAPED else char for char in text)


def _unescape(text: str) -> str:
    return re.sub("%([0-9A-Fa-f]{2})", lambda code: chr(int(code[1], 16)), text)


def _partition(folder: str) -> tuple[str, str | None]:
    name, _, value = folder.partition("=")
    return _unescape(name), None if value == NULL_PARTITION else _unescape(value)


def _expanded(call: str, path: str) -> list[str]:
    # A path that is there is meant literally, even if it looks like a glob.
    if os.path.exists(path) or not has_magic(path):
        found = [path] if os.path.exists(path) else []
    else:
        found = sorted(one for one in glob(path) if _is_data(os.path.basename(one.rstrip("/"))))
    if not found:
        raise NoInputError(
            f"{call}: the path does not exist",
            cause=f"there is nothing at {path}",
            hint="look at the path; a glob needs one * for each level of folders",
            context={"path": path},
        )
    return found


def _walk(root: str, *, recursive: bool) -> list[tuple[str, list[str]]]:
    """Lists the data files below a root with the partition folders above each."""
    if os.path.isfile(root):
        return [(root, [])]
    found = []
    for folder, folders, names in os.walk(root, followlinks=True):
        inner = Path(folder).relative_to(root).parts
        folders[:] = sorted(name for name in folders if _is_data(name) and (recursive or "=" in name))
        for name in sorted(filter(_is_data, names)):
            found.append((os.path.join(folder, name), [] if recursive else list(inner)))
    return found


def _is_data(name: str) -> bool:
    return not name.startswith(".") and (not name.startswith("_") or "=" in name)


def _type_of(values: Iterable[str | None]) -> str:
    kinds = {_kind(value) for value in set(values) if value is not None}
    if len(kinds) == 1:
        return kinds.pop()
    for wide, narrow in (("BIGINT", {"INTEGER"}), ("DOUBLE", {"INTEGER", "BIGINT"})):
        if kinds and kinds <= {wide, *narrow}:
            return wide
    return "VARCHAR"


def _kind(value: str) -> str:
    if _WHOLE.fullmatch(value):
        number = int(value)
        if _INT[0] <= number <= _INT[1]:
            return "INTEGER"
        return "BIGINT" if _LONG[0] <= number <= _LONG[1] else "DOUBLE"
    if _REAL.fullmatch(value):
        return "DOUBLE"
    if _DATE.fullmatch(value):
        return "DATE"
    return "TIMESTAMP WITH TIME ZONE" if _TIME.fullmatch(value) else "VARCHAR"
