"""The report of a run and of a sample, as frozen data.

The native module counts; nothing is counted or decided here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from sparkify_lake.render.text_table import (
    TextTable,
    format_bytes,
    format_count,
    format_counts,
    format_seconds,
)
from sparkify_lake.results.expectations import ExpectationResult, expectations_text
from sparkify_lake.results.highlights import Highlights
from sparkify_lake.results.report_parts import (
    BadFile,
    PlayCounts,
    RecordCounts,
    Reject,
    SourceReport,
    StageReport,
    TableReport,
)
from sparkify_lake.results.request_cost import Requests, describe_requests
from sparkify_lake.results.result import JsonData, Result, songs_first

if TYPE_CHECKING:
    from sparkify_lake.render.charts import Markup

# How many quarantined records and bad files the text table names.
MAX_EXAMPLES = 3


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RunReport(Result):
    """The report of one run: what it read, wrote and skipped.

    `str()` gives a text table, notebooks display an HTML table, and `to_html()` returns a page with charts.
    Programs use `to_dict()` and `to_json()`, whose form `sparkify_lake.report.schema()` describes.

    Attributes:
        report_version: Version of the form of the report.
        package_version: Version of sparkify-lake.
        run_id: Name of the run: its start time and a random part.
        state: "published"; "unchanged" if there was nothing to do; "built" if nothing was written.
        rebuilt: Why the run read all input although the lake contains tables; None if it did not.
        version: Version of the lake with these tables; None if nothing was written.
        started_at: Start time, ISO 8601, UTC.
        seconds: Wall time.
        input: The files found, by "songs" and "logs".
        output: Root of the lake; None if nothing was written.
        options: The options in effect, as text.
        stages: Wall time by phase, in order.
        records: Record counts, by "songs" and "logs".
        filtered: Number of filtered records by reason.
        reasons: Number of quarantined records by reason, by "songs" and "logs".
        coerced: Number of records loaded after a lossless conversion, by "songs" and "logs".
        unknown_keys: JSON keys that no table uses, by "songs" and "logs".
        rejects: The first quarantined records.
        bad_files: Files left out as a whole.
        tables: The tables by name, in the order of the star schema.
        plays: Number of plays and matches.
        quarantine: Path of the quarantined records.
        credentials: Source of the credentials; None if none were needed.
        requests: Requests to the object store and what S3 charges for them; None if all files are local.
        warnings: Warnings.
        peak_rss_bytes: Peak memory of the process.
        threads: Number of worker threads.
        executor: Where the shards were processed: `local`, or the name of an executor.
        highlights: Highlights of the lake; only with the option `report`.
        expectations: Results of the expectations about the tables.
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
    expectations: Sequence[ExpectationResult] = ()

    # Lists in JSON, mappings by name here.
    _listed_fields: ClassVar[tuple[str, ...]] = ("tables",)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> RunReport:
        """Returns the report for a plain mapping, as `to_dict` returns it and `--json` prints it."""
        highlights = data.get("highlights")
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
                "expectations": tuple(map(ExpectationResult.from_dict, data.get("expectations", ()))),
                "highlights": None if highlights is None else Highlights.from_dict(highlights),
            }
        )

    def to_html(self) -> str:
        """Returns the report as a complete HTML page that needs no other file."""
        from sparkify_lake.render.html_report import document

        return document(f"sparkify-lake: {self.state}, {self.started_at}", self._page_parts())

    def _page_parts(self) -> Iterator[Markup]:
        # Most runs draw no page.
        from sparkify_lake.render.html_report import facts, heading, section, warning
        from sparkify_lake.results import report_page

        version = f", version {self.version}" if self.version is not None else ""
        paths = [] if self.output is None else [self.output + version]
        yield heading("sparkify-lake:", self.state, paths, [self.started_at])
        yield from map(warning, self.warnings)
        yield report_page.summary(self.tables, self.plays, self.records, self.seconds)
        if self.highlights is not None and self.highlights.periods:
            yield report_page.plays_section(self.highlights)
        yield section(
            "Input",
            *report_page.records_parts(self.records, self.input),
            *report_page.reasons_parts(self.filtered, self.reasons),
            *report_page.rejects_parts(self.rejects, self.bad_files, self.quarantine),
        )
        yield section("Tables", report_page.tables_part(self.tables))
        if self.expectations:
            yield section("Expectations", report_page.expectations_part(self.expectations))
        yield section("Time by phase", report_page.phases_part(self.stages))
        yield section("Run", facts(self._page_facts()))

    def _page_facts(self) -> list[tuple[str, str]]:
        options = ", ".join(f"{name}={value}" for name, value in self.options.items() if value)
        return [
            *((f"{name} from", source.location) for name, source in songs_first(self.input)),
            ("last play", self.plays.last_at or ""),
            ("requests", describe_requests(self.requests)),
            ("credentials", self.credentials or ""),
            ("memory", self._memory()),
            ("threads", format_count(self.threads)),
            ("executor", "" if self.executor == "local" else self.executor),
            ("coerced", format_counts(self.coerced)),
            ("unknown keys", _counts_by_input(self.unknown_keys)),
            ("options", options),
            ("run", self.run_id),
            ("written by", f"sparkify-lake {self.package_version}"),
        ]

    def _title(self) -> str:
        return f"{self.state} in {format_seconds(self.seconds)}"

    def _tables(self) -> list[TextTable]:
        expectations = expectations_text(self.expectations)
        return [self._size_table(), self._record_table(), expectations, self._fact_table()]

    def _warnings(self) -> Sequence[str]:
        return self.warnings

    def _size_table(self) -> TextTable:
        return TextTable(
            head=("table", "rows", "files", "size", "written", "unchanged", "removed", "folder"),
            rows=[
                (
                    table.name,
                    format_count(table.rows),
                    format_count(table.files),
                    format_bytes(table.bytes),
                    format_count(table.written),
                    format_count(table.unchanged),
                    format_count(table.removed),
                    table.folder,
                )
                for table in self.tables.values()
            ],
            text_columns=("table", "folder"),
        )

    def _record_table(self) -> TextTable:
        rows = []
        for name, counts in songs_first(self.records):
            source = self.input.get(name)
            numbers = (counts.read, counts.loaded, counts.filtered, counts.quarantined)
            found = (format_count(source.files), format_bytes(source.bytes)) if source else ("", "")
            rows.append((name, *map(format_count, numbers), *found))
        head = ("records", "read", "loaded", "filtered", "quarantined", "files", "size")
        return TextTable(head=head, rows=rows, text_columns=("records",))

    def _fact_table(self) -> TextTable:
        rows = [
            *((f"{name} from", source.location) for name, source in songs_first(self.input)),
            ("lake", self.output or ""),
            ("read", _describe_reading(self.input)),
            ("rebuilt", self.rebuilt or ""),
            ("matched", self._matches()),
            ("last play", self.plays.last_at or ""),
            ("time", ", ".join(f"{phase.name} {format_seconds(phase.seconds)}" for phase in self.stages)),
            ("memory", self._memory()),
            ("coerced", format_counts(self.coerced)),
            ("quarantined", _counts_by_input(self.reasons)),
            ("such as", ", ".join(f"{r.file}:{r.line} {r.reason}" for r in self.rejects[:MAX_EXAMPLES])),
            ("left out", ", ".join(f"{file.file} {file.reason}" for file in self.bad_files[:MAX_EXAMPLES])),
            ("quarantine", self.quarantine or ""),
            ("requests", describe_requests(self.requests)),
            ("credentials", self.credentials or ""),
            ("run", self.run_id),
        ]
        return TextTable(rows=[row for row in rows if row[1]])

    def _matches(self) -> str:
        if not self.plays.rows:
            return ""
        return f"{format_count(self.plays.matched)} of {format_count(self.plays.rows)} plays have a song"

    def _memory(self) -> str:
        return f"{format_bytes(self.peak_rss_bytes)} at most" if self.peak_rss_bytes else ""


