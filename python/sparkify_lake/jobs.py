"""Run, plan, build and sample: settings go to the engine, what comes back becomes a report.

Invariant: made-up data goes only where the call itself says, never into a lake that a file names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sparkify_lake import _engine
from sparkify_lake.errors import ConfigurationError, UsageError
from sparkify_lake.results.run_report import RunReport, SampleReport
from sparkify_lake.settings.options import BY_NAME, hide, is_remote, plain_value
from sparkify_lake.settings.resolve import Config, resolve
from sparkify_lake.settings.time_range import is_in_airflow, refuse_empty_window

if TYPE_CHECKING:
    from os import PathLike

    from typing_extensions import Unpack

    from sparkify_lake._native import OnTick
    from sparkify_lake.lake import Star
    from sparkify_lake.results.dry_run import Plan
    from sparkify_lake.settings.options import PlanOptions, ReadOptions, RunOptions

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
        frames, report = _asked("build", _checked(config))
        return Star(**frames, report=RunReport.from_dict(report))
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="sparkify-sample-") as directory:
        make_sample(directory, {}, config)
        frames, report = _asked("build", config.with_values("sample", input=directory))
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
    from sparkify_lake.lake_highlights import looked_through
    from sparkify_lake.render.html_report import checked, write

    path = checked(str(file))
    report = looked_through(_run(config, watch), config)
    write(report, path)
    return report


def _run(config: Config, watch: OnTick | None) -> RunReport:
    crew = _engine.crew(config)
    made = _engine.called(
        config, lambda on_tick: _engine.native().run(config.native_options(), on_tick, crew), watch
    )
    report = RunReport.from_dict(made)
    if is_in_airflow():
        # Lineage, also of a plain PythonOperator; telling it must not be able to fail a run.
        try:
            from sparkify_lake.airflow import collect_lineage

            collect_lineage(report)
        except Exception:
            _engine.logger().debug("Airflow was not told what was read and written", exc_info=True)
    return report


def plan_with(config: Config) -> Plan:
    """Plans with settings that are merged already; a sample that is asked for is made, to plan on it."""
    from sparkify_lake.results.dry_run import Plan

    return Plan.from_dict(_asked("plan", _with_sample(config)))


def make_sample(directory: str, numbers: Mapping[str, int], config: Config) -> SampleReport:
    """Makes the sample data set, showing progress as the settings say."""
    directory = str(plain_value(BY_NAME["input"], directory))
    if is_remote(directory):
        raise UsageError("a sample is made on a local disk", hint="name a local folder; copy it from there")
    made = _engine.called(config, lambda on_tick: _engine.native().sample(directory, dict(numbers), on_tick))
    return SampleReport(directory=directory, **made)


def _with_sample(config: Config) -> Config:
    """Makes the sample if it is asked for, and puts it in the place of the input."""
    if not config.is_on("sample"):
        return _checked(config)
    _engine.warn(config)
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
    _engine.logger().info("sample: %s", made)
    return config.with_values("sample", input=made.directory, output=output).without("song_data", "log_data")


def _holds_something(directory: str) -> bool:
    from pathlib import Path

    path = Path(directory)
    return path.is_file() or (path.is_dir() and any(path.iterdir()))


def _checked(config: Config) -> Config:
    """Refuses settings that name nothing to do."""
    _engine.warn(config)
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


def _asked(call: str, config: Config) -> Any:
    return _engine.called(
        config, lambda on_tick: getattr(_engine.native(), call)(config.native_options(), on_tick)
    )
