"""The comparison of two lakes and of two reports, for ``compare_engines.py``.

Names of runs and times, which differ between two runs of one build, are replaced first: the docstring of
``compare_engines.py`` lists the fields.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RUN = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]+")
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*(?:Z|\+00:00)"
RECORD = re.compile(rb'\{"sha256":"([0-9a-f]{64})","record":(.*)\}\n', re.DOTALL)
STAGE = "_etl/stage"
VOLATILE = {"seconds", "peak_rss_bytes", "started_at", "committed_at"}

Tree = Mapping[str, tuple[str, bytes]]
"""By path: the kind of a file or folder with its permissions, and its content."""


class DifferenceError(Exception):
    """Something differs between the two builds."""


def where(old: bytes, new: bytes) -> str:
    """Returns the first difference of two byte strings, with the bytes around it.

    >>> where(b"abc", b"ab")
    "byte 2: b'abc' instead of b'ab'"
    """
    pairs = enumerate(itertools.zip_longest(old, new))
    at = next(index for index, (one, other) in pairs if one != other)
    start, end = max(0, at - 60), at + 60
    return f"byte {at}: {old[start:end]!r} instead of {new[start:end]!r}"


@dataclass
class Labels:
    """Replaces what differs between two runs: the names of runs, and times of modification.

    Attributes:
        ignored: Fields of reports that hold messages, if these are not compared.
        names: The replacements.
    """

    ignored: frozenset[str] = frozenset()
    names: dict[str, str] = field(default_factory=dict)

    def learn(self, lake: Path, step: int, report: str) -> None:
        """Gives names to the runs and times of modification that this step has made."""
        texts = {report, *map(str, lake.glob("_etl/*/*"))}
        texts |= {path.read_text(errors="replace") for path in lake.glob("_etl/log/*.json")}
        found = {name for text in texts for name in RUN.findall(text)}
        for number, name in enumerate(sorted(found - self.names.keys())):
            self.names[name] = f"RUN-{step}" + (f".{number}" if number else "")
        for path in lake.rglob("*"):
            if path.is_file():
                seconds, nanoseconds = divmod(path.stat().st_mtime_ns, 10**9)
                self.names.setdefault(f"{seconds}.{nanoseconds:09}", f"STEP-{step}")

    def called(self, text: str) -> str:
        """Replaces the names of runs."""
        return RUN.sub(lambda found: self.names.get(found[0], found[0]), text)

    def tree(self, lake: Path) -> Tree:
        """Returns all files and folders of a lake except the staging area."""
        found = {}
        for path in lake.rglob("*"):
            name = path.relative_to(lake).as_posix()
            if not f"{name}/".startswith(f"{STAGE}/"):
                shown = self.called(name) if name.startswith("_etl/") else name
                mode = stat.filemode(path.lstat().st_mode)
                found[shown] = (mode, self._content(name, path.read_bytes()) if path.is_file() else b"")
        return found

    def _content(self, name: str, data: bytes) -> bytes:
        if name.startswith("_etl/log/"):
            return self._record(name, data)
        if name.startswith("_etl/done/"):
            return self._dated(data.decode(), json.loads(data)).encode()
        return data

    def _record(self, name: str, data: bytes) -> bytes:
        found = RECORD.fullmatch(data)
        if found is None or hashlib.sha256(found[2]).hexdigest() != found[1].decode():
            raise DifferenceError(f"{name}: the checksum of the commit record is wrong")
        text = self._dated(found[2].decode(), json.loads(found[2]))
        text = re.sub(rf'"(committed_at|listed_at)":"{TIME}"', r'"\1":"TIME"', text)
        fields = r'"(?:run|rejects|name|quarantine)":"(?:[^"\\]|\\.)*"'
        return re.sub(fields, lambda found: self.called(found[0]), text).encode()

    def _dated(self, text: str, document: Any) -> str:
        """Replaces the times of modification of a commit record or a marker."""
        for value in set(_stamps(document)):
            text = text.replace(f':"{value}"', f':"{self.names.get(value, value)}"')
        return text

    def printed(self, output: str) -> str:
        """Returns a report, a dry run or a status without what differs between two runs of one build."""
        return json.dumps(self._plain(json.loads(output)), indent=1) if output else ""

    def _plain(self, value: Any, name: str = "") -> Any:
        if name in VOLATILE and value is not None:
            return type(value).__name__
        if name in self.ignored:
            return len(value) if isinstance(value, list) else value is not None
        if isinstance(value, dict):
            return {self.called(key): self._plain(one, key) for key, one in value.items()}
        if isinstance(value, list):
            return [self._plain(one) for one in value]
        return self.called(value) if isinstance(value, str) else value


def _stamps(document: Any) -> Iterator[str]:
    """Returns the times of modification in a commit record or a marker.

    >>> list(_stamps({"files": {"a": {"stamp": "1.5", "size": 1}}, "removed": {"b": "1.6"}}))
    ['1.5', '1.6']
    """
    if isinstance(document, dict):
        for name, value in document.items():
            if name in ("stamp", "replaces"):
                yield value
            elif name == "removed":
                yield from value.values()
            elif name == "stamps":
                for stamps in value.values():
                    yield from stamps.values()
            else:
                yield from _stamps(value)
    elif isinstance(document, list):
        for value in document:
            yield from _stamps(value)


def contents(folder: Path) -> Tree:
    """Returns the files of an input."""
    return {
        str(path.relative_to(folder)): ("-", path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


def compare(old: Tree, new: Tree) -> int:
    """Compares two folders; returns the number of files.

    Raises:
        DifferenceError: With the first path that differs.

    >>> compare({"a": ("-rw", b"1")}, {"a": ("-rw", b"2")})
    Traceback (most recent call last):
    ...
    comparison_lakes.DifferenceError: a: byte 0: b'1' instead of b'2'
    """
    for name in sorted({*old, *new}):
        if name not in old or name not in new:
            raise DifferenceError(f"{name}: only in the {'old' if name in old else 'new'} one")
        if old[name][0] != new[name][0]:
            raise DifferenceError(f"{name}: {old[name][0]} instead of {new[name][0]}")
        if old[name][1] != new[name][1]:
            raise DifferenceError(f"{name}: {where(old[name][1], new[name][1])}")
    return sum(mode.startswith("-") for mode, _ in old.values())
