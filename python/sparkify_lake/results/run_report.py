"""What a run did and what a plan would do: plain frozen data, for programs and for people.

Made from the mappings that the native module returns. Nothing is counted here, and nothing is decided.

Invariant: `to_dict` gives back what `from_dict` took; a report pickles, and holds no frame and no secret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from sparkify_lake.render.text_table import Grid, as_html, as_text, count, seconds, size
from sparkify_lake.results.request_cost import Requests, described

if TYPE_CHECKING:
    from sparkify_lake.results.highlights import Highlights

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReport:
    """What was found at one input location, and what of it was read: the lake knew the rest.

    Attributes:
        location: As it was said, resolved.
        files: How many; those that are gone and were kept count among them.
        bytes: Their size, as stored.
        files_read: Those that were read.
        bytes_read: Their size.
        files_kept: Those that are no longer there, and whose rows `keep_gone` has kept.
    """

    location: str
    files: int
    bytes: int
    files_read: int
    bytes_read: int
    files_kept: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StageReport:
    """How long one stage took."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordCounts:
    """What became of the records of one input: read = loaded + filtered + quarantined."""

    read: int
    loaded: int
    filtered: int
    quarantined: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """One quarantined record: where it is and why, never what it says."""

    file: str
    line: int
    offset: int
    reason: str
    key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BadFile:
    """A file that was left out as a whole, and why."""

    file: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TableReport:
    """One table as it lies at the output: its size, and what this run changed of its files."""

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
    """Plays, and how many of them found their song."""

    rows: int
    matched: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What one run read, wrote and left out.

    `str()` is a plain table, notebooks show a better one, `to_html()` is a page with plots; `to_dict()` and
    `to_json()` are for programs, in the form that `schema()` describes.

    Attributes:
        report_version: Of this layout.
        package_version: Of sparkify-lake.
        run_id: Names the run; its start, and a random part.
        state: "published", "unchanged" when there was nothing to do, or "built" when nothing was written.
        rebuilt: Why all of the input was read although the lake holds tables; None where that is not so.
        version: Of the lake that holds these tables; None when nothing was written.
        started_at: ISO 8601, UTC.
        seconds: Wall time.
        input: What was found, by "songs" and "logs".
        output: Where the lake is; None when nothing was written.
        options: The options that were in force, as text.
        stages: Wall time by stage, in order.
        records: Counts, by "songs" and "logs".
        filtered: Why records were filtered, by key.
        reasons: Why records were quarantined, by "songs" and "logs".
        coerced: Records taken after a lossless conversion, by "songs" and "logs".
        unknown_keys: Keys that no table uses, by "songs" and "logs".
        rejects: The first quarantined records.
        bad_files: Files left out as a whole.
        tables: By name, in the order of the star schema.
        plays: Plays and matches.
        quarantine: Where the quarantined records are.
        credentials: Where the credentials came from; None when none were needed.
        requests: What was asked of the store, and what S3 charges for it; None when all is local.
        warnings: What deserves a look.
        peak_rss_bytes: The most memory the process held.
        threads: Worker threads.
        executor: Where the work was done: `local`, or the name of an executor.
        highlights: What the lake holds at a glance; only of a run that was asked for a page (`report`).
    """

    report_version: int
    package_version: str
    run_id: str
    state: str
    rebuilt: str | None
    version: int | None
    started_at: str
    seconds: float
    input: Mapping[str, SourceReport]
    output: str | None
    options: Mapping[str, str]
    stages: Sequence[StageReport]
    records: Mapping[str, RecordCounts]
    filtered: Mapping[str, int]
    reasons: Mapping[str, Mapping[str, int]]
    coerced: Mapping[str, int]
    unknown_keys: Mapping[str, Mapping[str, int]]
    rejects: Sequence[Reject]
    bad_files: Sequence[BadFile]
    tables: Mapping[str, TableReport]
    plays: PlayCounts
    quarantine: str | None
    credentials: str | None
    warnings: Sequence[str]
    peak_rss_bytes: int | None
    threads: int
    executor: str = "local"
    requests: Requests | None = None
    highlights: Highlights | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> RunReport:
        """Makes a report of its mapping, such as `to_dict` gives or the JSON of `--json` holds."""
        highlights = None
        if data.get("highlights") is not None:
            from sparkify_lake.results.highlights import Highlights

            highlights = Highlights.from_dict(data["highlights"])
        return cls(
            **{
                **data,
                "input": {name: SourceReport(**source) for name, source in data["input"].items()},
                "stages": tuple(StageReport(**stage) for stage in data["stages"]),
                "records": {name: RecordCounts(**counts) for name, counts in data["records"].items()},
                "rejects": tuple(Reject(**reject) for reject in data["rejects"]),
                "bad_files": tuple(BadFile(**file) for file in data["bad_files"]),
                "tables": {table["name"]: TableReport(**table) for table in data["tables"]},
                "plays": PlayCounts(**data["plays"]),
                "warnings": tuple(data["warnings"]),
                "highlights": highlights,
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns plain mappings, lists and numbers, ready for JSON."""
        return plain(self, "tables", "stages", "rejects", "bad_files", "warnings")

    def to_html(self) -> str:
        """Returns the report as a whole HTML page, which needs nothing beside it."""
        from sparkify_lake.render.html_report import as_page

        return as_page(self)

    def to_json(self, *, indent: int | None = 2) -> str:
        """Returns the report as JSON text."""
        return as_json(self.to_dict(), indent)

    def __str__(self) -> str:
        return as_text(self._title(), self._grids(), self.warnings)

    __repr__ = __str__  # as a frame's: a prompt shows the table

    def _repr_html_(self) -> str:
        return as_html(self._title(), self._grids(), self.warnings)

    def _title(self) -> str:
        return f"{self.state} in {seconds(self.seconds)}"

    def _grids(self) -> list[Grid]:
        facts = [(f"{name} from", source.location) for name, source in songs_first(self.input)]
        facts += [("lake", self.output or ""), ("read", _read(self.input)), ("rebuilt", self.rebuilt or "")]
        if self.plays.rows:
            facts.append(
                ("matched", f"{count(self.plays.matched)} of {count(self.plays.rows)} plays have a song")
            )
        facts += [
            ("time", ", ".join(f"{stage.name} {seconds(stage.seconds)}" for stage in self.stages)),
            ("memory", f"{size(self.peak_rss_bytes)} at most" if self.peak_rss_bytes else ""),
            ("coerced", _counts(self.coerced)),
            (
                "quarantined",
                "; ".join(f"{name}: {_counts(n)}" for name, n in songs_first(self.reasons) if n),
            ),
            ("such as", ", ".join(f"{r.file}:{r.line} {r.reason}" for r in self.rejects[:3])),
            ("left out", ", ".join(f"{f.file} {f.reason}" for f in self.bad_files[:3])),
            ("quarantine", self.quarantine or ""),
            ("requests", described(self.requests)),
            ("credentials", self.credentials or ""),
            ("run", self.run_id),
        ]
        return [
            Grid(
                head=("table", "rows", "files", "size", "written", "unchanged", "removed", "folder"),
                rows=[
                    (
                        t.name,
                        count(t.rows),
                        count(t.files),
                        size(t.bytes),
                        count(t.written),
                        count(t.unchanged),
                        count(t.removed),
                        t.folder,
                    )
                    for t in self.tables.values()
                ],
                texts=("table", "folder"),
            ),
            Grid(
                head=("records", "read", "loaded", "filtered", "quarantined", "files", "size"),
                rows=[
                    (
                        name,
                        count(c.read),
                        count(c.loaded),
                        count(c.filtered),
                        count(c.quarantined),
                        *((count(s.files), size(s.bytes)) if (s := self.input.get(name)) else ("", "")),
                    )
                    for name, c in songs_first(self.records)
                ],
                texts=("records",),
            ),
            Grid(rows=[fact for fact in facts if fact[1]]),
        ]


