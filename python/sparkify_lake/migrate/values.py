"""The values of expressions of a script: texts with unknown parts, columns, conditions, frames.

Numbers, booleans, None, lists, tuples and dictionaries are those of Python.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

SONG_FIELDS = (
    "artist_id", "artist_latitude", "artist_location", "artist_longitude", "artist_name", "duration",
    "num_songs", "song_id", "title", "year",
)  # fmt: skip
LOG_FIELDS = (
    "artist", "auth", "firstName", "gender", "itemInSession", "lastName", "length", "level", "location",
    "method", "page", "registration", "sessionId", "song", "status", "ts", "userAgent", "userId",
)  # fmt: skip
# The names of fields in any case: Spark ignores the case of column names.
FIELDS = {name.lower(): name for name in (*SONG_FIELDS, *LOG_FIELDS)}

# Between the alternatives of a choice.
CHOICE = " or "

Kind = Literal["text", "setting", "variable", "parameter", "choice", "unknown"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text: a constant, or a value that is known only when the script runs.

    Attributes:
        text: The constant, or the name of the value.
        kind: `text` for a constant; otherwise where the value comes from.
        section: For a setting, its section in the configuration file.
    """

    text: str
    kind: Kind = "text"
    section: str = ""

    def __str__(self) -> str:
        if self.kind == "setting":
            return f"{{{self.text} in [{self.section}]}}" if self.section else f"{{{self.text}}}"
        return self.text if self.kind == "text" else f"{{{self.text}}}"


@dataclass(frozen=True, slots=True)
class Span:
    """A variable that holds the first pieces of a text."""

    name: str
    is_parameter: bool
    pieces: int
    line: int


@dataclass(frozen=True, slots=True)
class Text:
    """A text, in pieces, and the variables that hold its beginning."""

    pieces: tuple[Piece, ...] = ()
    spans: tuple[Span, ...] = ()

    def __add__(self, other: Text) -> Text:
        return Text(self.pieces + other.pieces, self.spans)

    def __str__(self) -> str:
        return "".join(map(str, self.pieces))

    @property
    def constant(self) -> str | None:
        """The text, if all of it is known."""
        is_known = all(piece.kind == "text" for piece in self.pieces)
        return "".join(piece.text for piece in self.pieces) if is_known else None

    @property
    def alternatives(self) -> tuple[str, ...]:
        """The alternatives of a choice; empty if the text is none."""
        is_choice = len(self.pieces) == 1 and self.pieces[0].kind == "choice"
        return tuple(self.pieces[0].text.split(CHOICE)) if is_choice else ()

    def named(self, name: str, *, is_parameter: bool, line: int) -> Text:
        """Returns the text as the value of a variable."""
        if not self.pieces:
            return self
        return Text(self.pieces, (*self.spans, Span(name, is_parameter, len(self.pieces), line)))

    def prefix(self, span: Span) -> Text:
        """Returns the part that a variable holds."""
        return Text(self.pieces[: span.pieces])

    def rest(self, span: Span) -> Text:
        """Returns the part after a variable."""
        return Text(self.pieces[span.pieces :])


def text(constant: str) -> Text:
    """Returns a known text."""
    return Text((Piece(constant),))


def symbol(name: str, kind: Kind, section: str = "") -> Text:
    """Returns a text that is known only when the script runs."""
    return Text((Piece(name, kind, section),))


def as_text(value: Any) -> Text | None:
    """Returns a value as a text; None if it is not one."""
    if isinstance(value, Text):
        return value
    return text(str(value)) if isinstance(value, int | float) else None


def constant_of(value: Any) -> str | None:
    """Returns the constant of a value, if it is a known text."""
    return value.constant if isinstance(value, Text) else None


