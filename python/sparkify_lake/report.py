"""The public path of the run report and of its JSON Schema: `sparkify_lake.report.schema()`."""

from __future__ import annotations

from sparkify_lake.results.report_parts import RecordCounts, TableReport
from sparkify_lake.results.run_report import RunReport, SampleReport, schema

__all__ = ["RecordCounts", "RunReport", "SampleReport", "TableReport", "schema"]
