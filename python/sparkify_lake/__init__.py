"""Sparkify's JSON to a star schema of Hive-partitioned Parquet, without Spark and without a JVM.

    import sparkify_lake

    report = sparkify_lake.run("data", "lake")         # read, build, write
    lake = sparkify_lake.open_lake("lake")             # five Polars LazyFrames
    lake.songplays.group_by("level").len().collect()

Importing this package is free: it reads no file, starts no thread and loads nothing heavy. Every name below
is imported when it is first used (DAG files are parsed again and again).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sparkify_lake.diagnostics import check, doctor, recover, status
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
    from sparkify_lake.results.run_report import RecordCounts, RunReport, SampleReport, TableReport
    from sparkify_lake.secret import Secret

    __version__: str

__all__ = [
    "AccessDeniedError",
    "Check",
    "Checkup",
    "ConfigurationError",
    "DataRefusedError",
    "Examination",
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
    "open_lake",
    "plan",
    "recover",
    "run",
    "sample",
    "status",
]

_MODULES = {
    "diagnostics": ("check", "doctor", "recover", "status"),
    "jobs": ("build", "plan", "run", "sample"),
    "lake": ("Lake", "Star", "open_lake"),
    "results.diagnostics": ("Check", "Checkup", "Examination", "Status"),
    "results.dry_run": ("Plan",),
    "results.run_report": ("RecordCounts", "RunReport", "SampleReport", "TableReport"),
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
