"""What can go wrong, as classes to catch: one per exit code, with a builtin parent where one fits.

Raised from Rust and from Python alike. An error is one sentence, its cause and a hint; it carries no secret
and no record of the input. This module imports nothing of ours, so that anything may import it.

Invariant: every error pickles with all its fields (Airflow and multiprocessing send them between
processes), and `retryable` alone says whether the same call may succeed later.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class SparkifyLakeError(Exception):
    """The base of all errors of this package.

    Attributes:
        message: One sentence: what is wrong.
        cause: Why, where it is known.
        hint: What to do next, where there is something to do.
        context: Named values for programs, such as the path or the option that is meant.
        exit_code: What the command line exits with (sysexits.h).
        retryable: Whether the same call may succeed later.
    """

    exit_code: ClassVar[int] = 70
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        cause: str | None = None,
        hint: str | None = None,
        context: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.cause = cause
        self.hint = hint
        self.context: dict[str, str] = dict(context or {})

    def __str__(self) -> str:
        lines = [self.message]
        if self.cause:
            lines.append(f"cause: {self.cause}")
        if self.hint:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message!r}, cause={self.cause!r}, hint={self.hint!r})"

    def __reduce__(self) -> tuple[object, ...]:
        # Exception's own way would call cls(*args) and lose the keyword fields; OSError's would lose even
        # more.
        fields = (type(self), self.message, self.cause, self.hint, self.context)
        notes = getattr(self, "__notes__", None)
        return (_restore, fields, {"__notes__": notes}) if notes else (_restore, fields)


def _restore(
    cls: type[SparkifyLakeError],
    message: str,
    cause: str | None,
    hint: str | None,
    context: Mapping[str, str],
) -> SparkifyLakeError:
    return cls(message, cause=cause, hint=hint, context=context)


class TerminalError(SparkifyLakeError):
    """Running again will not help: something has to change first."""


class RetryableError(SparkifyLakeError):
    """Temporary: the same call may succeed later (throttled, a lost race, input that changed meanwhile)."""

    exit_code = 75
    retryable = True


class UsageError(TerminalError, ValueError):
    """The call itself is wrong: an unknown option, or a value that it does not take."""

    exit_code = 64


class DataRefusedError(TerminalError, ValueError):
    """The input was read and refused: too many bad records, or a file that is not JSON."""

    exit_code = 65


class NoInputError(TerminalError, FileNotFoundError):
    """There is nothing to read where the input should be."""

    exit_code = 66


class InternalError(TerminalError, RuntimeError):
    """A bug in sparkify-lake."""

    exit_code = 70


class OutputError(TerminalError, OSError):
    """The output cannot be created."""

    exit_code = 73


class StorageError(TerminalError, OSError):
    """Reading or writing failed: disk full, too many open files, a broken device."""

    exit_code = 74


class ProtocolError(TerminalError):
    """What lies at the output was not written by this program, or the store breaks its promises."""

    exit_code = 76


class AccessDeniedError(TerminalError, PermissionError):
    """Permission or credentials are missing."""

    exit_code = 77


class ConfigurationError(TerminalError, ValueError):
    """A setting is missing or cannot be used."""

    exit_code = 78


class Terminated(BaseException):
    """SIGTERM arrived while the command line was at work.

    Not an `Exception`: nothing between the signal and the end of the program may mistake it for a failure
    and go on.
    """

    exit_code: ClassVar[int] = 143
