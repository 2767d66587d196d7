"""The calls that do the work: run, plan, build and sample.

Invariant: sample data is written only to a location that is an argument of the call, never to a lake that a
file or the environment names.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from sparkify_lake import _engine, iceberg
from sparkify_lake.errors import ConfigurationError, RetryableError, UsageError
from sparkify_lake.results.run_report import RunReport, SampleReport
from sparkify_lake.settings.config import Config
from sparkify_lake.settings.environment import has_openlineage, is_in_airflow
from sparkify_lake.settings.locations import as_unicode, is_remote, writable_file
from sparkify_lake.settings.options import BY_NAME, mask_secrets, plain_value
from sparkify_lake.settings.resolve import resolve
from sparkify_lake.settings.time_range import reject_empty_range

if TYPE_CHECKING:
    from os import PathLike

    from typing_extensions import Unpack

    from sparkify_lake.lake import Star
    from sparkify_lake.metrics import MetricsFile
    from sparkify_lake.render.progress import OnTick
    from sparkify_lake.results.dry_run import Plan
    from sparkify_lake.settings.keywords import PlanOptions, ReadOptions, RunOptions

SAMPLE_INPUT = "sparkify-sample/input"
SAMPLE_OUTPUT = "sparkify-sample/lake"
# How long to pause before looking again whether another run is still writing.
_FIRST_PAUSE_SECONDS = 0.05
_MAX_PAUSE_SECONDS = 1.0


def run(
    input: str | PathLike[str] | None = None,
    output: str | PathLike[str] | None = None,
    **options: Unpack[RunOptions],
) -> RunReport:
    """Reads songs and logs, builds the star schema and writes it as Parquet.

    Options that are not passed come from the environment (`SPARKIFY_*`), `lake.cfg`, `dl.cfg` or the
    defaults, in this order.

    Args:
        input: Root folder that contains `song_data/` and `log_data/`.
        output: Root of the lake.
        **options: The options of the program as keywords, such as `compression="zstd"`.

    Returns:
        A report of the records and files that were read, written and skipped.

    Raises:
        SparkifyLakeError: One of its subclasses; only a `RetryableError` is worth a second try.
    """
    mask_secrets(options)
    return run_with(resolve("run", {"input": input, "output": output, **options}))


def plan(
    input: str | PathLike[str] | None = None,
    output: str | PathLike[str] | None = None,
    **options: Unpack[PlanOptions],
) -> Plan:
    """Returns what `run` would read and write with the same arguments; writes nothing.

    If the lake has tables already, the new and changed input files are read: they determine the partitions to
    rebuild.

    Args:
        input: Root folder that contains `song_data/` and `log_data/`.
        output: Root of the lake.
        **options: As for `run`, except `report`, `metrics`, `executor` and `shard_size`.

    Returns:
        The plan.

    Raises:
        SparkifyLakeError: One of its subclasses.
    """
    mask_secrets(options)
    return plan_with(resolve("plan", {"input": input, "output": output, **options}))


def build(input: str | PathLike[str] | None = None, **options: Unpack[ReadOptions]) -> Star:
    """Builds the tables in memory, as Polars DataFrames; writes nothing.

    Args:
        input: Root folder that contains `song_data/` and `log_data/`.
        **options: As for `run`, except the options about the output. `tables` adds `users_history` to the
            other tables.

    Returns:
        The tables and the report.

    Raises:
        SparkifyLakeError: One of its subclasses.
    """
    from sparkify_lake.lake import Star

    mask_secrets(options)
    config = resolve("build", {"input": input, **options})
    if not config.is_on("sample"):
        frames, report = _call("build", checked(config))
        return Star(**frames, report=RunReport.from_dict(report))
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="sparkify-sample-") as directory:
        make_sample(directory, {}, config)
        frames, report = _call("build", config.with_values("sample", input=directory))
        return Star(**frames, report=RunReport.from_dict(report))


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
    """Creates a sample data set: the same arguments always give the same bytes.

    Args:
        directory: The folder in which `song_data/` and `log_data/` are created.
        songs: Number of songs.
        events: Number of log events.
        days: Number of days with events.
        users: Number of users.
        seed: Another seed gives other data.
        quiet: Whether to display no progress.

    Returns:
        The location and the size of the sample.

    Raises:
        SparkifyLakeError: One of its subclasses.
    """
    sizes = {"songs": songs, "events": events, "days": days, "users": users, "seed": seed}
    config = Config(call="build", settings={}).with_values("argument", quiet=quiet)
    return make_sample(
        str(directory), {name: size for name, size in sizes.items() if size is not None}, config
    )


def run_with(
    config: Config,
    watch: OnTick | None = None,
    *,
    max_wait_seconds: float = 0.0,
    sends_lineage: bool = True,
) -> RunReport:
    """Runs with resolved settings.

    Args:
        config: The settings.
        watch: Called about ten times per second with the progress. An exception that it raises stops the run.
        max_wait_seconds: How long to wait for another run that is writing to the same local lake.
        sends_lineage: Whether to send events to OpenLineage, if it is configured.

    Returns:
        A report of the records and files that were read, written and skipped.
    """
    if config.value("metrics") is None:
        return _run_and_render(config, watch, max_wait_seconds, sends_lineage, None)
    from sparkify_lake.metrics import metrics_file

    metrics = metrics_file(config)
    try:
        return _run_and_render(config, watch, max_wait_seconds, sends_lineage, metrics)
    except BaseException as error:  # also when a signal stops the run
        if metrics is not None:
            metrics.failed(error)
        raise


def _run_and_render(
    config: Config,
    watch: OnTick | None,
    max_wait_seconds: float,
    sends_lineage: bool,
    metrics: MetricsFile | None,
) -> RunReport:
    config = _with_sample(config)

    def execute() -> RunReport:
        return _run_in_turn(config, watch, max_wait_seconds)

    file = config.value("report")
    path = None if file is None else writable_file("report", str(file))
    report = _reported(config, execute, sends_lineage)
    if metrics is not None:
        report = metrics.succeeded(report)
    if path is not None:
        from sparkify_lake.lake_highlights import with_highlights
        from sparkify_lake.render.html_report import write_page

        report = with_highlights(report, config)
        write_page(report.to_html(), path)
    return report


def _reported(config: Config, execute: Callable[[], RunReport], sends_lineage: bool) -> RunReport:
    """Runs, and reports what the run read and wrote to Airflow or OpenLineage."""
    if is_in_airflow():
        from sparkify_lake.airflow_lineage import is_in_task, reported_by_task

        if not sends_lineage or is_in_task():
            return reported_by_task(config, execute, sends_events=sends_lineage)
        execute = partial(reported_by_task, config, execute, sends_events=False)
    if sends_lineage and has_openlineage():
        from sparkify_lake.lineage.reporting import reported

        return reported(config, execute)
    return execute()


def _run_in_turn(config: Config, watch: OnTick | None, max_wait_seconds: float) -> RunReport:
    """Runs; if another run is writing to the lake, waits for its end first."""
    executor = _engine.executor_binding(config)
    writer = iceberg.writer(config.value("iceberg_catalog"))
    deadline = time.monotonic() + max_wait_seconds
    pause = _FIRST_PAUSE_SECONDS
    has_waited = False
    while True:
        try:
            result = _engine.call_with_progress(
                config,
                lambda on_tick: _engine.native().run(config.native_options(), on_tick, executor, writer),
                watch,
            )
            return RunReport.from_dict(result)
        except RetryableError as error:
            if error.context.get("state") != "locked" or time.monotonic() >= deadline:
                raise
            if not has_waited and not config.is_on("quiet"):
                minutes = round(max_wait_seconds / 60)
                _engine.logger().warning("%s; waiting up to %d minutes for its end", error, minutes)
            has_waited = True
        time.sleep(pause)
        pause = min(2 * pause, _MAX_PAUSE_SECONDS)


def plan_with(config: Config) -> Plan:
    """Plans with resolved settings; creates the sample first if it is requested."""
    from sparkify_lake.results.dry_run import Plan

    return Plan.from_dict(_call("plan", _with_sample(config)))


def make_sample(directory: str, sizes: Mapping[str, int], config: Config) -> SampleReport:
    """Creates the sample data set, and displays progress if the settings allow it."""
    directory = as_unicode("directory", str(plain_value(BY_NAME["input"], directory)))
    if is_remote(directory):
        raise UsageError(
            "a sample can only be created on a local disk",
            hint="name a local folder, and upload the sample from there",
        )
    made = _engine.call_with_progress(
        config,
        lambda on_tick: _engine.native().sample(directory, dict(sizes), on_tick),
    )
    return SampleReport(directory=directory, **made)


def _with_sample(config: Config) -> Config:
    """Creates the sample if it is requested, and uses it as the input."""
    if not config.is_on("sample"):
        return checked(config)
    _engine.log_warnings(config)
    # Only arguments count: sample data must never be written to a lake that a file or the environment names.
    directory, output = config.explicit("input"), config.explicit("output") or SAMPLE_OUTPUT
    if config.explicit("song_data") or config.explicit("log_data"):
        raise UsageError(
            "a sample cannot be combined with song_data or log_data",
            hint="leave out song_data and log_data; input may name a new folder for the sample",
        )
    if directory is not None and not is_remote(directory) and _has_contents(directory):
        raise UsageError(
            f"a sample cannot be created in {directory}, because it is not empty",
            hint="name a new folder, or leave out the sample to use the existing data",
        )
    made = make_sample(directory or SAMPLE_INPUT, {}, config)
    _engine.logger().info("sample: %s", made)
    return config.with_values("sample", input=made.directory, output=output).without("song_data", "log_data")


def _has_contents(directory: str) -> bool:
    from pathlib import Path

    path = Path(directory)
    return path.is_file() or (path.is_dir() and any(path.iterdir()))


def checked(config: Config) -> Config:
    """Rejects settings without an input or an output."""
    _engine.log_warnings(config)
    reject_empty_range(config)
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
        hint=f"pass {' and '.join(missing)}, or set {keys} in lake.cfg or {variables}; "
        "to try the job with sample data, use --sample (in Python: sample=True)",
        context={"option": missing[0]},
    )


def _call(name: str, config: Config) -> Any:
    return _engine.call_with_progress(
        config, lambda on_tick: getattr(_engine.native(), name)(config.native_options(), on_tick)
    )
