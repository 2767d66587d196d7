"""The results of `doctor`, `check`, `recover` and `status`, as frozen data.

Nothing is examined or decided here; the native module did that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sparkify_lake.render.text_table import TextTable, format_bytes, format_count, format_seconds
from sparkify_lake.results.result import JsonData, Result, songs_first

# How the outcomes of a check are displayed: in ASCII, so that log files show them as a terminal does.
OUTCOMES = {"ok": "ok", "warning": "WARN", "failed": "FAIL", "skipped": "-"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check of a location and its outcome.

    Attributes:
        name: Name of the check.
        outcome: "ok", "warning", "failed" or "skipped".
        detail: What the check found.
        hint: What to do, if there is something to do.
        seconds: Wall time.
    """

    name: str
    outcome: str
    detail: str
    hint: str | None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Examination(Result):
    """The result of `doctor`: checks of a location that a run would read or write.

    `str()` gives a text table, notebooks display an HTML table; programs use `to_dict()` and `to_json()`.

    Attributes:
        location: The location, a local path or an `s3://` URL.
        checks: The checks, in order.
        exit_code: Exit code of the program: 0, or the code of the first check that failed.
    """

    location: str
    checks: Sequence[Check]
    exit_code: int

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Examination:
        """Returns the examination for a plain mapping."""
        return cls(**{**data, "checks": tuple(Check(**check) for check in data["checks"])})

    @property
    def is_healthy(self) -> bool:
        """Whether no check failed; warnings do not count."""
        return self.exit_code == 0

    def _title(self) -> str:
        counts = {outcome: sum(check.outcome == outcome for check in self.checks) for outcome in OUTCOMES}
        parts = [f"{number} {outcome}" for outcome, number in counts.items() if number]
        return f"{self.location}: {', '.join(parts) or 'no checks were made'}"

    def _tables(self) -> list[TextTable]:
        rows = [
            (
                OUTCOMES.get(check.outcome, check.outcome),
                check.name,
                format_seconds(check.seconds) if check.seconds else "",
                check.detail,
            )
            for check in self.checks
        ]
        head = ("", "check", "time", "result")
        hints = [(f"{check.name}:", check.hint) for check in self.checks if check.hint]
        return [TextTable(head=head, rows=rows, text_columns=("", "check", "result")), TextTable(rows=hints)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A file that does not match the commit log of the lake: "missing", "changed" or "foreign"."""

    path: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LostCopies:
    """Input files whose copies in the lake (`keep_gone`) are missing or damaged.

    Attributes:
        files: Their number.
        first: The names of the first files.
    """

    files: int
    first: Sequence[str]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> LostCopies:
        """Returns the files for a plain mapping."""
        return cls(files=data["files"], first=tuple(data["first"]))

    def describe(self) -> str:
        """Returns the number and the names of the first files."""
        names = ", ".join(self.first) + (" …" if self.files > len(self.first) else "")
        return f"{format_count(self.files)} input files: {names}"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Checkup(Result):
    """The result of `check` and `recover`: whether the files of a lake match its commit log.

    `str()` gives a text table, notebooks display an HTML table; programs use `to_dict()` and `to_json()`.

    Attributes:
        location: Root of the lake.
        version: Its newest version.
        run: The run that committed it.
        committed_at: Time of the commit, ISO 8601, UTC.
        is_published: Whether the version is completely published.
        is_guarded: Whether the store keeps overlapping runs apart.
        files: Number of files in the version.
        bytes: Size of these files.
        rows: Number of rows in these files.
        ignored: Number of files in the tables' folders that readers and runs ignore, because their names
            begin with `.` or `_`.
        problem_count: Number of files that do not match the commit log.
        problems: The first of these files.
        lost: Input files whose copies in the lake are missing or damaged. If such a file was deleted, its
            rows cannot be rebuilt.
        repair: What to do about the problems; None if there are none.
        exit_code: 0 if there is no problem, 75 if the version is not completely published, 76 if files do
            not match the commit log.
    """

    location: str
    version: int
    run: str
    committed_at: str
    is_published: bool
    is_guarded: bool
    files: int
    bytes: int
    rows: int
    ignored: int
    problem_count: int
    problems: Sequence[Problem]
    lost: LostCopies
    repair: str | None
    exit_code: int

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Checkup:
        """Returns the checkup for a plain mapping."""
        problems = tuple(Problem(**problem) for problem in data["problems"])
        return cls(**{**data, "problems": problems, "lost": LostCopies.from_dict(data["lost"])})

    @property
    def is_healthy(self) -> bool:
        """Whether the lake is completely published and all files match the commit log."""
        return self.exit_code == 0

    def _title(self) -> str:
        if not self.is_published:
            state = "not completely published; recover or the next run will complete it"
        elif self.problem_count:
            state = f"{format_count(self.problem_count)} files do not match the commit log"
        else:
            state = "all files match the commit log"
        return f"{self.location}, version {self.version}: {state}"

    def _tables(self) -> list[TextTable]:
        facts = [
            ("committed by", f"{self.run}, {self.committed_at}"),
            (
                "contents",
                f"{format_count(self.rows)} rows in {format_count(self.files)} files, "
                f"{format_bytes(self.bytes)}",
            ),
            ("overlapping runs", "kept apart" if self.is_guarded else "not kept apart by this store"),
        ]
        if self.ignored:
            facts.append(("ignored", f"{format_count(self.ignored)} files with names that begin with . or _"))
        if self.lost.files:
            facts.append(("lost copies", self.lost.describe()))
        if self.repair is not None:
            facts.append(("what to do", self.repair))
        problems = [(problem.what, problem.path) for problem in self.problems]
        if self.problem_count > len(problems):
            problems.append(("", f"and {format_count(self.problem_count - len(problems))} more"))
        return [
            TextTable(rows=facts),
            TextTable(head=("problem", "file"), rows=problems, text_columns=("problem", "file")),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSummary:
    """A set of files: how many, their size, and the first of them by name."""

    files: int
    bytes: int
    first: Sequence[str]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FileSummary:
        """Returns the summary for a plain mapping."""
        return cls(**{**data, "first": tuple(data["first"])})

    def describe(self) -> str:
        """Returns the names of the first files."""
        return ", ".join(self.first) + (" …" if self.files > len(self.first) else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownInput:
    """The input files that a version contains; `last_day` is the latest day in their paths."""

    location: str
    files: int
    bytes: int
    last_day: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InputChanges:
    """The differences between the current input files and those that a version contains.

    Attributes:
        location: Location of the input.
        unchanged: Number of files that the version contains in their current state.
        new: Files that the version does not contain.
        late: New files whose path has a day that is not later than the last day of the version.
        changed: Files with another size or modification time.
        gone: Deleted files; the next run removes their rows.
        kept: Deleted files of which the lake has a copy; their rows stay with `keep_gone`.
        last_day: The latest day in the paths of all current files.
    """

    location: str
    unchanged: int
    new: FileSummary
    late: FileSummary
    changed: FileSummary
    gone: FileSummary
    kept: FileSummary
    last_day: str | None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> InputChanges:
        """Returns the changes for a plain mapping."""
        names = ("new", "late", "changed", "gone", "kept")
        return cls(**{**data, **{name: FileSummary.from_dict(data[name]) for name in names}})

    @property
    def is_news(self) -> bool:
        """Whether a run would have anything to do."""
        return bool(self.new.files or self.changed.files or self.gone.files)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Status(Result):
    """The newest version of a lake, from its commit log, and what has changed at the input since.

    Attributes:
        location: Root of the lake.
        version: Its newest version; the first is 1.
        run: The run that committed it.
        committed_at: Start time of that run, ISO 8601, UTC.
        is_published: Whether the version is completely published.
        rows: Number of rows by table.
        known: The input files that the version contains, by "songs" and "logs".
        state: The files that later runs need in addition to the commit log.
        lost: Input files whose copies in the lake are missing or damaged: those that were deleted, or, if no
            input was named, all of them. The rows of deleted files cannot be rebuilt.
        input: Changes at the input, by "songs" and "logs"; None if no input was named.
    """

    location: str
    version: int
    run: str
    committed_at: str
    is_published: bool
    rows: Mapping[str, int]
    known: Mapping[str, KnownInput]
    state: FileSummary
    lost: LostCopies
    input: Mapping[str, InputChanges] | None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Status:
        """Returns the status for a plain mapping."""
        changes = data["input"]
        return cls(
            **{
                **data,
                "known": {name: KnownInput(**known) for name, known in data["known"].items()},
                "state": FileSummary.from_dict(data["state"]),
                "lost": LostCopies.from_dict(data["lost"]),
                "input": changes
                and {name: InputChanges.from_dict(changed) for name, changed in changes.items()},
            }
        )

    @property
    def lag_days(self) -> int | None:
        """Days by which the newest log file is later than the lake; None if the paths contain no days."""
        ends = (self.known.get("logs"), (self.input or {}).get("logs"))
        days = [end.last_day for end in ends if end is not None and end.last_day is not None]
        return (date.fromisoformat(days[1]) - date.fromisoformat(days[0])).days if len(days) == 2 else None

    @property
    def exit_code(self) -> int:
        """0; 75 if the version is not completely published; 76 if copies of deleted files are damaged."""
        if not self.is_published:
            return 75
        return 76 if self.lost.files else 0

    def to_dict(self) -> dict[str, Any]:
        """Returns plain mappings, lists and numbers, ready for JSON."""
        return {**JsonData.to_dict(self), "lag_days": self.lag_days}

    def _title(self) -> str:
        state = "published" if self.is_published else "not completely published yet"
        return f"{self.location}, version {self.version} of {self.committed_at}: {state}"

    def _tables(self) -> list[TextTable]:
        return [
            TextTable(
                head=("table", "rows"),
                rows=[(table, format_count(number)) for table, number in self.rows.items()],
                text_columns=("table",),
            ),
            self._known_table(),
            self._change_table(),
            self._fact_table(),
        ]

    def _known_table(self) -> TextTable:
        rows = [
            (name, format_count(known.files), format_bytes(known.bytes), known.last_day or "")
            for name, known in songs_first(self.known)
        ]
        return TextTable(
            head=("in the lake", "files", "size", "last day"),
            rows=rows,
            text_columns=("in the lake",),
        )

    def _change_table(self) -> TextTable:
        rows = [
            (
                name,
                *(
                    format_count(summary.files)
                    for summary in (changes.new, changes.late, changes.changed, changes.gone, changes.kept)
                ),
                format_count(changes.unchanged),
            )
            for name, changes in songs_first(self.input or {})
        ]
        return TextTable(
            head=("at the input", "new", "late", "changed", "deleted", "kept", "unchanged"),
            rows=rows,
            text_columns=("at the input",),
        )

    def _fact_table(self) -> TextTable:
        rows = [
            (f"{name}, {kind}", summary.describe())
            for name, changes in songs_first(self.input or {})
            for kind, summary in (
                ("new", changes.new),
                ("changed", changes.changed),
                ("deleted", changes.gone),
                ("kept", changes.kept),
            )
            if summary.files
        ]
        if self.lag_days is not None:
            rows.append(("lag", f"{format_count(self.lag_days)} days"))
        rows.append(
            ("state files", f"{format_count(self.state.files)} files, {format_bytes(self.state.bytes)}")
        )
        if self.lost.files:
            rows.append(("lost copies", f"{self.lost.describe()}; run check for what to do"))
        return TextTable(rows=rows)
