"""The parts of a run report, as frozen data: inputs, phases, record counts, rejects and tables."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReport:
    """The files found at one input location, and how many of them were read.

    A run does not read files that the lake already contains.

    Attributes:
        location: The location, resolved.
        files: Number of files, including deleted files whose rows were kept.
        bytes: Their size, as stored.
        files_read: Number of files that were read.
        bytes_read: Their size.
        files_kept: Number of deleted files whose rows `keep_gone` kept.
    """

    location: str
    files: int
    bytes: int
    files_read: int
    bytes_read: int
    files_kept: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StageReport:
    """The wall time of one phase of the run.

    Attributes:
        name: Name of the phase.
        seconds: Wall time.
    """

    name: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordCounts:
    """The JSON records of one input by outcome: read = loaded + filtered + quarantined.

    Attributes:
        read: Number of records.
        loaded: Records that the tables use.
        filtered: Valid records that the tables do not need, such as events that are not plays.
        quarantined: Bad records; they are copied to the quarantine.
    """

    read: int
    loaded: int
    filtered: int
    quarantined: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """One quarantined record: its place and the reason, never its content.

    Attributes:
        file: The file.
        line: Line number; the first line is 1.
        offset: Number of bytes before the record in its decompressed file.
        reason: Why the record is bad.
        key: The JSON key with the problem, if one key has it.
    """

    file: str
    line: int
    offset: int
    reason: str
    key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BadFile:
    """A file that was left out as a whole.

    Attributes:
        file: The file.
        reason: Why it was left out.
    """

    file: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TableReport:
    """One table at the output, and how many of its files this run changed.

    Attributes:
        name: Name of the table.
        folder: Its folder in the output.
        rows: Number of rows.
        files: Number of files.
        bytes: Size of the files.
        partitions: Number of partitions.
        written: Number of files that this run wrote.
        unchanged: Number of files that this run did not change.
        removed: Number of files that this run removed.
    """

    name: str
    folder: str
    rows: int
    files: int
    bytes: int
    partitions: int
    written: int
    unchanged: int
    removed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayCounts:
    """The number of plays, and of those with a matching song.

    Attributes:
        rows: Number of plays.
        matched: Number of plays with a matching song.
        last_at: Time of the last play, ISO 8601, UTC; None if there is none.
    """

    rows: int
    matched: int
    last_at: str | None = None
