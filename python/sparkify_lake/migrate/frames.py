"""Frames of Spark: their columns, and what happened to their rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from sparkify_lake.migrate.values import FIELDS, Column, Condition


@dataclass(frozen=True, slots=True)
class Join:
    """A join: pairs of origins, the kind with the plays on the left, and its line."""

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
        sources: Whether it comes from the songs, the logs or both: `song`, `log`.
        aliases: The frames that it was joined from, by the names that qualify their columns.
        hidden: The columns of the right side of a join that have the name of a column of the left side.
    """

    columns: Mapping[str, Column] = field(default_factory=dict)
    is_open: bool = True
    joins: tuple[Join, ...] = ()
    constants: tuple[tuple[str, str], ...] = ()
    not_null: tuple[str, ...] = ()
    distinct: tuple[str, ...] | None = None
    steps: tuple[tuple[str, int], ...] = ()
    sources: frozenset[str] = frozenset()
    aliases: Mapping[str, Frame] = field(default_factory=dict)
    hidden: Mapping[str, Column] = field(default_factory=dict)

    def column(self, name: str) -> Column:
        """Returns a column by name, with its origin; `s.name` is a column of the frame s."""
        qualifier, _, bare = name.replace("`", "").strip().rpartition(".")
        owner = self.aliases.get(qualifier.lower())
        if owner is not None and (qualified := owner.column(bare)).origin != "?":
            return qualified
        for known, column in self.columns.items():
            if known.lower() == bare.lower():
                return column
        return Column(bare, FIELDS.get(bare.lower(), "?"))

    def resolved(self, column: Column) -> Column:
        """Returns a column with its origin in this frame."""
        found = column if column.origin else self.column(column.looked_up)
        is_start_time = column.is_time and found.origin == "ts"
        origin = "start_time" if is_start_time else found.origin
        if origin == "fn:hour" and column.ref and self.column(column.ref).origin == "fn:date":
            origin = "literal"  # a date begins at midnight
        is_text = column.is_text or (found.is_text and not column.is_time)
        changed = "" if is_start_time else column.changed or found.changed
        return Column(column.name.rpartition(".")[2], origin, is_text, changed=changed)

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

    def named(self, alias: str) -> Frame:
        """Returns the frame with a name that qualifies its columns."""
        return replace(self, aliases={**self.aliases, alias.lower(): self})

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
            qualifier = column.looked_up.rpartition(".")[0].lower()
            if qualifier in other.aliases.keys() - self.aliases.keys():
                return other.resolved(column).origin
            mine = self.resolved(column)
            is_known = mine.origin != "?" and (self.is_open or mine.name in self.columns)
            return mine.origin if is_known else other.resolved(column).origin

        pairs = tuple((origin(left), origin(right)) for left, right in condition.pairs)
        is_turned = "log" in other.sources and "log" not in self.sources
        join = Join(pairs, _turned(how) if is_turned else how, line, condition.has_more)
        return Frame(
            columns={**other.columns, **self.columns},
            is_open=self.is_open or other.is_open,
            joins=(*self.joins, *other.joins, join),
            constants=(*self.constants, *other.constants),
            # A filter of the right side of a left join leaves out no row.
            not_null=(*self.not_null, *(() if how.startswith("left") else other.not_null)),
            steps=(*self.steps, *other.steps),
            sources=self.sources | other.sources,
            aliases={**other.aliases, **self.aliases},
            hidden={name: one for name, one in other.columns.items() if name in self.columns},
        )


def _turned(how: str) -> str:
    """Returns the kind of a join with its sides exchanged, so that the plays are on the left."""
    for side, other in (("left", "right"), ("right", "left")):
        if how.startswith(side):
            return other + how.removeprefix(side)
    return how


@dataclass(frozen=True, slots=True)
class Reader:
    """`spark.read`, with its format, and whether a file is one record."""

    format: str = ""
    is_multiline: bool = False


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