def _describe_reading(sources: Mapping[str, SourceReport]) -> str:
    """Returns how many files were read, if that is not all of them."""
    kept = sum(source.files_kept for source in sources.values())
    parts = []
    if any(source.files_read != source.files for source in sources.values()):
        parts = [
            f"{format_count(source.files_read)} of {format_count(source.files)} files of {name}"
            for name, source in songs_first(sources)
        ]
        parts = [", ".join(parts), "the lake already contains the others"]
    if kept:
        parts.append(f"the rows of {format_count(kept)} deleted files are kept")
    return "; ".join(parts)


def _counts_by_input(counts: Mapping[str, Mapping[str, int]]) -> str:
    return "; ".join(f"{name}: {format_counts(numbers)}" for name, numbers in songs_first(counts) if numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleReport(JsonData):
    """The contents of a sample data set.

    Attributes:
        directory: Its folder.
        songs: Number of songs.
        song_files: Number of song files.
        events: Number of log events.
        log_files: Number of log files.
        bytes: Size of all files.
        seconds: Wall time.
    """

    directory: str
    songs: int
    song_files: int
    events: int
    log_files: int
    bytes: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"{format_count(self.songs)} songs in {format_count(self.song_files)} files and "
            f"{format_count(self.events)} events in {format_count(self.log_files)} files "
            f"({format_bytes(self.bytes)}) in {self.directory}"
        )


def schema() -> dict[str, Any]:
    """Returns the JSON Schema (draft 2020-12) of `RunReport.to_dict()` and of the output of `--json`."""
    from importlib.resources import files
    from json import loads

    text = files("sparkify_lake.results").joinpath("report.schema.json").read_text(encoding="utf-8")
    parsed: dict[str, Any] = loads(text)
    return parsed
