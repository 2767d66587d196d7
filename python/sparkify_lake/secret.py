"""A value that must not be displayed: credentials, from their line in `dl.cfg` to the object store.

This is not encryption: all code that has the object can call `reveal()`. It prevents accidental disclosure in
reprs, logs, tracebacks with local variables, reports, JSON and pickles (and therefore in Airflow's XCom).
Python cannot erase a string from memory; the copy exists until it is collected.

Invariant: only `reveal()` returns the value.
"""

from __future__ import annotations

from typing import NoReturn, SupportsIndex

MASK = "***"


class Secret:
    """A text that is displayed as `***`.

    Example:
        >>> token = Secret("hunter2")
        >>> token
        ***
        >>> f"token={token}"
        'token=***'
        >>> token.reveal()
        'hunter2'
    """

    __slots__ = ("__value",)
    __hash__ = None  # type: ignore[assignment]  # a hash would allow to test guesses with a dictionary

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """Returns the value."""
        return self.__value

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        from hmac import compare_digest

        return compare_digest(self.__value.encode(), other.__value.encode())

    def __repr__(self) -> str:
        return MASK

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a secret cannot be pickled; read dl.cfg again where it is needed")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a secret cannot be saved")