def names_in(*values: Any) -> list[str]:
    """Returns the known texts in values and in lists of values."""
    names: list[str] = []
    for value in values:
        if isinstance(value, list | tuple):
            names += names_in(*value)
        elif (name := constant_of(value)) is not None:
            names.append(name)
        elif isinstance(value, Column):
            names.append(value.name)
    return names


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that is not understood."""

    why: str = ""


@dataclass(frozen=True, slots=True)
class Dotted:
    """An object of a library, by its full name, such as `pyspark.sql.functions.col`."""

    name: str


@dataclass(frozen=True, slots=True)
class Session:
    """A session of Spark, its builder or its context."""


@dataclass(frozen=True, slots=True)
class Settings:
    """A configuration file, or one of its sections."""

    section: str | None = None


@dataclass(frozen=True, slots=True)
class Environment:
    """`os.environ`."""


@dataclass(frozen=True, slots=True)
class Window:
    """The specification of a window; only that there is one matters."""


@dataclass(frozen=True, slots=True)
class Udf:
    """A function of the script that is applied to columns.

    Attributes:
        part: The part of a time that it returns, such as `hour`; empty for other functions.
        is_text: Whether it has no return type, so that it returns a text.
    """

    part: str = ""
    is_text: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A column, or an expression of columns.

    Attributes:
        name: Its name in the frame.
        origin: The field of the input that it holds; `fn:hour` for a part of a time, `start_time`, `id`,
            `literal`, `?` if it is not understood, or an empty text as long as the frame is not known.
        is_text: Whether a time or a part of it is a text, and not a timestamp or a number.
        ref: The column that it refers to, if that has another name and the frame is not known.
        is_time: Whether it is converted to a time.
    """

    name: str
    origin: str = ""
    is_text: bool = False
    ref: str = ""
    is_time: bool = False

    @property
    def looked_up(self) -> str:
        """The name by which a frame knows the column."""
        return self.ref or self.name


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of a filter or a join.

    Attributes:
        pairs: The columns that must be equal.
        constants: The columns that must equal a constant.
        not_null: The columns that must not be NULL.
        has_more: Whether there are parts that are not understood.
    """

    pairs: tuple[tuple[Column, Column], ...] = ()
    constants: tuple[tuple[Column, str], ...] = ()
    not_null: tuple[Column, ...] = ()
    has_more: bool = False

    def __and__(self, other: Condition) -> Condition:
        return Condition(
            self.pairs + other.pairs,
            self.constants + other.constants,
            self.not_null + other.not_null,
            self.has_more or other.has_more,
        )


@dataclass(frozen=True, slots=True)
class Join:
    """A join: pairs of origins, the kind, and its line."""

    pairs: tuple[tuple[str, str], ...]
    how: str
    line: int
    has_more: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of Spark.

    Attributes:
        columns: The columns that are known, by name.
        is_open: Whether it also has the fields of the files that it was read from.
        joins: The joins that led to it.
        constants: The filters on constants, as (origin, constant).
        not_null: The origins that a filter requires.
        distinct: None, or the columns of `dropDuplicates`; empty for all columns.
        steps: What else happened to its rows, such as `limit`, with lines.
    """

    columns: Mapping[str, Column] = field(default_factory=dict)
    is_open: bool = True
    joins: tuple[Join, ...] = ()
    constants: tuple[tuple[str, str], ...] = ()
    not_null: tuple[str, ...] = ()
    distinct: tuple[str, ...] | None = None
    steps: tuple[tuple[str, int], ...] = ()

    def column(self, name: str) -> Column:
        """Returns a column by name, with its origin; a qualifier such as `s.` is ignored."""
        bare = name.replace("`", "").rpartition(".")[2].strip()
        for known, column in self.columns.items():
            if known.lower() == bare.lower():
                return column
        return Column(bare, FIELDS.get(bare.lower(), "?"))

    def resolved(self, column: Column) -> Column:
        """Returns a column with its origin in this frame."""
        found = column if column.origin else self.column(column.looked_up)
        origin = "start_time" if column.is_time and found.origin == "ts" else found.origin
        is_text = column.is_text or (found.is_text and not column.is_time)
        return Column(column.name.rpartition(".")[2], origin, is_text)

    def selected(self, columns: Iterable[Column]) -> Frame:
        """Returns the frame with these columns only; `*` means all columns of this frame."""
        chosen: dict[str, Column] = {}
        is_open = False
        for column in columns:
            if column.name.rpartition(".")[2] == "*":
                chosen |= self.columns
                is_open = is_open or self.is_open
            else:
                resolved = self.resolved(column)
                chosen[resolved.name] = resolved
        return replace(self, columns=chosen, is_open=is_open)

    def with_step(self, step: str, line: int) -> Frame:
        """Returns the frame after a step that changes its rows."""
        return replace(self, steps=(*self.steps, (step, line)))

    def filtered(self, condition: Condition, line: int) -> Frame:
        """Returns the frame after a filter."""
        resolved = [(self.resolved(column).origin, value) for column, value in condition.constants]
        required = [self.resolved(column).origin for column in condition.not_null]
        frame = replace(self, constants=(*self.constants, *resolved), not_null=(*self.not_null, *required))
        # A filter on the rank in a window keeps one row of each key.
        others = {one for one in resolved if one != ("page", "NextSong") and one[0] != "id"}
        is_more = condition.has_more or others or condition.pairs
        return frame.with_step("filter", line) if is_more else frame

    def joined(self, other: Frame, condition: Condition, how: str, line: int) -> Frame:
        """Returns the join with another frame."""

        def origin(column: Column) -> str:
            mine = self.resolved(column)
            is_known = mine.origin != "?" and (self.is_open or mine.name in self.columns)
            return mine.origin if is_known else other.resolved(column).origin

        pairs = tuple((origin(left), origin(right)) for left, right in condition.pairs)
        join = Join(pairs, how, line, condition.has_more)
        return Frame(
            columns={**other.columns, **self.columns},
            is_open=self.is_open or other.is_open,
            joins=(*self.joins, *other.joins, join),
            constants=(*self.constants, *other.constants),
            # A filter of the right side of a left join leaves out no row.
            not_null=(*self.not_null, *(() if how.startswith("left") else other.not_null)),
            steps=(*self.steps, *other.steps),
        )


@dataclass(frozen=True, slots=True)
class Reader:
    """`spark.read`, with its format."""

    format: str = ""


@dataclass(frozen=True, slots=True)
class Writer:
    """`frame.write`, with everything that was set."""

    frame: Frame | None
    mode: str = ""
    partitions: tuple[str, ...] = ()
    format: str = "parquet"
    compression: str = ""


@dataclass(frozen=True, slots=True)
class Grouped:
    """`frame.groupBy(...)`."""

    frame: Frame
    keys: tuple[str, ...]


@dataclass(slots=True)
class Scope:
    """The variables of a module, a function or an object.

    Attributes:
        names: The variables with their values.
        outer: The scope around it; for an object, the variables of its class.
        shared: The variables that belong to the scope around it, because of `global`.
        stars: The modules of which all names are imported.
    """

    names: dict[str, Any] = field(default_factory=dict)
    outer: Scope | None = None
    shared: set[str] = field(default_factory=set)
    stars: list[str] = field(default_factory=list)

    def find(self, name: str) -> Any:
        """Returns the value of a variable, or None if there is no such variable."""
        if name in self.names:
            return self.names[name]
        return self.outer.find(name) if self.outer else None


@dataclass(slots=True)
class Function:
    """A function of the script."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    scope: Scope
    receiver: Any = None


@dataclass(slots=True)
class Class:
    """A class of the script."""

    node: ast.ClassDef
    scope: Scope


@dataclass(slots=True)
class Bound:
    """A method of a value that is not written in the script."""

    receiver: Any
    name: str
