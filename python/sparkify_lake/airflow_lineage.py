"""Reports to Airflow what a run read and wrote, also in a plain PythonOperator.

`jobs.py` imports this module only in a process that belongs to Airflow.

Invariant: a failure here does not make a run fail.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from sparkify_lake.settings.locations import is_remote

if TYPE_CHECKING:
    from sparkify_lake.lineage.datasets import Lineage
    from sparkify_lake.results.run_report import RunReport
    from sparkify_lake.settings.config import Config

# The provider of OpenLineage is loaded before a task begins, if it is installed.
_PROVIDER = "airflow.providers.openlineage"


def is_in_task() -> bool:
    """Returns whether this process runs a task of Airflow."""
    try:
        try:
            from airflow.sdk import get_current_context
        except ImportError:  # Airflow 2.10 and 2.11
            from airflow.operators.python import get_current_context
        return bool(get_current_context())
    except Exception:
        return False


def reported_by_task(config: Config, run: Callable[[], RunReport], *, sends_events: bool) -> RunReport:
    """Runs, and reports the inputs and tables to the task that runs in this process.

    Args:
        config: The settings of the run.
        run: Runs the job.
        sends_events: Whether to add the datasets with their facets to the task's events in OpenLineage, if
            its provider is installed. The operator does this itself.

    Returns:
        The report of the run.
    """
    sends_events = sends_events and _PROVIDER in sys.modules
    try:
        report = run()
    except Exception:
        if sends_events:
            _logged(lambda: _add_to_task(_planned(config)))
        raise
    _logged(lambda: collect_lineage(report))
    if sends_events:
        _logged(lambda: _add_to_task(_counted(report, config)))
    return report


def _planned(config: Config) -> Lineage:
    from sparkify_lake.lineage.datasets import planned_lineage

    return planned_lineage(config)


def _counted(report: RunReport, config: Config) -> Lineage:
    from sparkify_lake.lineage.datasets import lineage_of

    return lineage_of(report, config)


def _add_to_task(lineage: Lineage) -> None:
    """Sends an event RUNNING of the current task; the provider adds the facets of the task."""
    from airflow.providers.openlineage.api import emit_dataset_lineage

    emit_dataset_lineage(
        inputs=list(lineage.inputs),
        outputs=list(lineage.outputs),
        additional_run_facets=dict(lineage.run_facets),
    )


def _logged(report: Callable[[], None]) -> None:
    try:
        report()
    except Exception:
        from sparkify_lake import _engine

        _engine.logger().debug("the lineage was not reported to Airflow", exc_info=True)


def collect_lineage(report: RunReport) -> None:
    """Adds the inputs and tables of a run to Airflow's lineage collector."""
    try:
        from airflow.sdk.lineage import get_hook_lineage_collector
    except ImportError:  # Airflow 2.10 and 2.11
        from airflow.lineage.hook import get_hook_lineage_collector

    collector: Any = get_hook_lineage_collector()
    kind = "asset" if hasattr(collector, "add_input_asset") else "dataset"  # the name in Airflow 2
    add_input = getattr(collector, f"add_input_{kind}")
    add_output = getattr(collector, f"add_output_{kind}")
    for source in report.input.values():
        add_input(_CONTEXT, uri=location_uri(source.location))
    if report.output is not None:
        for table in report.tables.values():
            folder = f"{report.output.rstrip('/')}/{table.folder}"
            add_output(_CONTEXT, uri=location_uri(folder), **{f"{kind}_extra": {"rows": table.rows}})


class _Context:
    """The reporting hook that the collector needs: an object with a name, the same in every call."""

    def __repr__(self) -> str:
        return "sparkify_lake"


_CONTEXT: Any = _Context()


def location_uri(location: str) -> str:
    """Returns the URI of a location, as Airflow names assets."""
    if is_remote(location):
        return f"s3://{location.partition('://')[2]}".rstrip("/")
    from pathlib import Path

    return PurePosixPath(Path(location).absolute()).as_uri().rstrip("/")
