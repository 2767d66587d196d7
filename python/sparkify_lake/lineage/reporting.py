"""Sends the events of a run with the official client of OpenLineage, which finds its own configuration.

Invariant: no failure here makes a run fail.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sparkify_lake import _engine
from sparkify_lake.errors import SparkifyLakeError
from sparkify_lake.lineage.datasets import PRODUCER, Lineage, lineage_of, name_of, planned_lineage
from sparkify_lake.settings.environment import openlineage_job

if TYPE_CHECKING:
    from openlineage.client import OpenLineageClient
    from openlineage.client.facet_v2 import RunFacet

    from sparkify_lake.results.run_report import RunReport
    from sparkify_lake.settings.config import Config

# How long events that the transport has not sent yet may delay the end of a run.
MAX_WAIT_SECONDS = 10.0


def reported(config: Config, run: Callable[[], RunReport]) -> RunReport:
    """Runs, and sends START, then COMPLETE, FAIL (an error) or ABORT (a signal).

    This imports the client, so it is only for processes in which OpenLineage is configured.

    Args:
        config: The settings of the run.
        run: Runs the job.

    Returns:
        The report of the run.
    """
    events = _events(config)
    if events is None:
        return run()
    try:
        events.send("START", lambda: planned_lineage(config))
        try:
            report = run()
        except BaseException as error:
            kind = "FAIL" if isinstance(error, Exception) else "ABORT"
            events.send(kind, lambda: planned_lineage(config), error)
            raise
        events.send("COMPLETE", lambda: lineage_of(report, config))
        return report
    finally:
        events.close()


def _events(config: Config) -> RunEvents | None:
    try:
        from openlineage.client import OpenLineageClient
    except ImportError:
        _engine.logger().warning(
            "OpenLineage is configured, but its client is not installed, so no events are sent; "
            "install it with: pip install 'sparkify-lake[openlineage]'"
        )
        return None
    try:
        client = OpenLineageClient()
        if client.transport.kind == "console" and not client.config.transport:
            return None  # a configuration without a transport: the client would print the events
        return RunEvents(client, str(config.value("output")))
    except Exception as error:
        _warn("the client of OpenLineage could not be configured", error)
        return None


class RunEvents:
    """The events of one run.

    Args:
        client: The configured client.
        output: Root of the lake.
    """

    def __init__(self, client: OpenLineageClient, output: str) -> None:
        from openlineage.client.event_v2 import Job, Run
        from openlineage.client.facet_v2 import job_type_job
        from openlineage.client.uuid import generate_new_uuid

        self._client = client
        namespace, self._parent = openlineage_job()
        kind = job_type_job.JobTypeJobFacet(
            processingType="BATCH", integration="SPARKIFY_LAKE", jobType="JOB", producer=PRODUCER
        )
        self._job = Job(namespace=namespace, name=job_name(output), facets={"jobType": kind})
        self._run = Run(runId=str(generate_new_uuid()))

    def send(self, kind: str, lineage: Callable[[], Lineage], error: BaseException | None = None) -> None:
        """Sends an event; a failure is only a warning.

        Args:
            kind: The type of the event, such as `START`.
            lineage: Returns the datasets; if it fails, the event has none.
            error: Why the run failed.
        """
        from datetime import datetime, timezone

        from openlineage.client.event_v2 import Run, RunEvent, RunState

        try:
            found = _lineage_or_nothing(lineage)
            facets = {**self._facets(), **found.run_facets, **_error_facet(error)}
            self._client.emit(
                RunEvent(
                    eventType=RunState[kind],
                    eventTime=datetime.now(timezone.utc).isoformat(),
                    run=Run(runId=self._run.runId, facets=facets),
                    job=self._job,
                    inputs=list(found.inputs),
                    outputs=list(found.outputs),
                    producer=PRODUCER,
                )
            )
        except Exception as failure:
            _warn(f"the {kind} event of OpenLineage could not be sent", failure)

    def close(self) -> None:
        """Sends what the transport has not sent yet."""
        try:
            self._client.close(MAX_WAIT_SECONDS)
        except Exception as failure:
            _warn("the last events of OpenLineage could not be sent", failure)

    def _facets(self) -> Mapping[str, RunFacet]:
        from openlineage.client.facet_v2 import parent_run, processing_engine_run

        facets: dict[str, RunFacet] = {
            "processing_engine": processing_engine_run.ProcessingEngineRunFacet(
                version=_engine.build_info()["version"], name="sparkify-lake", producer=PRODUCER
            )
        }
        if self._parent is not None:
            namespace, job, run = self._parent
            facets["parent"] = parent_run.ParentRunFacet(
                run=parent_run.Run(runId=run),
                job=parent_run.Job(namespace=namespace, name=job),
                producer=PRODUCER,
            )
        return facets


def job_name(output: str) -> str:
    """Returns the name of the job that builds a lake.

    Example:
        >>> job_name("s3a://bucket/lake/"), job_name("/srv/lake")
        ('sparkify_lake.bucket.lake', 'sparkify_lake.srv.lake')
    """
    namespace, name = name_of(output)
    place = f"{namespace.partition('://')[2]}/{name}"
    return ".".join(["sparkify_lake", *filter(None, place.split("/"))])


def _lineage_or_nothing(lineage: Callable[[], Lineage]) -> Lineage:
    try:
        return lineage()
    except SparkifyLakeError:  # an invalid setting; the run fails with the same error
        return Lineage(inputs=[], outputs=[], run_facets={})


def _error_facet(error: BaseException | None) -> Mapping[str, RunFacet]:
    """Returns the facet of an error; only texts of this package are known to contain no secret."""
    if error is None:
        return {}
    from openlineage.client.facet_v2 import error_message_run

    message = str(error) if isinstance(error, SparkifyLakeError) else type(error).__name__
    facet = error_message_run.ErrorMessageRunFacet(
        message=message, programmingLanguage="PYTHON", producer=PRODUCER
    )
    return {"errorMessage": facet}


def _warn(what: str, error: Exception) -> None:
    # Only the type: the text of a network error may contain the URL of the receiver, with a password.
    _engine.logger().warning("%s (%s)", what, type(error).__name__)
