"""Reports to Airflow what a run read and wrote, also in a plain PythonOperator.

`jobs.py` imports this module only in a process that belongs to Airflow.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from sparkify_lake.settings.locations import is_remote

if TYPE_CHECKING:
    from sparkify_lake.results.run_report import RunReport


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
