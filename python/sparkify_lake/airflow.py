"""Airflow: an operator, a sensor for "published", assets and lineage.

Airflow is imported here and nowhere else, and this module by nobody but a DAG or Airflow itself. It knows
Airflow 3 and, where names differ, 2.10 and later.

Invariant: what goes to XCom, to an event or to the task's log holds no credential and no frame; a task that
is killed or timed out leaves the tables whole, as any other run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from airflow.exceptions import AirflowException

try:
    from airflow.sdk import Asset, BaseOperator, BaseSensorOperator
    from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException
except ImportError:  # Airflow 2.10 and 2.11
    from airflow.datasets import Dataset as Asset
    from airflow.exceptions import AirflowFailException, AirflowNotFoundException
    from airflow.models.baseoperator import BaseOperator
    from airflow.sensors.base import BaseSensorOperator

from sparkify_lake.errors import (
    ConfigurationError,
    NoInputError,
    RetryableError,
    SparkifyLakeError,
    UsageError,
)
from sparkify_lake.settings.options import check_names, hide, is_remote

if TYPE_CHECKING:
    from sparkify_lake._native import Tick
    from sparkify_lake.results.diagnostics import Status
    from sparkify_lake.results.run_report import RunReport

__all__ = ["SparkifyOperator", "SparkifyPublishedSensor", "lake_asset"]


def lake_asset(output: str) -> Asset:
    """Returns the asset that stands for a lake, to schedule another DAG on.

    Args:
        output: The root of the lake: an `s3://` URL, or an absolute path.
    """
    return Asset(uri=_uri(output))


class SparkifyOperator(BaseOperator):
    """Reads songs and logs, builds the star schema and publishes it.

    Args:
        input_data: The root that holds `song_data/` and `log_data/`; templated.
        output_data: The root of the lake; templated. One without a template, that is a URL or an absolute
            path, becomes the task's outlet, unless `outlets` says otherwise.
        options: Keywords of `sparkify_lake.run`, such as `{"compression": "zstd"}`; templated.
        aws_conn_id: A connection of the Amazon provider, whose credentials, region and endpoint are used;
            without one, credentials are looked for as ever.
        **kwargs: Those of Airflow's `BaseOperator`.

    The task returns a small dict: state, version, run_id, seconds, rows of each table, counts of records,
    matched plays, output and requests. Only an error that a retry can cure (`RetryableError`, exit 75) is
    left to Airflow's retries; any other fails the task at once.
    """

    template_fields: Sequence[str] = ("input_data", "output_data", "options")
    template_fields_renderers: Mapping[str, str] = {"options": "json"}
    ui_color = "#cfe0fb"

    def __init__(
        self,
        *,
        input_data: str | None = None,
        output_data: str | None = None,
        options: Mapping[str, Any] | None = None,
        aws_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        if output_data is not None and "outlets" not in kwargs and _is_plain(output_data):
            kwargs["outlets"] = [lake_asset(output_data)]
        super().__init__(**kwargs)
        self.input_data = input_data
        self.output_data = output_data
        self.options = dict(options or {})
        self.aws_conn_id = aws_conn_id
        self._is_killed = False
        hide(self.options)
        check_names("run", self.options)

    def execute(self, context: Any) -> dict[str, Any]:
        """Runs the job; Airflow calls this."""
        from sparkify_lake.jobs import run_with
        from sparkify_lake.settings.resolve import resolve

        self._is_killed = False
        try:
            said = {
                "input": self.input_data,
                "output": self.output_data,
                **_connection(self.aws_conn_id),
                **self.options,  # what a task says goes before what a connection says
            }
            report = run_with(resolve("run", said), watch=self._watch)
        except RetryableError:
            raise
        except SparkifyLakeError as error:
            # The text has cause and hint; the chain would repeat it.
            raise AirflowFailException(str(error)) from None
        self.log.info("%s", report)
        small = summary(report)
        self._tell_outlets(context, small)
        return small

    def on_kill(self) -> None:
        """Lets the run stop at its next tick; Airflow calls this in a signal handler, which must return."""
        self._is_killed = True

    def _watch(self, tick: Tick) -> None:
        if self._is_killed:
            raise AirflowException(
                "the task was killed; the tables are whole, and the next run goes on from there"
            )

    def _tell_outlets(self, context: Any, small: Mapping[str, Any]) -> None:
        events = context.get("outlet_events") if isinstance(context, Mapping) else None
        if events is None:
            return
        told = {name: small[name] for name in ("state", "version", "run_id", "rows")}
        for outlet in self.outlets:
            if isinstance(outlet, Asset):
                events[outlet].extra = {**(events[outlet].extra or {}), **told}


class SparkifyPublishedSensor(BaseSensorOperator):
    """Waits until a lake is published in full.

    Args:
        output_data: The root of the lake; templated.
        min_version: Only this version or a later one counts: a number, such as the `version` of a run's
            XCom; templated.
        newer_than: Only a version whose run began at this time or later counts: ISO 8601, such as
            `"{{ data_interval_end }}"` of a DAG with real intervals; templated. A run that changes nothing
            makes no version: where that happens, wait for `min_version`.
        options: What concerns the store, such as `{"region": "eu-west-1"}`.
        aws_conn_id: As for `SparkifyOperator`.
        **kwargs: Those of Airflow's `BaseSensorOperator`, such as `poke_interval` and `timeout`.

    A poke reads the log of the lake and no table: four requests in a bucket. The task returns version, run
    and rows.
    """

    template_fields: Sequence[str] = ("output_data", "min_version", "newer_than")
    ui_color = "#e2ecfd"

    def __init__(
        self,
        *,
        output_data: str,
        min_version: int | str | None = None,
        newer_than: str | None = None,
        options: Mapping[str, Any] | None = None,
        aws_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.output_data = output_data
        self.min_version = min_version
        self.newer_than = newer_than
        self.options = dict(options or {})
        self.aws_conn_id = aws_conn_id
        hide(self.options)
        check_names("status", self.options)
        if listed := sorted({"input", "song_data", "log_data"} & self.options.keys()):
            # A listing of the input at every poke would be paid for and shown to nobody.
            raise UsageError(f"the sensor looks at the lake alone, not at {listed[0]}", hint="leave it away")

    def poke(self, context: Any) -> Any:
        """Looks once; Airflow calls this."""
        from sparkify_lake.diagnostics import status

        try:
            found = status(self.output_data, **{**_connection(self.aws_conn_id), **self.options})
            is_there = found.is_published and self._is_new(found)
        except NoInputError:
            self.log.info("there is no lake at %s yet", self.output_data)
            return False
        except RetryableError as error:
            self.log.info("%s", error)
            return False
        except SparkifyLakeError as error:
            raise AirflowFailException(str(error)) from None
        self.log.info("%s", found)
        return _poked(found) if is_there else False

    def _is_new(self, found: Status) -> bool:
        from datetime import datetime, timezone

        if self.min_version is not None and found.version < self._min_version():
            return False
        if self.newer_than is None:
            return True
        try:
            asked = datetime.fromisoformat(str(self.newer_than).replace("Z", "+00:00"))
        except ValueError:
            raise UsageError(
                f"newer_than cannot be {self.newer_than!r}",
                hint="it takes a time such as 2018-11-30T12:00:00+00:00",
            ) from None
        if asked.tzinfo is None:
            asked = asked.replace(tzinfo=timezone.utc)
        return datetime.fromisoformat(found.committed_at.replace("Z", "+00:00")) >= asked

    def _min_version(self) -> int:
        try:
            return int(str(self.min_version))
        except ValueError:
            raise UsageError(
                f"min_version cannot be {self.min_version!r}",
                hint="""it takes a number, such as "{{ ti.xcom_pull(task_ids='build_lake')['version'] }}\"""",
            ) from None


