"""Run, plan, build, doctor and the rest: settings go to the native module, what comes back becomes a report.

The only module that imports `_native`, and only inside a function: importing the package loads no engine.

Invariant: an error of the engine leaves with the origin of the option it complains about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from sparkify_lake.config import Config, resolve
from sparkify_lake.errors import ConfigurationError, InternalError, SparkifyLakeError, UsageError
from sparkify_lake.examination import Checkup, Examination, Status
from sparkify_lake.options import BY_NAME, hide, is_remote, plain_value
from sparkify_lake.preview import Plan
from sparkify_lake.report import RunReport, SampleReport
from sparkify_lake.window import is_in_airflow, refuse_empty_window

if TYPE_CHECKING:
    from logging import Logger
    from os import PathLike
    from types import ModuleType

    from typing_extensions import Unpack

    from sparkify_lake._native import OnTick, Sight, Tick
    from sparkify_lake.executors import Executor, Kernel
    from sparkify_lake.lake import Star
    from sparkify_lake.options import (
        DoctorOptions,
        PlanOptions,
        ReadOptions,
        RunOptions,
        StatusOptions,
        StoreOptions,
    )

Result = TypeVar("Result")

SAMPLE_INPUT = "sparkify-sample/input"
SAMPLE_OUTPUT = "sparkify-sample/lake"


def run(
    input: str | PathLike[str] | None = None,
    output: str | PathLike[str] | None = None,
    **options: Unpack[RunOptions],
) -> RunReport:
    """Reads songs and logs, builds the star schema and writes it as Parquet.

    What is not passed comes from the environment (`SPARKIFY_*`), `lake.cfg`, `dl.cfg` or the defaults, in
    this order.

    Args:
        input: The root that holds `song_data/` and `log_data/`.
        output: The root of the lake.
        **options: The flags of the program as keywords, such as `compression="zstd"`.

    Returns:
        What was read, written and left out.

    Raises:
        SparkifyLakeError: One of its subclasses; only a `RetryableError` is worth a second try.
    """
    hide(options)
    return run_with(resolve("run", {"input": input, "output": output, **options}))


def plan(
    input: str | PathLike[str] | None = None,
    output: str | PathLike[str] | None = None,
    **options: Unpack[PlanOptions],
) -> Plan:
    """Finds out what `run` would read and write, with the same arguments; writes nothing.

    Args:
        input: The root that holds `song_data/` and `log_data/`.
        output: The root of the lake.
        **options: As for `run`, but for `report`.

    Returns:
        The plan.

    Raises:
        SparkifyLakeError: One of its subclasses.
    """
    hide(options)
    return plan_with(resolve("plan", {"input": input, "output": output, **options}))


def build(input: str | PathLike[str] | None = None, **options: Unpack[ReadOptions]) -> Star:
    """Builds the five tables in memory, as Polars DataFrames; writes nothing.

    Args:
        input: The root that holds `song_data/` and `log_data/`.
        **options: As for `run`, but for what concerns the output.

    Returns:
        The tables and the report.

    Raises:
        SparkifyLakeError: One of its subclasses.
    """
    from sparkify_lake.lake import Star

    hide(options)
    config = resolve("build", {"input": input, **options})
    if not config.is_on("sample"):
        frames, report = _engine("build", _checked(config))
        return Star(**frames, report=RunReport.from_dict(report))
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="sparkify-sample-") as directory:
        make_sample(directory, {}, config)
        frames, report = _engine("build", config.with_values("sample", input=directory))
        return Star(**frames, report=RunReport.from_dict(report))


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


def sample(
    directory: str | PathLike[str],
    *,
    songs: int | None = None,
    events: int | None = None,
    days: int | None = None,
    users: int | None = None,
    seed: int | None = None,
    quiet: bool = False,
) -> SampleReport:
    """Makes a data set to try things on: the same arguments always give the same bytes.

    Args:
        directory: Where `song_data/` and `log_data/` are made.
        songs: How many songs.
        events: How many log events.
        days: Over how many days.
        users: Of how many users.
        seed: Another one gives other data.
        quiet: Whether to show no progress.

    Returns:
        What was made.

    Raises:
        SparkifyLakeError: One of its subclasses.
    """
    numbers = {"songs": songs, "events": events, "days": days, "users": users, "seed": seed}
    config = Config(call="build", settings={}).with_values("argument", quiet=quiet)
    return make_sample(str(directory), {name: n for name, n in numbers.items() if n is not None}, config)


def run_with(config: Config, watch: OnTick | None = None) -> RunReport:
    """Runs with settings that are merged already.

    Args:
        config: The settings.
        watch: Called about ten times a second, with what progress is told; what it raises stops the run.

    Returns:
        What was read, written and left out.
    """
    config = _with_sample(config)
    file = config.value("report")
    if file is None:
        return _run(config, watch)
    from sparkify_lake.highlights import looked_through
    from sparkify_lake.page import checked, write

    path = checked(str(file))
    report = looked_through(_run(config, watch), config)
    write(report, path)
    return report


def _run(config: Config, watch: OnTick | None) -> RunReport:
    crew = _crew(config)
    made = _called(config, lambda on_tick: _native().run(config.native_options(), on_tick, crew), watch)
    report = RunReport.from_dict(made)
    if is_in_airflow():
        # Lineage, also of a plain PythonOperator; telling it must not be able to fail a run.
        try:
            from sparkify_lake.airflow import collect_lineage

            collect_lineage(report)
        except Exception:
            _logger().debug("Airflow was not told what was read and written", exc_info=True)
    return report


def plan_with(config: Config) -> Plan:
    """Plans with settings that are merged already; a sample that is asked for is made, to plan on it."""
    return Plan.from_dict(_engine("plan", _with_sample(config)))


def doctor_with(location: object, config: Config) -> Examination:
    """Examines a place with settings that are merged already."""
    if location is None:
        location = config.value("output")
    if location is None:
        raise UsageError("no location to examine", hint="name a local path or an s3:// URL")
    place = str(plain_value(BY_NAME["output"], location))
    # As if it were the output: that decides whether credentials are handed over.
    config = config.with_values("argument location", output=place)
    _warn(config)
    crew = _crew(config)
    found = _explained(config, lambda: _native().doctor(place, config.native_options(), None, crew))
    return Examination.from_dict(found)


def check_with(config: Config) -> Checkup:
    """Checks or recovers a lake, as the settings' call says."""
    config = _with_output(config)
    found = _explained(config, lambda: getattr(_native(), config.call)(config.native_options(), None))
    return Checkup.from_dict(found)


