"""Which files a path means, and which partition columns their folders give: Spark's rules.

Sail reads a path that does not exist as an empty table, gives every partition column as text, and does not
know `__HIVE_DEFAULT_PARTITION__`; so the session lists the files itself, on the local disk and on S3.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from sparkify_lake.session.refusal import not_covered
from sparkify_lake.settings.locations import is_remote

NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
# The characters that Spark escapes in the name of a partition folder.
_ESCAPED = frozenset("\"#%'*/:=?\\\x7f{[]^" + "".join(map(chr, range(1, 32))))
_MAGIC = re.compile(r"[*?\[{]")
_INT, _LONG = 2**31, 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A data file, with the values of the partition folders above it."""

    path: str
    size: int
    changed: int
    values: Mapping[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A path on one file system. `url` is the path as the server needs it."""

    system: Any
    path: str
    prefix: str

    @property
    def url(self) -> str:
        """The location as text."""
        return self.prefix + self.path

    def children(self, *, recursive: bool = False) -> list[Any]:
        """Lists what is below; nothing if the folder does not exist."""
        from pyarrow.fs import FileSelector

        return list(
            self.system.get_file_info(FileSelector(self.path, allow_not_found=True, recursive=recursive))
        )

    def at(self, path: str) -> Place:
        """Returns another path on the same file system."""
        return Place(system=self.system, path=path, prefix=self.prefix)


def place_of(session: Any, path: str | os.PathLike[str]) -> Place:
    """Returns the place of a path; passes the settings for S3 to the server if it needs them."""
    text = os.fspath(path)
    if is_remote(text):
        rest = text.partition("://")[2]
        return Place(system=session.s3(), path=re.sub("/+", "/", rest).rstrip("/"), prefix="s3://")
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):/", text)
    if scheme and scheme[1] != "file":
        raise not_covered(
            f"a path with {scheme[1]}:/", hint="use a local path, file:/, s3://, s3a:// or s3n://"
        )
    from pyarrow.fs import LocalFileSystem

    local = re.sub(r"^file:(//)?", "", text)
    return Place(system=LocalFileSystem(), path=os.path.abspath(local), prefix="")


def expanded(place: Place) -> list[Place]:
    """Returns what a path means: itself if it exists, otherwise what its pattern matches."""
    if not _MAGIC.search(place.path) or _exists(place):
        return [place] if _exists(place) else []
    found: set[str] = set()
    for pattern in _without_braces(place.path):
        starts = [""] if pattern.startswith("/") else [pattern.partition("/")[0]]
        for part in [one for one in pattern.split("/")[1:] if one]:
            if _MAGIC.search(part):
                starts = [
                    f"{start}/{info.base_name}"
                    for start in starts
                    for info in _inside(place.at(start or "/"))
                    if fnmatchcase(info.base_name, part.replace("[^", "[!"))
                ]
            else:
                starts = [f"{start}/{part}" for start in starts]
        found.update(start for start in starts if _exists(place.at(start)))
    return [place.at(path) for path in sorted(found) if _is_data(path.rpartition("/")[2])]


def _inside(place: Place) -> list[Any]:
    return [] if place.system.get_file_info(place.path).is_file else place.children()


def _exists(place: Place) -> bool:
    return bool(place.system.get_file_info(place.path).type.value)


def _without_braces(pattern: str) -> Iterable[str]:
    group = re.search(r"\{([^{}]*)\}", pattern)
    if group is None:
        return [pattern]
    choices = (pattern[: group.start()] + one + pattern[group.end() :] for one in group[1].split(","))
    return [found for choice in choices for found in _without_braces(choice)]


def files_of(root: Place, base: Place | None, *, recursive: bool, name_filter: str = "*") -> list[File]:
    """Lists the data files of a file or a folder, with the partition values below the base."""
    info = root.system.get_file_info(root.path)
    found = [info] if info.is_file else root.children(recursive=True)
    start = len(base.path if base else root.path.rpartition("/")[0] if info.is_file else root.path)
    files = []
    for one in sorted((one for one in found if one.is_file), key=lambda one: one.path):
        folders = [part for part in one.path[start:].split("/")[:-1] if part]
        inner = [part for part in one.path[len(root.path) :].split("/") if part]
        partitions = [part for part in folders if "=" in part and not recursive]
        if not all(map(_is_data, inner)) or not fnmatchcase(one.base_name, name_filter):
            continue
        if len(partitions) < len(folders) and not recursive and not base:
            continue  # Spark reads only the folder itself and its partitions
        values = dict(map(_partition, partitions))
        files.append(File(path=one.path, size=one.size, changed=one.mtime_ns or 0, values=values))
    return files


def _is_data(name: str) -> bool:
    return not name.startswith(".") and (not name.startswith("_") or "=" in name)


def _partition(folder: str) -> tuple[str, str | None]:
    name, _, value = folder.partition("=")
    return unescaped(name), None if value == NULL_PARTITION else unescaped(value)


def unescaped(text: str) -> str:
    """Returns the value of an escaped name."""
    from urllib.parse import unquote

    return unquote(text, errors="surrogateescape")


def folder_name(column: str, value: str | None) -> str:
    """Returns the name of a partition folder as Spark writes it.

    Example:
        >>> folder_name("artist_id", "AR/1"), folder_name("year", None)
        ('artist_id=AR%2F1', 'year=__HIVE_DEFAULT_PARTITION__')
    """
    return f"{_escape(column)}={_escape(value) if value else NULL_PARTITION}"


def _escape(text: str) -> str:
    return "".join(f"%{ord(char):02X}" if char in _ESCAPED else char for char in text)


def partition_type(values: Iterable[str | None]) -> str:
    """Returns the type that Spark infers for a partition column from all its values."""
    kinds = {_kind(value) for value in set(values) if value is not None}
    if len(kinds) == 1:
        return kinds.pop()
    for wide, narrow in (
        ("bigint", {"int"}),
        ("double", {"int", "bigint"}),
        ("timestamp", {"date"}),
    ):
        if kinds and kinds <= {wide, *narrow}:
            return wide
    return "string"


def _kind(value: str) -> str:
    if re.fullmatch(r"[+-]?\d+", value):
        number = int(value)
        return "int" if -_INT <= number < _INT else "bigint" if -_LONG <= number < _LONG else "double"
    if re.fullmatch(r"[+-]?(\d+\.\d*|\.\d+|\d+)([eE][+-]?\d+)?[dDfF]?", value):
        return "double"
    if re.fullmatch(r"\d{4}-\d\d?-\d\d?", value):
        return "date"
    return (
        "timestamp" if re.fullmatch(r"\d{4}-\d\d?-\d\d?[ T]\d\d?:\d\d?(:\d\d?(\.\d+)?)?", value) else "string"
    )