def _read(sources: Mapping[str, SourceReport]) -> str:
    """Says how many files were read, where that is not all of them."""
    kept = sum(source.files_kept for source in sources.values())
    gone = f"{count(kept)} files are gone, their rows are kept" if kept else ""
    if all(source.files_read == source.files for source in sources.values()):
        return gone
    told = (f"{count(s.files_read)} of {count(s.files)} files of {name}" for name, s in songs_first(sources))
    return "; ".join(filter(None, (", ".join(told), "the lake knew the others", gone)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleReport:
    """What a sample data set holds.

    Attributes:
        directory: Where it was made.
        songs: Song records.
        song_files: Files of songs.
        events: Log events.
        log_files: Files of events.
        bytes: Of all files.
        seconds: Wall time.
    """

    directory: str
    songs: int
    song_files: int
    events: int
    log_files: int
    bytes: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Returns a plain mapping, ready for JSON."""
        return asdict(self)

    def to_json(self, *, indent: int | None = 2) -> str:
        """Returns the report as JSON text."""
        return as_json(self.to_dict(), indent)

    def __str__(self) -> str:
        return (
            f"{count(self.songs)} songs in {count(self.song_files)} files and {count(self.events)} events in "
            f"{count(self.log_files)} files ({size(self.bytes)}) below {self.directory}"
        )


def songs_first(mapping: Mapping[str, Value]) -> list[tuple[str, Value]]:
    """Lists a mapping by input, the songs before the logs."""
    return sorted(mapping.items(), key=lambda item: item[0] != "songs")


def plain(report: Any, *sequences: str) -> dict[str, Any]:
    """Returns a report as plain mappings, with lists in place of these sequences and mappings."""
    data = asdict(report)
    for name in sequences:
        value = data[name]
        data[name] = list(value.values() if isinstance(value, dict) else value)
    return data


def schema() -> dict[str, Any]:
    """Returns the JSON Schema (draft 2020-12) of `RunReport.to_dict()` and of what `--json` prints."""
    from importlib.resources import files
    from json import loads

    text = files("sparkify_lake.results").joinpath("report.schema.json").read_text(encoding="utf-8")
    described: dict[str, Any] = loads(text)
    return described


def as_json(data: Mapping[str, Any], indent: int | None) -> str:
    """Returns plain data as JSON text."""
    from json import dumps

    return dumps(data, indent=indent, ensure_ascii=False)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count(number)}" for name, number in counts.items() if number)