_DO = {"status": "tell the status of"}


def status_with(config: Config) -> Status:
    """Tells the newest version of a lake with settings that are merged already."""
    inputs = ("input", "song_data", "log_data")
    config = _with_output(config.without(*(name for name in inputs if config.said(name) is None)))
    return Status.from_dict(_explained(config, lambda: _native().status(config.native_options())))


def _with_output(config: Config) -> Config:
    """Refuses settings that name no lake."""
    if config.value("output") is None:
        raise ConfigurationError(
            f"no lake to {_DO.get(config.call, config.call)}",
            hint="pass its root, or set OUTPUT in lake.cfg or SPARKIFY_OUTPUT",
            context={"option": "output"},
        )
    _warn(config)
    return config


def make_sample(directory: str, numbers: Mapping[str, int], config: Config) -> SampleReport:
    """Makes the sample data set, showing progress as the settings say."""
    directory = str(plain_value(BY_NAME["input"], directory))
    if is_remote(directory):
        raise UsageError("a sample is made on a local disk", hint="name a local folder; copy it from there")
    made = _called(config, lambda on_tick: _native().sample(directory, dict(numbers), on_tick))
    return SampleReport(directory=directory, **made)


def lake_layout(config: Config) -> dict[str, str]:
    """Returns the folder of each table below the output, by table name."""
    layout: dict[str, str] = _explained(config, lambda: _native().lake_layout(config.native_options()))
    return layout