def _poked(found: Status) -> Any:
    told = {"version": found.version, "run_id": found.run, "rows": dict(found.rows)}
    try:
        from airflow.sdk.bases.sensor import PokeReturnValue
    except ImportError:  # Airflow 2.10 and 2.11
        from airflow.sensors.base import PokeReturnValue
    return PokeReturnValue(is_done=True, xcom_value=told)


def summary(report: RunReport) -> dict[str, Any]:
    """Returns what XCom gets of a report: numbers and names, some hundred bytes."""
    return {
        "state": report.state,
        "version": report.version,
        "run_id": report.run_id,
        "seconds": round(report.seconds, 3),
        "output": report.output,
        "rows": {name: table.rows for name, table in report.tables.items()},
        "records": {
            name: {"read": c.read, "loaded": c.loaded, "filtered": c.filtered, "quarantined": c.quarantined}
            for name, c in report.records.items()
        },
        "matched": report.plays.matched,
        "quarantine": report.quarantine,
        "requests": dict(report.requests) if report.requests is not None else None,
    }


def _connection(aws_conn_id: str | None) -> dict[str, Any]:
    """Returns what a connection says, as keywords of `run`."""
    if aws_conn_id is None:
        return {}
    try:
        from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
    except ImportError:
        raise ConfigurationError(
            f"the connection {aws_conn_id} cannot be read without the Amazon provider",
            hint="pip install 'sparkify-lake[airflow]'; or leave out aws_conn_id",
        ) from None
    hook: Any = AwsGenericHook(aws_conn_id=aws_conn_id, client_type="s3")
    try:
        hook.get_connection(aws_conn_id)  # the hook itself would go on, with whosever keys lie about
    except AirflowNotFoundException:
        raise ConfigurationError(
            f"Airflow has no connection {aws_conn_id}", hint="add it, or leave out aws_conn_id"
        ) from None
    said = {
        "region": hook.region_name,
        "endpoint_url": hook.conn_config.get_service_endpoint_url("s3"),
        "ca_file": hook.verify if isinstance(hook.verify, str) else None,
    }
    # Without any, as in a connection that only names a region, the run itself looks for them.
    if hook.get_session().get_credentials() is not None:
        keys = hook.get_credentials()  # masks them in the task's log, too
        said |= {
            "access_key_id": keys.access_key,
            "secret_access_key": keys.secret_key,
            "session_token": keys.token,
        }
    found = {name: value for name, value in said.items() if value}
    hide(found)
    return found


