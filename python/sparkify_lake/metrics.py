"""The metrics of a run in the text format of Prometheus, for the textfile collector of the node exporter.

A file has the metrics of one lake. A failed run changes only the metrics about the last run; those about the
last success keep the values in the file.

Invariant: a run that is published does not fail because of its metrics. A file that cannot be written is
refused before the run starts; a failure after the run is a warning.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from sparkify_lake import _engine
from sparkify_lake.errors import ConfigurationError, SparkifyLakeError
from sparkify_lake.results.run_report import RunReport
from sparkify_lake.settings.config import Config
from sparkify_lake.settings.locations import is_remote, without_userinfo, writable_file

PREFIX = "sparkify_lake_"

# The name of each metric, its labels in addition to `lake`, and its help text.
METRICS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "last_run_timestamp_seconds": ((), "When the last run ended."),
    "last_run_success": ((), "Whether the last run succeeded."),
    "last_run_exit_code": ((), "Exit code of the last run."),
    "last_run_duration_seconds": ((), "Duration of the last run."),
    "last_success_timestamp_seconds": ((), "When the last successful run ended."),
    "last_success_duration_seconds": ((), "Duration of the last successful run."),
    "last_play_timestamp_seconds": ((), "Time of the last play in the lake."),
    "version": ((), "Version of the lake."),
    "table_rows": (("table",), "Rows of a table."),
    "table_files": (("table",), "Files of a table."),
    "table_bytes": (("table",), "Size of the files of a table."),
    "plays_matched": ((), "Plays with a matching song."),
    "input_files": (("input",), "Input files."),
    "input_bytes": (("input",), "Size of the input files."),
    "input_bytes_read": (("input",), "Size of the input files that the last successful run read."),
    "records": (("input", "outcome"), "Input records by outcome: loaded, filtered or quarantined."),
    "requests": (("kind",), "Requests of the last successful run to the object store."),
    "requests_cost_usd": ((), "What S3 charges for these requests, in US dollars."),
}

Labels = tuple[str, ...]
Values = dict[tuple[str, Labels], float]


@dataclass(slots=True)
class MetricsFile:
    """The file to which a run writes its metrics.

    Attributes:
        path: The file.
        lake: The lake, as the label of all metrics.
        started: When the run started, by the monotonic clock.
        is_written: Whether the metrics of a successful run are written.
    """

    path: Path
    lake: str
    started: float = field(default_factory=time.monotonic)
    is_written: bool = False

    def succeeded(self, report: RunReport) -> RunReport:
        """Writes the metrics of a successful run.

        Returns:
            The report, with a warning if the metrics could not be written.
        """
        self.is_written = True
        problem = self._write(values_of(report))
        return report if problem is None else replace(report, warnings=(*report.warnings, problem))

    def failed(self, error: BaseException) -> None:
        """Writes the metrics of a failed run; the values of the last success stay."""
        if self.is_written:
            return
        problem = self._write(
            {
                ("last_run_timestamp_seconds", ()): time.time(),
                ("last_run_success", ()): 0,
                ("last_run_exit_code", ()): exit_code(error),
                ("last_run_duration_seconds", ()): time.monotonic() - self.started,
            }
        )
        if problem is not None:
            _engine.logger().warning("%s", problem)

    def _write(self, values: Values) -> str | None:
        """Writes values, and those that the file has already; returns the text of a warning."""
        try:
            from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

            known = self._read()
            registry = CollectorRegistry()
            for name, (labels, text) in METRICS.items():
                samples = {key: value for key, value in (known | values).items() if key[0] == name}
                if samples:
                    gauge = Gauge(PREFIX + name, text, ("lake", *labels), registry=registry)
                    for (_, given), value in samples.items():
                        gauge.labels(self.lake, *given).set(value)
            write_to_textfile(str(self.path), registry)
        except Exception as error:  # nothing about metrics may fail a run
            reason = error.strerror if isinstance(error, OSError) else None
            return f"the metrics could not be written to {self.path}: {reason or type(error).__name__}"
        return None

    def _read(self) -> Values:
        """Reads the metrics of this lake from the file; a file that is damaged has none."""
        from prometheus_client.parser import text_string_to_metric_families

        found: Values = {}
        try:
            for family in text_string_to_metric_families(self.path.read_text(encoding="utf-8")):
                for sample in family.samples:
                    name = sample.name.removeprefix(PREFIX)
                    labels, _ = METRICS.get(name, ((), ""))
                    if sample.labels.get("lake") == self.lake and set(sample.labels) == {"lake", *labels}:
                        found[name, tuple(sample.labels[label] for label in labels)] = sample.value
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            _engine.logger().warning("the old metrics in %s are ignored: %s", self.path, type(error).__name__)
            return {}
        return {key: value for key, value in found.items() if key[0] in METRICS}


def metrics_file(config: Config) -> MetricsFile | None:
    """Returns the file for the metrics of a run, after checking that it can be written.

    Returns:
        The file; None if none is configured, or no lake that the metrics would be about.

    Raises:
        OutputError: If the file cannot be written.
        ConfigurationError: If the library is not installed.
    """
    file = config.value("metrics")
    output = config.value("output")
    if file is None or output is None:
        return None
    path = writable_file("metrics", str(file))
    try:
        import prometheus_client  # noqa: F401
    except ImportError:
        raise ConfigurationError(
            "metrics cannot be written without prometheus_client",
            hint="pip install 'sparkify-lake[metrics]'",
            context={"option": "metrics"},
        ) from None
    return MetricsFile(path=path, lake=_lake_label(str(output)))


def values_of(report: RunReport) -> Values:
    """Returns the metrics of a successful run."""
    now = time.time()
    values: Values = {
        ("last_run_timestamp_seconds", ()): now,
        ("last_run_success", ()): 1,
        ("last_run_exit_code", ()): 0,
        ("last_run_duration_seconds", ()): report.seconds,
        ("last_success_timestamp_seconds", ()): now,
        ("last_success_duration_seconds", ()): report.seconds,
    }
    if report.version is not None:
        values["version", ()] = report.version
    if report.plays.last_at is not None:
        last = datetime.fromisoformat(report.plays.last_at.replace("Z", "+00:00"))
        values["last_play_timestamp_seconds", ()] = last.timestamp()
    if "songplays" in report.tables:
        values["plays_matched", ()] = report.plays.matched
    for name, table in report.tables.items():
        values["table_rows", (name,)] = table.rows
        values["table_files", (name,)] = table.files
        values["table_bytes", (name,)] = table.bytes
    for name, source in report.input.items():
        values["input_files", (name,)] = source.files
        values["input_bytes", (name,)] = source.bytes
        values["input_bytes_read", (name,)] = source.bytes_read
    for name, counts in report.records.items():
        for outcome in ("loaded", "filtered", "quarantined"):
            values["records", (name, outcome)] = getattr(counts, outcome)
    requests: Mapping[str, object] = report.requests or {}
    for kind in ("list", "get", "put", "delete", "other", "retries", "throttled"):
        if isinstance(number := requests.get(kind), int):
            values["requests", (kind,)] = number
    if isinstance(cost := requests.get("cost_usd"), float | int):
        values["requests_cost_usd", ()] = cost
    return values


def exit_code(error: BaseException) -> int:
    """Returns the exit code with which the program ends after an error."""
    if isinstance(error, KeyboardInterrupt):
        return 130
    code = getattr(error, "exit_code", None)
    return code if isinstance(code, int) else SparkifyLakeError.exit_code


def _lake_label(output: str) -> str:
    """Returns the location of the lake, the same after successful and failed runs."""
    return without_userinfo(output).rstrip("/") if is_remote(output) else os.path.abspath(output)