def look(config: Config) -> Sight:
    """Looks which tables of a lake are there."""
    sight: Sight = _explained(config, lambda: _native().look(config.native_options()))
    return sight


def defaults() -> dict[str, str]:
    """Returns each option's default as text."""
    texts: dict[str, str] = _native().defaults()
    return texts


def build_info() -> dict[str, str]:
    """Returns the version and how the native module was compiled."""
    facts: dict[str, str] = _native().build_info()
    return facts


def _native() -> ModuleType:
    try:
        from sparkify_lake import _native
    except ImportError as error:
        reason = str(error)
    else:
        return _native
    raise InternalError(
        "the native module of sparkify-lake cannot be loaded",
        cause=reason,
        hint="install the package again; in a checkout, build it first: pip install .",
    )


def _engine(call: str, config: Config, watch: OnTick | None = None) -> Any:
    return _called(config, lambda on_tick: getattr(_native(), call)(config.native_options(), on_tick), watch)


def _called(config: Config, call: Callable[[Any], Result], watch: OnTick | None = None) -> Result:
    from sparkify_lake.progress import shown

    with shown(hidden=config.is_on("quiet") or config.is_on("no_progress")) as show:

        def on_tick(tick: Tick) -> None:
            for told in (watch, show):
                if told is not None:
                    told(tick)

        return _explained(config, lambda: call(on_tick if watch else show))


def _crew(config: Config) -> tuple[Executor, Kernel] | None:
    """Returns the executor and what it is to do; None for a run on the threads of this process."""
    if config.executor is None and config.value("executor") is None:
        return None
    from sparkify_lake.executors import crew_of

    return _explained(config, lambda: crew_of(config))


def _explained(config: Config, call: Callable[[], Result]) -> Result:
    try:
        return call()
    except SparkifyLakeError as error:
        problem = config.explain(error)
    # Out of the except block, so that the engine's words, which may repeat a value, are not chained to it.
    raise problem


def _with_sample(config: Config) -> Config:
    """Makes the sample if it is asked for, and puts it in the place of the input."""
    if not config.is_on("sample"):
        return _checked(config)
    _warn(config)
    # Only what this very call says counts: sample data must never reach a lake that a file or the
    # environment names.
    directory, output = config.said("input"), config.said("output") or SAMPLE_OUTPUT
    if config.said("song_data") or config.said("log_data"):
        raise UsageError(
            "a sample and song_data or log_data exclude each other", hint="name the input, or nothing"
        )
    if directory is not None and not is_remote(directory) and _holds_something(directory):
        raise UsageError(f"{directory} is not empty, so no sample is made there", hint="leave out the sample")
    made = make_sample(directory or SAMPLE_INPUT, {}, config)
    _logger().info("sample: %s", made)
    return config.with_values("sample", input=made.directory, output=output).without("song_data", "log_data")


def _holds_something(directory: str) -> bool:
    from pathlib import Path

    path = Path(directory)
    return path.is_file() or (path.is_dir() and any(path.iterdir()))


def _checked(config: Config) -> Config:
    """Refuses settings that name nothing to do."""
    _warn(config)
    refuse_empty_window(config)
    has_input = any(config.value(name) for name in ("input", "song_data", "log_data"))
    missing = [] if has_input else ["input"]
    if config.call != "build" and not config.value("output"):
        missing.append("output")
    if not missing:
        return config
    keys = " and ".join(name.upper() for name in missing)
    variables = " and ".join(f"SPARKIFY_{name.upper()}" for name in missing)
    raise ConfigurationError(
        f"no {' and no '.join(missing)} configured",
        hint=f"pass them, or set {keys} in lake.cfg or {variables}; to try it on made-up data: --sample",
        context={"option": missing[0]},
    )


def _warn(config: Config) -> None:
    if not config.is_on("quiet"):
        for warning in config.warnings:
            _logger().warning("%s", warning)


def _logger() -> Logger:
    from logging import getLogger

    return getLogger("sparkify_lake")
