"""How a place or a lake is: doctor, check, status, recover.

Invariant: `doctor`, `check` and `status` leave everything as it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkify_lake import _engine
from sparkify_lake.errors import ConfigurationError, UsageError
from sparkify_lake.results.diagnostics import Checkup, Examination, Status
from sparkify_lake.settings.options import BY_NAME, hide, plain_value
from sparkify_lake.settings.resolve import Config, resolve

if TYPE_CHECKING:
    from os import PathLike

    from typing_extensions import Unpack

    from sparkify_lake.settings.options import DoctorOptions, StatusOptions, StoreOptions


def doctor(location: str | PathLike[str] | None = None, **options: Unpack[DoctorOptions]) -> Examination:
    """Examines a place that a job would read or write: credentials, reach, rights, promises, speed.

    What it writes there, it removes again.

    Args:
        location: A local path or an `s3://` URL; the configured output, unless given.
        **options: What concerns the store, as for `run`; and `executor`, whose workers then examine it, too.

    Returns:
        The checks; one that fails is no exception.

    Raises:
        SparkifyLakeError: One of its subclasses, when the examination itself cannot be made.
    """
    hide(options)
    return doctor_with(location, resolve("doctor", options))


def check(output: str | PathLike[str] | None = None, **options: Unpack[StoreOptions]) -> Checkup:
    """Compares a lake with its log, file by file; changes nothing.

    On a local disk every byte is read; in a bucket the store's own checksums are compared.

    Args:
        output: The root of the lake; from the configuration, unless given.
        **options: What concerns the store, as for `run`.

    Returns:
        What was found; a file that is missing, changed or foreign is no exception.

    Raises:
        SparkifyLakeError: One of its subclasses.
    """
    hide(options)
    return check_with(resolve("check", {"output": output, **options}))


def status(
    output: str | PathLike[str] | None = None,
    input: str | PathLike[str] | None = None,
    **options: Unpack[StatusOptions],
) -> Status:
    """Tells the newest version of a lake from its log; and what has arrived since, at an input that is named.

    Args:
        output: The root of the lake; from the configuration, unless given.
        input: The root of the input to compare with what the lake knows. It is listed, not read; unless it
            (or `song_data`, `log_data`) is an argument, nothing is: the configuration does not count here.
        **options: `song_data` and `log_data`, and what concerns the store, as for `run`.

    Returns:
        The newest version, and the arrivals.

    Raises:
        NoInputError: If there is no lake yet, or no such input.
        SparkifyLakeError: Another of its subclasses.
    """
    hide(options)
    return status_with(resolve("status", {"output": output, "input": input, **options}))


def recover(output: str | PathLike[str] | None = None, **options: Unpack[StoreOptions]) -> Checkup:
    """Finishes what a run has committed and was stopped before it was published; any later run does so, too.

    Args:
        output: The root of the lake; from the configuration, unless given.
        **options: What concerns the store, as for `run`.

    Returns:
        What the lake is then.

    Raises:
        SparkifyLakeError: One of its subclasses.
    """
    hide(options)
    return check_with(resolve("recover", {"output": output, **options}))


def doctor_with(location: object, config: Config) -> Examination:
    """Examines a place with settings that are merged already."""
    if location is None:
        location = config.value("output")
    if location is None:
        raise UsageError("no location to examine", hint="name a local path or an s3:// URL")
    place = str(plain_value(BY_NAME["output"], location))
    # As if it were the output: that decides whether credentials are handed over.
    config = config.with_values("argument location", output=place)
    _engine.warn(config)
    crew = _engine.crew(config)
    found = _engine.explained(
        config, lambda: _engine.native().doctor(place, config.native_options(), None, crew)
    )
    return Examination.from_dict(found)


def check_with(config: Config) -> Checkup:
    """Checks or recovers a lake, as the settings' call says."""
    config = _with_output(config)
    found = _engine.explained(
        config, lambda: getattr(_engine.native(), config.call)(config.native_options(), None)
    )
    return Checkup.from_dict(found)


_DO = {"status": "tell the status of"}


def status_with(config: Config) -> Status:
    """Tells the newest version of a lake with settings that are merged already."""
    inputs = ("input", "song_data", "log_data")
    config = _with_output(config.without(*(name for name in inputs if config.said(name) is None)))
    return Status.from_dict(
        _engine.explained(config, lambda: _engine.native().status(config.native_options()))
    )


def _with_output(config: Config) -> Config:
    """Refuses settings that name no lake."""
    if config.value("output") is None:
        raise ConfigurationError(
            f"no lake to {_DO.get(config.call, config.call)}",
            hint="pass its root, or set OUTPUT in lake.cfg or SPARKIFY_OUTPUT",
            context={"option": "output"},
        )
    _engine.warn(config)
    return config
