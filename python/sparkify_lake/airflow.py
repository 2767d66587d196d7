"""An operator, a sensor for published lakes, and assets for Airflow.

Only a DAG or Airflow itself imports this module. It supports Airflow 3, and Airflow 2.10 and later.

Invariant: XCom, events and task logs contain no credentials and no frames; a task that is killed or times out
leaves complete tables, as any other run does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

from sparkify_lake.airflow_lineage import location_uri
from sparkify_lake.errors import (
    ConfigurationError,
    NoInputError,
    RetryableError,
    SparkifyLakeError,
    UsageError,
)
from sparkify_lake.settings.locations import is_remote
from sparkify_lake.settings.options import check_names, mask_secrets

if TYPE_CHECKING:
    from sparkify_lake.render.progress import Tick
    from sparkify_lake.results.diagnostics import Status
    from sparkify_lake.results.run_report import RunReport

__all__ = ["SparkifyOperator", "SparkifyPublishedSensor", "lake_asset"]


def lake_asset(output: str) -> Asset:
    """Returns the asset of a lake, to schedule another DAG on it.

    Args:
        output: Root of the lake: an `s3://` URL, or an absolute path.
    """
    return Asset(uri=location_uri(output))


class SparkifyOperator(BaseOperator):
    """Reads songs and logs, builds the star schema and publishes it.

    Args:
        input_data: Root folder that contains `song_data/` and `log_data/`; templated.
        output_data: Root of the lake; templated. A URL or an absolute path without a template becomes the
            outlet of the task, unless `outlets` is given.
        options: Keywords of `sparkify_lake.run`, such as `{"compression": "zstd"}`; templated.
        aws_conn_id: A connection of the Amazon provider, which supplies credentials, region and endpoint.
            Without it, credentials are found as in any other run.
        **kwargs: Arguments of Airflow's `BaseOperator`.

    The task returns a small dict: state, version, run_id, seconds, rows of each table, record counts, matched
    plays, output and requests. Only an error that a retry can fix (`RetryableError`, exit code 75) is left to
    Airflow's retries; any other error fails the task at once.
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
        self._report: RunReport | None = None
        mask_secrets(self.options)
        check_names("run", self.options)

    def execute(self, context: Any) -> dict[str, Any]:
        """Runs the job; Airflow calls this."""
        from sparkify_lake.jobs import run_with
        from sparkify_lake.settings.resolve import resolve

        self._is_killed = False
        try:
            config = resolve("run", self._arguments(_connection_options(self.aws_conn_id)))
            report = self._report = run_with(config, watch=self._watch, sends_lineage=False)
        except RetryableError:
            raise
        except SparkifyLakeError as error:
            # The text contains the cause and the hint; a chained traceback would repeat them.
            raise AirflowFailException(str(error)) from None
        self.log.info("%s", report)
        result = summary(report)
        self._add_to_outlet_events(context, result)
        return result

    def _arguments(self, connection: Mapping[str, Any]) -> dict[str, Any]:
        # The options of the task take precedence over its connection.
        return {"input": self.input_data, "output": self.output_data, **connection, **self.options}

    def on_kill(self) -> None:
        """Stops the run at its next tick. Airflow calls this in a signal handler, which must return."""
        self._is_killed = True

    def get_openlineage_facets_on_start(self) -> Any:
        """Returns the datasets and their schemas; the OpenLineage provider calls this."""
        return self._lineage(None)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Returns the datasets with schemas, counts and version; the OpenLineage provider calls this."""
        return self._lineage(self._report)

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> Any:
        """Returns what `get_openlineage_facets_on_start` returns; the OpenLineage provider calls this."""
        return self._lineage(None)

    def _lineage(self, report: RunReport | None) -> Any:
        from airflow.providers.openlineage.extractors import OperatorLineage

        from sparkify_lake.lineage.datasets import lineage_of, planned_lineage
        from sparkify_lake.settings.resolve import resolve

        config = resolve("run", self._arguments({}))  # no credentials are needed
        lineage = planned_lineage(config) if report is None else lineage_of(report, config)
        return OperatorLineage(
            inputs=list(lineage.inputs), outputs=list(lineage.outputs), run_facets=dict(lineage.run_facets)
        )

    def _watch(self, tick: Tick) -> None:
        if self._is_killed:
            raise AirflowException(
                "the task was killed; the tables are complete, and the next run continues from there"
            )

    def _add_to_outlet_events(self, context: Any, result: Mapping[str, Any]) -> None:
        events = context.get("outlet_events") if isinstance(context, Mapping) else None
        if events is None:
            return
        extra = {name: result[name] for name in ("state", "version", "run_id", "rows")}
        for outlet in self.outlets:
            if isinstance(outlet, Asset):
                events[outlet].extra = {**(events[outlet].extra or {}), **extra}


class SparkifyPublishedSensor(BaseSensorOperator):
    """Waits until a lake is completely published.

    Args:
        output_data: Root of the lake; templated.
        min_version: Wait for this version or a later one: a number, such as the `version` in the XCom of a
            run; templated.
        newer_than: Wait for a version whose run started at this time or later: ISO 8601, such as
            `"{{ data_interval_end }}"` in a DAG with data intervals; templated. A run that changes nothing
            commits no version; if that can happen, wait for `min_version`.
        options: Options of the object store, such as `{"region": "eu-west-1"}`.
        aws_conn_id: As for `SparkifyOperator`.
        **kwargs: Arguments of Airflow's `BaseSensorOperator`, such as `poke_interval` and `timeout`.

    A poke reads the commit log of the lake and no table: four requests in a bucket. The task returns version,
    run_id and rows.
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
        mask_secrets(self.options)
        check_names("status", self.options)
        if inputs := sorted({"input", "song_data", "log_data"} & self.options.keys()):
            # Listing the input at every poke would cost requests, and the result would not be displayed.
            raise UsageError(
                f"the sensor does not accept the option {inputs[0]}",
                hint="leave it out; the sensor reads only the commit log of the lake",
            )

    def poke(self, context: Any) -> Any:
        """Reads the commit log once; Airflow calls this."""
        from sparkify_lake.diagnostics import status

        try:
            current = status(self.output_data, **{**_connection_options(self.aws_conn_id), **self.options})
            is_ready = current.is_published and self._is_new(current)
        except NoInputError:
            self.log.info("there is no lake at %s yet", self.output_data)
            return False
        except RetryableError as error:
            self.log.info("%s", error)
            return False
        except SparkifyLakeError as error:
            raise AirflowFailException(str(error)) from None
        self.log.info("%s", current)
        return _poke_result(current) if is_ready else False

    def _is_new(self, current: Status) -> bool:
        from datetime import datetime, timezone

        if self.min_version is not None and current.version < self._min_version():
            return False
        if self.newer_than is None:
            return True
        try:
            earliest = datetime.fromisoformat(str(self.newer_than).replace("Z", "+00:00"))
        except ValueError:
            raise UsageError(
                f"newer_than cannot be {self.newer_than!r}",
                hint="use a time such as 2018-11-30T12:00:00+00:00",
            ) from None
        if earliest.tzinfo is None:
            earliest = earliest.replace(tzinfo=timezone.utc)
        return datetime.fromisoformat(current.committed_at.replace("Z", "+00:00")) >= earliest

    def _min_version(self) -> int:
        try:
            return int(str(self.min_version))
        except ValueError:
            raise UsageError(
                f"min_version cannot be {self.min_version!r}",
                hint="""use a number, such as "{{ ti.xcom_pull(task_ids='build_lake')['version'] }}\"""",
            ) from None


