"""The functions of the Spark job, for notebooks and DAGs that import them.

Nothing is done on import, and Spark is not started: there is none. Every function reads what it needs by
itself, so the order of calls does not matter.

Invariant: signatures and folder names are those of the job that people have; extra keywords are tolerated,
because Airflow's PythonOperator passes its context.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["create_spark_session", "main", "process_log_data", "process_song_data"]


def create_spark_session() -> SparklessSession:
    """Returns what stands in for a SparkSession; starts nothing."""
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
    from sparkify_lake.options import hide, names_for, suggestion

    hide(context)  # in place: it is the caller's local variable, too
    from sparkify_lake.config import resolve
    from sparkify_lake.job import run_with

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


class SparklessSession:
    """What `create_spark_session` returns: it can be stopped and passed on, and that is all it can do.

    Example:
        >>> spark = create_spark_session()
        >>> spark.sparkContext.setLogLevel("ERROR")
        >>> spark.stop()
        >>> spark
        <SparklessSession: sparkify-lake runs without Spark>
    """

    @property
    def sparkContext(self) -> SparklessContext:  # Spark's name
        """The part that takes a log level."""
        return SparklessContext()

    def stop(self) -> None:
        """Does nothing; there is nothing to stop."""

    def __enter__(self) -> SparklessSession:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def __getattr__(self, name: str) -> NoReturn:
        raise _missing(type(self).__name__, f"spark.{name}", name)

    def __repr__(self) -> str:
        return "<SparklessSession: sparkify-lake runs without Spark>"


class SparklessContext:
    """What `spark.sparkContext` returns: takes a log level and ignores it."""

    def setLogLevel(self, logLevel: str) -> None:  # Spark's names
        """Does nothing; there is no JVM that would log."""

    def __getattr__(self, name: str) -> NoReturn:
        raise _missing(type(self).__name__, f"spark.sparkContext.{name}", name)

    def __repr__(self) -> str:
        return "<SparklessContext: sparkify-lake runs without Spark>"


def _missing(owner: str, call: str, name: str) -> AttributeError:
    if name.startswith("_"):  # IPython, copy and pickle ask for many of these
        return AttributeError(f"{owner!r} object has no attribute {name!r}")
    return AttributeError(
        f"{call} is not there, because sparkify-lake runs without Spark. To read the tables: "
        "sparkify_lake.open_lake(output).songplays, a Polars LazyFrame. "
        "For work on Spark itself, make a session with pyspark; process_song_data takes that one too."
    )
