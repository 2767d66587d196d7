"""The values of expressions of a script: texts with unknown parts, columns, conditions.

Numbers, booleans, None, lists, tuples and dictionaries are those of Python.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
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
        file: For a setting, the configuration file, if it is known.
    """

    text: str
    kind: Kind = "text"
    section: str = ""
    file: str = ""

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


def symbol(name: str, kind: Kind, section: str = "", file: str = "") -> Text:
    """Returns a text that is known only when the script runs."""
    return Text((Piece(name, kind, section, file),))


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
    """A configuration file, or one of its sections; `files` are the files that the script read into it."""

    section: str | None = None
    files: list[str] = field(default_factory=list)

    @property
    def file(self) -> str:
        """The file that was read last; empty if it is not known."""
        return self.files[-1] if self.files else ""


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
        is_number: Whether it returns a number that is no part of a time.
    """

    part: str = ""
    is_text: bool = False
    is_number: bool = False


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
        changed: The function that changes the values, such as `upper`; empty if they are those of the input.
    """

    name: str
    origin: str = ""
    is_text: bool = False
    ref: str = ""
    is_time: bool = False
    changed: str = ""

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
