"""The functions of the original Spark job, for notebooks and DAGs that import them.

Importing this module does nothing and starts no Spark. Every function reads all the input that it needs, so
the order of the calls does not matter.

Invariant: signatures and folder names are those of the original job. Additional keywords are ignored, because
Airflow's PythonOperator passes its context. On a local disk, a function waits up to ten minutes
for another run that is writing to the same lake.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sparkify_lake.errors import RetryableError

if TYPE_CHECKING:
    from os import PathLike

    from sparkify_lake.results.run_report import RunReport
    from sparkify_lake.session import SparklessSession
    from sparkify_lake.settings.config import Config

__all__ = ["create_spark_session", "main", "process_log_data", "process_song_data"]

# How long a function waits for another run that is writing to the same local lake: two tasks of a DAG may
# start at the same time.
_MAX_WAIT_SECONDS = 600.0
_MAX_PAUSE_SECONDS = 1.0


def create_spark_session() -> SparklessSession:
    """Returns a replacement for a SparkSession that reads and queries without a JVM. Starts nothing."""
    from sparkify_lake.session import SparklessSession

    return SparklessSession()


def process_song_data(
    spark: object,
    input_data: str | PathLike[str] | None,
    output_data: str | PathLike[str] | None,
    **context: Any,
) -> None:
    """Writes the tables songs and artists.

    Args:
        spark: Ignored.
        input_data: Root folder that contains `song_data/`.
        output_data: Root of the lake.
        **context: Options of `sparkify_lake.run`. Other keywords, such as Airflow's context, are ignored.
    """
    _run(context, input_data, output_data, tables="songs,artists")


def process_log_data(
    spark: object,
    input_data: str | PathLike[str] | None,
    output_data: str | PathLike[str] | None,
    **context: Any,
) -> None:
    """Writes the tables users, time and songplays. Reads the songs itself, so it may run first.

    Args:
        spark: Ignored.
        input_data: Root folder that contains `song_data/` and `log_data/`.
        output_data: Root of the lake.
        **context: Options of `sparkify_lake.run`. Other keywords, such as Airflow's context, are ignored.
    """
    _run(context, input_data, output_data, tables="users,time,songplays")


def main(
    input_data: str | PathLike[str] | None = None,
    output_data: str | PathLike[str] | None = None,
    **context: Any,
) -> None:
    """Writes all five tables, as arguments, the environment, `lake.cfg` and `dl.cfg` configure.

    Args:
        input_data: Root folder that contains `song_data/` and `log_data/`; from the configuration by default.
        output_data: Root of the lake; from the configuration by default.
        **context: Options of `sparkify_lake.run`. Other keywords, such as Airflow's context, are ignored.
    """
    _run(context, input_data, output_data)


def _run(context: dict[str, Any], input_data: Any, output_data: Any, tables: str | None = None) -> None:
    from sparkify_lake.settings.options import mask_secrets, names_for, suggestion

    mask_secrets(context)  # in place, because the caller's frame holds the same dictionary
    from sparkify_lake.render.standard_output import print_report
    from sparkify_lake.settings.resolve import resolve

    known = names_for("run")
    options = {name: value for name, value in context.items() if name in known}
    for name in context.keys() - options.keys():
        if similar := suggestion(name, [*known, "input_data", "output_data"], cutoff=0.85):
            from logging import getLogger

            getLogger("sparkify_lake").warning("the keyword %s is ignored; did you mean %s?", name, similar)
    options["input"] = input_data if input_data is not None else options.get("input")
    options["output"] = output_data if output_data is not None else options.get("output")
    if tables is not None:
        options["tables"] = tables
    config = resolve("run", options)
    report = _run_in_turn(config)
    if not config.is_on("quiet"):
        print_report(report)  # the functions of the original job return None


def _run_in_turn(config: Config) -> RunReport:
    """Runs the job; if another run is writing to the lake, waits for its end first."""
    from sparkify_lake.jobs import run_with

    deadline = time.monotonic() + _MAX_WAIT_SECONDS
    pause = 0.05
    has_waited = False
    while True:
        try:
            return run_with(config)
        except RetryableError as error:
            if error.context.get("state") != "locked" or time.monotonic() > deadline:
                raise
            if not has_waited and not config.is_on("quiet"):
                from logging import getLogger

                getLogger("sparkify_lake").warning("%s; waiting up to 10 minutes for its end", error)
            has_waited = True
        time.sleep(pause)
        pause = min(2 * pause, _MAX_PAUSE_SECONDS)
