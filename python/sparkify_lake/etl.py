"""The functions of the Spark job, for notebooks and DAGs that import them.

Nothing is done on import, and Spark is not started: there is none. Every function reads what it needs by
itself, so the order of calls does not matter.

Invariant: signatures and folder names are those of the job that people have; extra keywords are tolerated,
because Airflow's PythonOperator passes its context.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from os import PathLike

    from sparkify_lake.session import SparklessSession

__all__ = ["create_spark_session", "main", "process_log_data", "process_song_data"]


def create_spark_session() -> SparklessSession:
    """Returns what stands in for a SparkSession: it reads and queries without a JVM, and starts nothing."""
    from sparkify_lake.session import SparklessSession

    return SparklessSession()


def process_song_data(
    spark: object,
    input_data: str | PathLike[str] | None,
    output_data: str | PathLike[str] | None,
    **context: Any,
) -> None:
    """Writes songs and artists.

    Args:
        spark: Ignored; whatever the caller has.
        input_data: The root that holds `song_data/`.
        output_data: The root of the lake.
        **context: Options of `sparkify_lake.run` count; anything else (Airflow's context) does not.
    """
    _run(context, input_data, output_data, tables="songs,artists")


def process_log_data(
    spark: object,
    input_data: str | PathLike[str] | None,
    output_data: str | PathLike[str] | None,
    **context: Any,
) -> None:
    """Writes users, time and songplays; reads the songs itself, so it may run first.

    Args:
        spark: Ignored; whatever the caller has.
        input_data: The root that holds `song_data/` and `log_data/`.
        output_data: The root of the lake.
        **context: Options of `sparkify_lake.run` count; anything else (Airflow's context) does not.
    """
    _run(context, input_data, output_data, tables="users,time,songplays")


def main(
    input_data: str | PathLike[str] | None = None,
    output_data: str | PathLike[str] | None = None,
    **context: Any,
) -> None:
    """Writes all five tables, as configured in `dl.cfg`, `lake.cfg` and the environment.

    Args:
        input_data: The root that holds `song_data/` and `log_data/`; from the configuration, unless given.
        output_data: The root of the lake; from the configuration, unless given.
        **context: Options of `sparkify_lake.run` count; anything else (Airflow's context) does not.
    """
    _run(context, input_data, output_data)


def _run(context: dict[str, Any], input_data: Any, output_data: Any, tables: str | None = None) -> None:
    from sparkify_lake.settings.options import hide, names_for, suggestion

    hide(context)  # in place: it is the caller's local variable, too
    from sparkify_lake.jobs import run_with
    from sparkify_lake.settings.resolve import resolve

    known = names_for("run")
    options = {name: value for name, value in context.items() if name in known}
    for name in context.keys() - options.keys():
        if meant := suggestion(name, [*known, "input_data", "output_data"], cutoff=0.85):
            from logging import getLogger

            getLogger("sparkify_lake").warning("the keyword %s is ignored; did you mean %s?", name, meant)
    options["input"] = input_data if input_data is not None else options.get("input")
    options["output"] = output_data if output_data is not None else options.get("output")
    if tables is not None:
        options["tables"] = tables
    config = resolve("run", options)
    report = run_with(config)
    if not config.is_on("quiet"):
        print(report)  # these functions return None, as they always did: this is how a caller sees the result
