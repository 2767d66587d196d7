"""The shared base of results: as plain data, as JSON, and as text or HTML.

Invariant: `to_dict` returns what the class method `from_dict` takes; a result can be pickled and contains no
secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar, TypeVar

from sparkify_lake.render.text_table import Displayed

Value = TypeVar("Value")


class JsonData:
    """A base for frozen dataclasses that are written as JSON."""

    __slots__ = ()

    # Fields that are mappings by name here, and lists in JSON.
    _listed_fields: ClassVar[tuple[str, ...]] = ()

    def to_dict(self) -> dict[str, Any]:
        """Returns plain mappings, lists and numbers, ready for JSON."""
        data: dict[str, Any] = _with_lists(asdict(self))  # type: ignore[call-overload]  # a dataclass
        for name in self._listed_fields:
            data[name] = list(data[name].values())
        return data

    def to_json(self, *, indent: int | None = 2) -> str:
        """Returns the result as JSON text."""
        from json import dumps

        return dumps(self.to_dict(), indent=indent, ensure_ascii=False)


class Result(JsonData, Displayed):
    """A base for results: `str()` gives a text table, notebooks display an HTML table."""

    __slots__ = ()


def songs_first(mapping: Mapping[str, Value]) -> list[tuple[str, Value]]:
    """Returns the items of a mapping by input, the songs before the logs."""
    return sorted(mapping.items(), key=lambda item: item[0] != "songs")


def _with_lists(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _with_lists(inner) for key, inner in value.items()}
    return [_with_lists(inner) for inner in value] if isinstance(value, list | tuple) else value