def collect_lineage(report: RunReport) -> None:
    """Tells Airflow's collector what a run read and wrote, also within a plain PythonOperator."""
    try:
        from airflow.sdk.lineage import get_hook_lineage_collector
    except ImportError:  # Airflow 2.10 and 2.11
        from airflow.lineage.hook import get_hook_lineage_collector

    collector: Any = get_hook_lineage_collector()
    kind = "asset" if hasattr(collector, "add_input_asset") else "dataset"  # Airflow 2's word
    add_input = getattr(collector, f"add_input_{kind}")
    add_output = getattr(collector, f"add_output_{kind}")
    for source in report.input.values():
        add_input(_CONTEXT, uri=_uri(source.location))
    if report.output is not None:
        for table in report.tables.values():
            place = f"{report.output.rstrip('/')}/{table.folder}"
            add_output(_CONTEXT, uri=_uri(place), **{f"{kind}_extra": {"rows": table.rows}})


class _Context:
    """What the collector takes for the one who tells: a name, and the same object every time."""

    def __repr__(self) -> str:
        return "sparkify_lake"


_CONTEXT: Any = _Context()


def _is_plain(output: str) -> bool:
    """Whether a location is known when the DAG is read, and on every worker the same."""
    return "{{" not in output and "{%" not in output and (is_remote(output) or output.startswith("/"))


def _uri(location: str) -> str:
    if is_remote(location):
        return f"s3://{location.partition('://')[2]}".rstrip("/")
    from pathlib import Path

    return PurePosixPath(Path(location).absolute()).as_uri().rstrip("/")