def _poke_result(current: Status) -> Any:
    value = {"version": current.version, "run_id": current.run, "rows": dict(current.rows)}
    try:
        from airflow.sdk.bases.sensor import PokeReturnValue
    except ImportError:  # Airflow 2.10 and 2.11
        from airflow.sensors.base import PokeReturnValue
    return PokeReturnValue(is_done=True, xcom_value=value)


def summary(report: RunReport) -> dict[str, Any]:
    """Returns the part of a report that goes to XCom: numbers and names, a few hundred bytes."""
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


def _connection_options(aws_conn_id: str | None) -> dict[str, Any]:
    """Returns the values of a connection as keywords of `run`."""
    if aws_conn_id is None:
        return {}
    try:
        from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
    except ImportError:
        raise ConfigurationError(
            f"the connection {aws_conn_id} cannot be read without the Amazon provider",
            hint="install it: pip install 'sparkify-lake[airflow]'; or leave out aws_conn_id",
        ) from None
    hook: Any = AwsGenericHook(aws_conn_id=aws_conn_id, client_type="s3")
    try:
        # Without this, the hook would use any credentials that it finds in the environment.
        hook.get_connection(aws_conn_id)
    except AirflowNotFoundException:
        raise ConfigurationError(
            f"Airflow has no connection {aws_conn_id}", hint="add the connection, or leave out aws_conn_id"
        ) from None
    values = {
        "region": hook.region_name,
        "endpoint_url": hook.conn_config.get_service_endpoint_url("s3"),
        "ca_file": hook.verify if isinstance(hook.verify, str) else None,
    }
    # If the connection has no credentials, the run finds them itself.
    if hook.get_session().get_credentials() is not None:
        keys = hook.get_credentials()  # this also masks them in the task log
        values |= {
            "access_key_id": keys.access_key,
            "secret_access_key": keys.secret_key,
            "session_token": keys.token,
        }
    options = {name: value for name, value in values.items() if value}
    mask_secrets(options)
    return options


def _is_plain(output: str) -> bool:
    """Returns whether a location has no template and is the same on every worker."""
    return "{{" not in output and "{%" not in output and (is_remote(output) or output.startswith("/"))
