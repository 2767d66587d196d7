"""Converts Sparkify's JSON to a star schema of Hive-partitioned Parquet, without Spark and without a JVM.

    import sparkify_lake

    report = sparkify_lake.run("data", "lake")         # read, build, write
    lake = sparkify_lake.open_lake("lake")             # five Polars LazyFrames
    lake.songplays.group_by("level").len().collect()

Importing this package reads no file, starts no thread and loads no large library, because Airflow parses DAG
files repeatedly. Every public name is imported when it is first used.

A module imports only modules and folders that come before it in this list, which
`tests/python/package/test_architecture.py` reads:

    errors            the exception classes
    secret            a text that is displayed as ***
    settings          options, the files that set them, and the resolved settings of a call
    render            text tables, charts, the frame of an HTML page, progress
    results           what calls return, as frozen data that displays itself
    executors         where the shards of a run are processed
    iceberg           metadata of Iceberg tables, made for the engine
    _native           the engine, written in Rust
    _engine           calls into the engine
    lake              the tables as Polars frames
    lake_highlights   queries for the HTML report
    lake_trends       queries for the page of the history
    lineage           what a run reports to OpenLineage
    airflow_lineage   what a run reports to Airflow
    metrics           the metrics of a run, in the text format of Prometheus
    jobs              run, plan, build, sample
    diagnostics       doctor, check, status, history, recover
    watch             looks for new input, and runs when there is some
    ddl               statements with which other engines read a lake
    session           a Spark session without a JVM, on Sail
    etl_arguments     what drivers of the Spark job pass to its functions
    etl               the functions of the original Spark job
    migrate           reads an etl.py for Spark, and writes the files that replace it
    airflow           an operator and a sensor
    cli_arguments     the commands and their arguments
    cli_help          the text of --help
    cli               the program
    report            the public path of the run report and its schema
    __init__          the public names
    airflow_provider  the description of the package for Airflow
    __main__          python -m sparkify_lake
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sparkify_lake.diagnostics import check, doctor, history, recover, status
    from sparkify_lake.errors import (
        AccessDeniedError,
        ConfigurationError,
        DataRefusedError,
        InternalError,
        NoInputError,
        OutputError,
        ProtocolError,
        RetryableError,
        SparkifyLakeError,
        StorageError,
        TerminalError,
        UsageError,
    )
    from sparkify_lake.jobs import build, plan, run, sample
    from sparkify_lake.lake import Lake, Star, open_lake
    from sparkify_lake.results.diagnostics import Check, Checkup, Examination, Status
    from sparkify_lake.results.dry_run import Plan
    from sparkify_lake.results.history import History
    from sparkify_lake.results.report_parts import RecordCounts, TableReport
    from sparkify_lake.results.run_report import RunReport, SampleReport
    from sparkify_lake.secret import Secret

    __version__: str

__all__ = [
    "AccessDeniedError",
    "Check",
    "Checkup",
    "ConfigurationError",
    "DataRefusedError",
    "Examination",
    "History",
    "InternalError",
    "Lake",
    "NoInputError",
    "OutputError",
    "Plan",
    "ProtocolError",
    "RecordCounts",
    "RetryableError",
    "RunReport",
    "SampleReport",
    "Secret",
    "SparkifyLakeError",
    "Star",
    "Status",
    "StorageError",
    "TableReport",
    "TerminalError",
    "UsageError",
    "__version__",
    "build",
    "check",
    "doctor",
    "history",
    "open_lake",
    "plan",
    "recover",
    "run",
    "sample",
    "status",
]

_MODULES = {
    "diagnostics": ("check", "doctor", "history", "recover", "status"),
    "jobs": ("build", "plan", "run", "sample"),
    "lake": ("Lake", "Star", "open_lake"),
    "results.diagnostics": ("Check", "Checkup", "Examination", "Status"),
    "results.dry_run": ("Plan",),
    "results.history": ("History",),
    "results.report_parts": ("RecordCounts", "TableReport"),
    "results.run_report": ("RunReport", "SampleReport"),
    "secret": ("Secret",),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("sparkify-lake")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOME.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
