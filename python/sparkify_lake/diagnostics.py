"""The calls about the state of a location or a lake: doctor, check, status, history and recover.

Invariant: `doctor`, `check`, `status` and `history` change nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sparkify_lake import _engine, iceberg
from sparkify_lake.errors import ConfigurationError, UsageError
from sparkify_lake.results.diagnostics import Checkup, Examination, Status
from sparkify_lake.results.history import History
from sparkify_lake.settings.aws import with_aws_settings
from sparkify_lake.settings.config import Config
from sparkify_lake.settings.locations import as_unicode
from sparkify_lake.settings.options import BY_NAME, mask_secrets, plain_value
from sparkify_lake.settings.resolve import resolve

if TYPE_CHECKING:
    from os import PathLike

    from typing_extensions import Unpack

    from sparkify_lake.settings.keywords import (
        DoctorOptions,
        LakeOptions,
        RecoverOptions,
        StatusOptions,
        StoreOptions,
    )


def doctor(location: str | PathLike[str] | None = None, **options: Unpack[DoctorOptions]) -> Examination:
    """Examines a location that a run would read or write: credentials, access, guarantees, speed.

    The files that it writes there are removed again.

    Args:
        location: A local path or an `s3://` URL; the configured output by default.
        **options: The options of the object store, as for `run`; and `executor`, whose workers then examine
            the location too.

    Returns:
        The checks. A failed check is not an exception.

    Raises:
        SparkifyLakeError: One of its subclasses, if the location cannot be examined at all.
    """
    mask_secrets(options)
    return doctor_with(location, resolve("doctor", options))


def check(output: str | PathLike[str] | None = None, **options: Unpack[StoreOptions]) -> Checkup:
    """Compares the files of a lake with its commit log; changes nothing.

    On a local disk, all bytes are read. In a bucket, the checksums of the store are compared.

    Args:
        output: Root of the lake; from the configuration by default.
        **options: The options of the object store, as for `run`.

    Returns:
        The result. A missing, changed or foreign file is not an exception.

    Raises:
        SparkifyLakeError: One of its subclasses.
    """
    mask_secrets(options)
    return check_with(resolve("check", {"output": output, **options}))


def status(
    output: str | PathLike[str] | None = None,
    input: str | PathLike[str] | None = None,
    **options: Unpack[StatusOptions],
) -> Status:
    """Returns the newest version of a lake, from its commit log, and what has changed at an input since.

    Args:
        output: Root of the lake; from the configuration by default.
        input: Root of an input to compare with the lake. Its files are listed, not read. Only an argument
            (`input`, `song_data` or `log_data`) counts here; an input in the configuration is ignored.
        **options: `song_data`, `log_data` and the options of the object store, as for `run`.

    Returns:
        The newest version, and the changes at the input.

    Raises:
        NoInputError: If the lake or the input does not exist.
        SparkifyLakeError: Another of its subclasses.
    """
    mask_secrets(options)
    return status_with(resolve("status", {"output": output, "input": input, **options}))


def history(
    output: str | PathLike[str] | None = None, *, trends: bool = False, **options: Unpack[LakeOptions]
) -> History:
    """Returns the versions of a lake, from its commit log.

    Args:
        output: Root of the lake; from the configuration by default.
        trends: Whether to read plays and levels of users over time from the tables.
        **options: `table_names`, `column_names` and the options of the object store, as for `run`.

    Returns:
        The last 16 versions, the oldest first.

    Raises:
        NoInputError: If the lake does not exist.
        SparkifyLakeError: Another of its subclasses.
    """
    mask_secrets(options)
    return history_with(resolve("history", {"output": output, **options}), trends=trends)


def recover(output: str | PathLike[str] | None = None, **options: Unpack[RecoverOptions]) -> Checkup:
    """Publishes the version that a stopped run committed. The next run would do the same.

    Args:
        output: Root of the lake; from the configuration by default.
        **options: `iceberg_catalog` and the options of the object store, as for `run`.

    Returns:
        The state of the lake after that.

    Raises:
        SparkifyLakeError: One of its subclasses.
    """
    mask_secrets(options)
    return check_with(resolve("recover", {"output": output, **options}))


def doctor_with(location: object, config: Config) -> Examination:
    """Examines a location with resolved settings."""
    if location is None:
        location = config.value("output")
    if location is None:
        raise UsageError("there is no location to examine", hint="pass a local path or an s3:// URL")
    place = as_unicode("location", str(plain_value(BY_NAME["output"], location)))
    # Set as the output, because that decides whether the engine receives the credentials.
    config = with_aws_settings(config.with_values("argument location", output=place))
    _engine.log_warnings(config)
    executor = _engine.executor_binding(config)
    result = _engine.call(
        config, lambda: _engine.native().doctor(place, config.native_options(), None, executor)
    )
    return Examination.from_dict(result)


def check_with(config: Config) -> Checkup:
    """Checks or recovers a lake with resolved settings, as their call says."""
    config = _with_output(config)
    result = _engine.call(
        config,
        lambda: getattr(_engine.native(), config.call)(
            config.native_options(), None, iceberg.writer(config.value("iceberg_catalog"))
        ),
    )
    return Checkup.from_dict(result)


def status_with(config: Config) -> Status:
    """Returns the status of a lake with resolved settings."""
    inputs = ("input", "song_data", "log_data")
    config = config.without(*(name for name in inputs if config.explicit(name) is None))
    return status_of_input(_with_output(config))


def status_of_input(config: Config) -> Status:
    """Returns the status of a lake, with the changes at the configured input."""
    config = replace(config, call="status")
    return Status.from_dict(_engine.call(config, lambda: _engine.native().status(config.native_options())))


def history_with(config: Config, *, trends: bool = False) -> History:
    """Returns the history of a lake with resolved settings."""
    config = _with_output(config)
    result = _engine.call(config, lambda: _engine.native().history(config.native_options(), None))
    for version in result["versions"]:
        sizes = version["tables"]
        version["tables"] = {name: sizes[name] for name in (*_engine.star_schema(), *sizes) if name in sizes}
    found = History.from_dict(result)
    if not trends:
        return found
    from sparkify_lake.lake_trends import query_trends

    return replace(found, trends=query_trends(config))


def _with_output(config: Config) -> Config:
    """Rejects settings without a lake."""
    if config.value("output") is None:
        verb = {"status": "report the status of", "history": "report the history of"}.get(
            config.call, config.call
        )
        raise ConfigurationError(
            f"there is no lake to {verb}",
            hint="pass the root of the lake, or set OUTPUT in lake.cfg or SPARKIFY_OUTPUT",
            context={"option": "output"},
        )
    _engine.log_warnings(config)
    return config
