"""Errors: one class per exit code, builtin parents, and pickling."""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest

import sparkify_lake
from sparkify_lake import errors
from sparkify_lake.errors import RetryableError, SparkifyLakeError, TerminalError, Terminated

PARENTS: list[tuple[type[SparkifyLakeError], int, type[Exception]]] = [
    (errors.UsageError, 64, ValueError),
    (errors.DataRefusedError, 65, ValueError),
    (errors.NoInputError, 66, FileNotFoundError),
    (errors.InternalError, 70, RuntimeError),
    (errors.OutputError, 73, OSError),
    (errors.StorageError, 74, OSError),
    (errors.RetryableError, 75, SparkifyLakeError),
    (errors.ProtocolError, 76, SparkifyLakeError),
    (errors.AccessDeniedError, 77, PermissionError),
    (errors.ConfigurationError, 78, ValueError),
]


@pytest.mark.parametrize(("kind", "code", "parent"), PARENTS)
def test_exit_codes_and_parents_of_error_classes(
    kind: type[SparkifyLakeError], code: int, parent: type[Exception]
) -> None:
    error = kind("it failed")
    assert error.exit_code == code
    assert isinstance(error, parent)
    assert isinstance(error, SparkifyLakeError)
    assert isinstance(error, RetryableError) is error.retryable is (code == 75)
    assert isinstance(error, TerminalError) is not error.retryable
    assert getattr(sparkify_lake, kind.__name__) is kind


def test_every_error_class_is_tested() -> None:
    defined = {
        kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__
    }
    assert defined == {kind for kind, _, _ in PARENTS} | {SparkifyLakeError, TerminalError, Terminated}


@pytest.mark.parametrize("kind", [kind for kind, _, _ in PARENTS])
def test_fields_survive_pickling_and_copying(kind: type[SparkifyLakeError]) -> None:
    error = kind("it failed", cause="because", hint="do this", context={"path": "a/b", "option": "output"})
    copies = [pickle.loads(pickle.dumps(error, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    for again in (*copies, copy.copy(error), copy.deepcopy(error)):
        assert type(again) is kind
        assert (again.message, again.cause, again.hint) == ("it failed", "because", "do this")
        assert again.context == {"path": "a/b", "option": "output"}
        assert str(again) == str(error)


def test_notes_survive_pickling() -> None:
    error = errors.StorageError("it failed")
    setattr(error, "__notes__", ["task 3"])  # noqa: B010  # add_note() came with 3.11
    assert pickle.loads(pickle.dumps(error)).__notes__ == ["task 3"]


def test_text_of_an_error() -> None:
    error = errors.NoInputError("there is nothing", cause="the folder is empty", hint="look elsewhere")
    assert str(error) == "there is nothing\ncause: the folder is empty\nhint: look elsewhere"
    assert str(errors.NoInputError("there is nothing")) == "there is nothing"
    assert (
        repr(error) == "NoInputError('there is nothing', cause='the folder is empty', hint='look elsewhere')"
    )


def test_terminated_is_not_an_ordinary_exception() -> None:
    assert not issubclass(Terminated, Exception)
    assert Terminated.exit_code == 143
