"""How the rows of the catalog of bad input are written: cases, references to other tests, and their data.

The two good files that every input holds beside the case are in `BASE`: one song, three plays.
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pyarrow as pa

Data: TypeAlias = bytes | Callable[[], bytes]

MEBIBYTE = 1 << 20
TS = 1541121934796


def play(members: str = "", *, ts: str = f'"ts":{TS}', user: str = '"userId":"26"') -> bytes:
    """A play; `members` come last, `ts` and `user` can be replaced."""
    rest = [part for part in ('"page":"NextSong"', ts, user, members) if part]
    return ("{" + ",".join(rest) + "}").encode("utf-8", "surrogatepass")


def song(artist: str, members: str = '"song_id":"SOX"') -> bytes:
    """A song whose artist_id is that JSON text."""
    return ("{" + f'{members},"artist_id":{artist},"year":1999' + "}").encode()


PLAY = play()
LINE = PLAY + b"\n"
LINES = LINE * 50
HOME = b'{"page":"Home"}'
BASE: Mapping[str, bytes] = {
    "song_data/base.json": b'{"song_id":"SOBASE","title":"T","artist_id":"ARBASE",'
    b'"artist_name":"A","duration":1.5,"year":0}',
    "log_data/base.json": b"".join(play(f'"itemInSession":{n},"sessionId":7') + b"\n" for n in range(3)),
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One input and its outcome.

    Attributes:
        name: What is special about it.
        files: Its files, beside those of `BASE`, by path; what is large is made when it is needed.
        exit: 0, or what the run must be refused with.
        says: What the refusal names: the reason, as a rule.
        loaded: Records of the case's content that must be loaded, without those of `BASE`.
        filtered: Records that a rule leaves out.
        rejects: Reasons of the records that must be in quarantine, in the order of the input, with their key.
        options: Of the run.
        report: Values that the report must hold, by a dotted path.
    """

    name: str
    files: Mapping[str, Data]
    exit: int = 0
    says: str = ""
    loaded: int = 0
    filtered: int = 0
    rejects: Sequence[str] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)

    @property
    def content(self) -> str:
        """`songs` or `logs`: what the files of the case hold."""
        return "songs" if any(path.startswith("song_data/") for path in self.files) else "logs"


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """The row is looked at by a test with this name in this file."""

    file: str
    test: str


@dataclass(frozen=True, kw_only=True)
class Unsupported:
    """The row is about something that the package does not do."""

    because: str


Row = list[Case] | list[Elsewhere] | Unsupported


def log(name: str, data: Data, path: str = "log_data/case.json", **outcome: Any) -> Case:
    """A case of one log file; every line of it is loaded unless the outcome says otherwise."""
    return Case(name=name, files={path: data}, **outcome)


def accepted(
    name: str, data: bytes, loaded: int = 1, path: str = "log_data/case.json", **outcome: Any
) -> Case:
    """A file that is taken."""
    return log(name, data, path, loaded=loaded, **outcome)


def rejected(name: str, record: bytes, *reasons: str) -> Case:
    """A record between two good ones; it goes, they stay."""
    return log(name, LINE + record + b"\n" + LINE, loaded=2, rejects=reasons)


def refused(name: str, data: Data, reason: str, path: str = "log_data/case.json", **outcome: Any) -> Case:
    """A file that refuses the run."""
    return log(name, data, path, exit=65, says=reason, **outcome)


def partition(name: str, artist: str, folder: str) -> Case:
    """A song whose partition must have that name."""
    return Case(
        name=name,
        files={"song_data/case.json": song(artist)},
        loaded=1,
        report={"partition": f"year=1999/artist_id={folder}"},
    )


def bad_partition(name: str, artist: str, reason: str) -> Case:
    """A song whose artist_id can name no folder."""
    return Case(name=name, files={"song_data/case.json": song(artist)}, rejects=[f"{reason}:artist_id"])


def zstd(data: bytes) -> bytes:
    return bytes(pa.compress(data, codec="zstd", asbytes=True))


def rust(file: str, test: str) -> list[Elsewhere]:
    return [Elsewhere(file=f"tests/rust/{file}.rs", test=test)]


def python(file: str, *tests: str) -> list[Elsewhere]:
    return [Elsewhere(file=f"tests/python/{file}.py", test=test) for test in tests]


def nested(depth: int) -> bytes:
    return play('"x":' + "[" * depth + "]" * depth)


def wrong_gzip(data: bytes, at: int) -> bytes:
    packed = bytearray(gzip.compress(data))
    packed[at] ^= 1
    return bytes(packed)


def snappy_framed(data: bytes) -> bytes:
    return b"\xff\x06\x00\x00sNaPpY" + b"\x01" + struct.pack("<I", len(data) + 4)[:3] + bytes(4) + data


def large_value() -> bytes:
    return b'{"x":"' + b"y" * (200 * MEBIBYTE)


def more_than_16_gib() -> bytes:
    """Frames of 256 MiB of zeros, one behind the other, in a file of half a megabyte."""
    return zstd(bytes(256 * MEBIBYTE)) * 65
