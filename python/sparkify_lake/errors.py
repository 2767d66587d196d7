"""The exception classes: one for each exit code, with a builtin parent where one fits.

Rust and Python raise the same classes. An error has a message (one sentence), a cause and a hint; it contains
no secret and no record of the input. This module imports no other module of the package.

Invariant: an error is pickled with all its fields, because Airflow and multiprocessing send errors between
processes; and only `retryable` says whether the same call may succeed later.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class SparkifyLakeError(Exception):
    """The base class of all errors of this package.

    Attributes:
        message: What failed, in one sentence.
        cause: Why it failed, if that is known.
        hint: What to do, if there is something to do.
        context: Named values for programs, such as the path or the option.
        exit_code: Exit code of the program (sysexits.h).
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
        # Exception would call cls(*args) and lose the keyword fields; OSError would lose even more.
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
    """Running again does not help: something must be changed first."""


class RetryableError(SparkifyLakeError):
    """A temporary failure: throttling, a concurrent run, or input that changed during the run."""

    exit_code = 75
    retryable = True


class UsageError(TerminalError, ValueError):
    """The call is invalid: an unknown option, or an invalid value."""

    exit_code = 64


class DataRefusedError(TerminalError, ValueError):
    """The input is rejected: too many bad records, or a file that is not JSON."""

    exit_code = 65


class NoInputError(TerminalError, FileNotFoundError):
    """The input or the lake does not exist, or is empty."""

    exit_code = 66


class InternalError(TerminalError, RuntimeError):
    """A bug in sparkify-lake."""

    exit_code = 70


class OutputError(TerminalError, OSError):
    """The output cannot be created."""

    exit_code = 73


class StorageError(TerminalError, OSError):
    """Reading or writing failed: the disk is full, too many files are open, or a device is broken."""

    exit_code = 74


class ProtocolError(TerminalError):
    """The output contains files that this program did not write, or the store breaks its guarantees."""

    exit_code = 76


class AccessDeniedError(TerminalError, PermissionError):
    """Permissions or credentials are missing."""

    exit_code = 77


class ConfigurationError(TerminalError, ValueError):
    """A setting is missing or invalid."""

    exit_code = 78


class Terminated(BaseException):
    """SIGTERM arrived while the program was running.

    It is not an `Exception`, so that no code treats it as a failure and continues.
    """

    exit_code: ClassVar[int] = 143
