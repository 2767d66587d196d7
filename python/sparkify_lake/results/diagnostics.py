"""What `doctor` found out about a place, and what `check` found in a lake: plain frozen data.

Made from the mappings that the native module returns. Nothing is examined here, and nothing is decided.

Invariant: `to_dict` gives back what `from_dict` took; no secret is in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from sparkify_lake.render.text_table import Grid, as_html, as_text, count, seconds, size
from sparkify_lake.results.run_report import as_json, songs_first

# ASCII, and of one width: a log file shows them as a terminal does.
MARKS = {"ok": "ok", "warning": "WARN", "failed": "FAIL", "skipped": "-"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question about a place, and its answer.

    Attributes:
        name: What was looked at.
        outcome: "ok", "warning", "failed" or "skipped".
        detail: What was seen.
        hint: What to do, where there is something to do.
        seconds: How long it took.
    """

    name: str
    outcome: str
    detail: str
    hint: str | None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What `doctor` found out about a place that a job would read or write.

    `str()` is a plain table, notebooks show a better one, `to_dict()` and `to_json()` are for programs.

    Attributes:
        location: The place, a local path or an `s3://` URL.
        checks: In the order in which they were made.
        exit_code: What the program exits with: 0, or the code of the first check that failed.
    """

    location: str
    checks: Sequence[Check]
    exit_code: int

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Examination:
        """Makes an examination of its mapping."""
        return cls(**{**data, "checks": tuple(Check(**check) for check in data["checks"])})

    @property
    def is_healthy(self) -> bool:
        """Whether no check failed; warnings do not count."""
        return self.exit_code == 0

    def to_dict(self) -> dict[str, Any]:
        """Returns plain mappings, lists and numbers, ready for JSON."""
        data = asdict(self)
        return {**data, "checks": list(data["checks"])}

    def to_json(self, *, indent: int | None = 2) -> str:
        """Returns the examination as JSON text."""
        return as_json(self.to_dict(), indent)

    def __str__(self) -> str:
        return as_text(self._title(), self._grids())

    __repr__ = __str__  # as a frame's: a prompt shows the table

    def _repr_html_(self) -> str:
        return as_html(self._title(), self._grids())

    def _title(self) -> str:
        counts = {outcome: sum(c.outcome == outcome for c in self.checks) for outcome in MARKS}
        parts = [f"{counts[outcome]} {outcome}" for outcome in MARKS if counts[outcome]]
        return f"{self.location}: {', '.join(parts) or 'nothing was looked at'}"

    def _grids(self) -> list[Grid]:
        rows = [
            (MARKS.get(c.outcome, c.outcome), c.name, seconds(c.seconds) if c.seconds else "", c.detail)
            for c in self.checks
        ]
        head = ("", "check", "time", "what was seen")
        hints = [(f"{c.name}:", c.hint) for c in self.checks if c.hint]
        return [Grid(head=head, rows=rows, texts=("", "check", "what was seen")), Grid(rows=hints)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A file that is not as the log of the lake says: "missing", "changed" or "foreign"."""

    path: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """Whether a lake is what its log says.

    `str()` is a plain table, notebooks show a better one, `to_dict()` and `to_json()` are for programs.

    Attributes:
        location: The root of the lake.
        version: Its newest version.
        run: The run that made it.
        committed_at: ISO 8601, UTC.
        is_published: Whether readers see the version in full.
        is_guarded: Whether the store keeps overlapping runs apart.
        files: Of the version.
        bytes: Of these files.
        rows: In these files.
        problem_count: How many files are not as they should be.
        problems: The first of them.
        exit_code: 0 when all is well, 75 while the version is not published, 76 when files are not as it
            says.
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
    problem_count: int
    problems: Sequence[Problem]
    exit_code: int

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Checkup:
        """Makes a checkup of its mapping."""
        return cls(**{**data, "problems": tuple(Problem(**problem) for problem in data["problems"])})

    @property
    def is_healthy(self) -> bool:
        """Whether the lake is published in full and every file is as it should be."""
        return self.exit_code == 0

    def to_dict(self) -> dict[str, Any]:
        """Returns plain mappings, lists and numbers, ready for JSON."""
        data = asdict(self)
        return {**data, "problems": list(data["problems"])}

    def to_json(self, *, indent: int | None = 2) -> str:
        """Returns the checkup as JSON text."""
        return as_json(self.to_dict(), indent)

    def __str__(self) -> str:
        return as_text(self._title(), self._grids())

    __repr__ = __str__  # as a frame's: a prompt shows the table

    def _repr_html_(self) -> str:
        return as_html(self._title(), self._grids())

    def _title(self) -> str:
        if not self.is_published:
            state = "not published in full; recover finishes it, and so does the next run"
        elif self.problem_count:
            state = f"{count(self.problem_count)} files are not as its log says"
        else:
            state = "all files are as its log says"
        return f"{self.location}, version {self.version}: {state}"

    def _grids(self) -> list[Grid]:
        facts = [
            ("made by", f"{self.run}, {self.committed_at}"),
            ("holds", f"{count(self.rows)} rows in {count(self.files)} files, {size(self.bytes)}"),
            ("overlapping runs", "kept apart" if self.is_guarded else "not kept apart by this store"),
        ]
        problems = [(problem.what, problem.path) for problem in self.problems]
        if self.problem_count > len(problems):
            problems.append(("", f"and {count(self.problem_count - len(problems))} more"))
        return [Grid(rows=facts), Grid(head=("problem", "file"), rows=problems, texts=("problem", "file"))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Some files: how many, their bytes, and the first of them by name."""

    files: int
    bytes: int
    first: Sequence[str]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Files:
        """Makes it of its mapping."""
        return cls(**{**data, "first": tuple(data["first"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The input files that a version was made from; `last_day` is the last one in their paths."""

    location: str
    files: int
    bytes: int
    last_day: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """How the input files of one content differ from those that a version was made from.

    Attributes:
        location: Where they lie.
        unchanged: Those that are what they were.
        new: Those that the version does not know.
        late: The new ones of a day, by their path, that is not behind the last one that the version knows.
        changed: Those of another size or time.
        gone: Those that are no longer there; their rows go, too.
        kept: Those that are no longer there, and of which the lake has a copy: `keep_gone` keeps their rows.
        last_day: The last day in the paths of all of them.
    """

    location: str
    unchanged: int
    new: Files
    late: Files
    changed: Files
    gone: Files
    kept: Files
    last_day: str | None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Arrivals:
        """Makes it of its mapping."""
        files = {name: Files.from_dict(data[name]) for name in ("new", "late", "changed", "gone", "kept")}
        return cls(**{**data, **files})

    @property
    def is_news(self) -> bool:
        """Whether a run would find anything to do."""
        return bool(self.new.files or self.changed.files or self.gone.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The newest version of a lake, as its log tells; and what has arrived since, at an input that was named.

    Attributes:
        location: The lake.
        version: Its newest version; counts up from 1.
        run: The run that made it.
        committed_at: When that run began; ISO 8601, UTC.
        is_published: Whether it is published in full.
        rows: Rows of each table.
        known: The input files that it was made from, by "songs" and "logs".
        state: The files, beside the log, that later runs build upon.
        input: What has arrived since, by "songs" and "logs"; None when no input was named.
    """

    location: str
    version: int
    run: str
    committed_at: str
    is_published: bool
    rows: Mapping[str, int]
    known: Mapping[str, Known]
    state: Files
    input: Mapping[str, Arrivals] | None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Status:
        """Makes a status of its mapping."""
        arrived = data["input"]
        return cls(
            **{
                **data,
                "known": {name: Known(**known) for name, known in data["known"].items()},
                "state": Files.from_dict(data["state"]),
                "input": arrived and {name: Arrivals.from_dict(one) for name, one in arrived.items()},
            }
        )

    @property
    def lag_days(self) -> int | None:
        """Days of logs that the lake is behind its input; None where their paths do not tell."""
        ends = (self.known.get("logs"), (self.input or {}).get("logs"))
        days = [end.last_day for end in ends if end is not None and end.last_day is not None]
        return (date.fromisoformat(days[1]) - date.fromisoformat(days[0])).days if len(days) == 2 else None

    @property
    def exit_code(self) -> int:
        """0 when the version is published in full, 75 while it is not."""
        return 0 if self.is_published else 75

    def to_dict(self) -> dict[str, Any]:
        """Returns plain mappings and numbers, ready for JSON."""
        return {**asdict(self), "lag_days": self.lag_days}

    def to_json(self, *, indent: int | None = 2) -> str:
        """Returns the status as JSON text."""
        return as_json(self.to_dict(), indent)

    def __str__(self) -> str:
        return as_text(self._title(), self._grids())

    __repr__ = __str__  # as a frame's: a prompt shows the table

    def _repr_html_(self) -> str:
        return as_html(self._title(), self._grids())

    def _title(self) -> str:
        state = "published" if self.is_published else "not published in full yet"
        return f"{self.location}, version {self.version} of {self.committed_at}: {state}"

    def _grids(self) -> list[Grid]:
        rows = [(table, count(number)) for table, number in self.rows.items()]
        known = [
            (name, count(k.files), size(k.bytes), k.last_day or "") for name, k in songs_first(self.known)
        ]
        arrived = [
            (
                name,
                *(count(one.files) for one in (a.new, a.late, a.changed, a.gone, a.kept)),
                count(a.unchanged),
            )
            for name, a in songs_first(self.input or {})
        ]
        kinds = [
            (f"{name}, {kind}", ", ".join(files.first) + (" …" if files.files > len(files.first) else ""))
            for name, a in songs_first(self.input or {})
            for kind, files in (("new", a.new), ("changed", a.changed), ("gone", a.gone), ("kept", a.kept))
            if files.files
        ]
        if self.lag_days is not None:
            kinds.append(("behind", f"{count(self.lag_days)} days"))
        kinds.append(("state", f"{count(self.state.files)} files, {size(self.state.bytes)}"))
        return [
            Grid(head=("table", "rows"), rows=rows, texts=("table",)),
            Grid(head=("made from", "files", "size", "last day"), rows=known, texts=("made from",)),
            Grid(
                head=("arrived", "new", "of them late", "changed", "gone", "kept", "unchanged"),
                rows=arrived,
                texts=("arrived",),
            ),
            Grid(rows=kinds),
        ]
