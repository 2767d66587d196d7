"""The functions of the original Spark job, for notebooks and DAGs that import them.

Importing this module does nothing and starts no Spark. Every function reads all the input that it needs, so
the order of the calls does not matter.

Invariant: signatures and folder names are those of the original job. Additional keywords are ignored, because
Airflow's PythonOperator passes its context; ignored arguments that had a meaning in Spark cause a warning. On
a local disk, a function waits up to ten minutes for another run that is writing to the same lake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparkify_lake.errors import ConfigurationError

if TYPE_CHECKING:
    from os import PathLike

    from sparkify_lake.etl_arguments import Part
    from sparkify_lake.session import SparklessSession
    from sparkify_lake.session.lake_tables import LakeTables
    from sparkify_lake.settings.config import Config

__all__ = ["create_spark_session", "main", "process_log_data", "process_song_data"]

# How long a function waits for another run that is writing to the same local lake: two tasks of a DAG may
# start at the same time.
_MAX_WAIT_SECONDS = 600.0


def create_spark_session(*arguments: object, **options: object) -> SparklessSession:
    """Returns a replacement for a SparkSession that reads and queries without a JVM. Starts nothing.

    Args:
        *arguments: Ignored, with a warning.
        **options: Ignored, with a warning.
    """
    from sparkify_lake.session import SparklessSession

    if arguments or options:
        _warn("create_spark_session ignores its arguments; dl.cfg and lake.cfg contain the settings")
    return SparklessSession()


def process_song_data(
    spark: object = None,
    input_data: str | PathLike[str] | None = None,
    output_data: str | PathLike[str] | None = None,
    *more: object,
    **context: Any,
) -> LakeTables | None:
    """Writes the tables songs and artists.

    Args:
        spark: The session for the returned frames; nothing else uses it.
        input_data: Root folder that contains `song_data/`, or this folder itself, or a glob for its files.
        output_data: Root of the lake; an empty text is the current folder.
        *more: Further arguments are ignored, with a warning if they had a meaning in Spark.
        **context: Options of `sparkify_lake.run`. Other keywords, such as Airflow's context, are ignored.

    Returns:
        The tables, as frames that are read when they are used; in Airflow None, because Airflow stores the
        values that tasks return.
    """
    return _process("song", (spark, input_data, output_data, *more), context)


def process_log_data(
    spark: object = None,
    input_data: str | PathLike[str] | None = None,
    output_data: str | PathLike[str] | None = None,
    *more: object,
    **context: Any,
) -> LakeTables | None:
    """Writes the tables users, time and songplays. Reads the songs itself, so it may run first.

    If the option `tables` names users_history, this table is written too.

    Args:
        spark: The session for the returned frames; nothing else uses it.
        input_data: Root folder that contains `song_data/` and `log_data/`, or the folder `log_data/` itself,
            or a glob for its files; then the songs are read from `song_data/` next to it.
        output_data: Root of the lake; an empty text is the current folder.
        *more: Further arguments are ignored, with a warning if they had a meaning in Spark.
        **context: Options of `sparkify_lake.run`. Other keywords, such as Airflow's context, are ignored.

    Returns:
        The tables, as frames that are read when they are used; in Airflow None, because Airflow stores the
        values that tasks return.
    """
    return _process("log", (spark, input_data, output_data, *more), context)


def main(
    input_data: str | PathLike[str] | None = None,
    output_data: str | PathLike[str] | None = None,
    *more: object,
    **context: Any,
) -> None:
    """Writes all tables, as arguments, the environment, `lake.cfg` and `dl.cfg` configure.

    Args:
        input_data: Root folder that contains `song_data/` and `log_data/`; from the configuration by default.
        output_data: Root of the lake; from the configuration by default.
        *more: Further arguments are ignored, with a warning if they had a meaning in Spark.
        **context: Options of `sparkify_lake.run`. Other keywords, such as Airflow's context, are ignored.
    """
    from sparkify_lake.etl_arguments import locations_of

    places, warnings = locations_of("main", (input_data, output_data, *more), has_session=False)
    _run("main", context, places, warnings)


def _process(part: Part, arguments: tuple[object, ...], context: dict[str, Any]) -> LakeTables | None:
    from sparkify_lake.etl_arguments import locations_of
    from sparkify_lake.settings.environment import is_in_airflow

    function = f"process_{part}_data"
    places, warnings = locations_of(function, arguments, has_session=True)
    tables = ("songs", "artists") if part == "song" else ("users", "time", "songplays")
    config = _run(function, context, places, warnings, part, tables)
    if is_in_airflow():
        return None
    from sparkify_lake.session.lake_tables import LakeTables

    return LakeTables(arguments[0], config.without_entries(), tables)


def _run(
    function: str,
    context: dict[str, Any],
    places: list[Any],
    warnings: list[str],
    part: Part | None = None,
    tables: tuple[str, ...] = (),
) -> Config:
    from sparkify_lake.settings.options import mask_secrets, names_for, suggestion

    mask_secrets(context)  # in place, because the caller's frame holds the same dictionary
    from sparkify_lake.etl_arguments import attribute_of_script, input_options, keywords_of
    from sparkify_lake.jobs import run_with
    from sparkify_lake.render.standard_output import print_report
    from sparkify_lake.settings.resolve import resolve

    given, ignored = keywords_of(function, context)
    known = names_for("run")
    options = {name: value for name, value in given.items() if name in known}
    for name in given.keys() - options.keys():
        if similar := suggestion(name, [*known, "input_data", "output_data"], cutoff=0.85):
            ignored.append(f"the keyword {name} is ignored; did you mean {similar}?")
    for warning in (*warnings, *ignored):
        _warn(warning)
    for name, place in zip(("input", "output"), places, strict=True):
        value = place if place is not None else options.get(name)
        options[name] = value if value is not None else attribute_of_script(f"{name}_data", globals())
    if options["output"] is not None and not str(options["output"]).strip():
        options["output"] = "."  # as in Spark, "" + "songs_table" is below the current folder
    if part is not None:
        replacing = input_options(part, options.pop("input"))
        options = {**replacing, **{name: value for name, value in options.items() if value is not None}}
    if tables:
        chosen = str(resolve("run", options).value("tables") or "").replace(" ", "").split(",")
        # A table that must be selected is written with the other tables of the logs.
        more = ("users_history",) if part == "log" and "users_history" in chosen else ()
        options["tables"] = ",".join((*tables, *more))
    config = resolve("run", options)
    if part == "log" and config.value("input") is None and config.value("song_data") is None:
        raise ConfigurationError(
            f"{function} also needs the songs, and the input names only log files",
            hint="pass the folder that contains song_data and log_data, or also pass song_data=...",
        )
    report = run_with(config, max_wait_seconds=_MAX_WAIT_SECONDS)
    if not config.is_on("quiet"):
        print_report(report)
    return config


def _warn(text: str) -> None:
    from logging import getLogger

    getLogger("sparkify_lake").warning("%s", text)
