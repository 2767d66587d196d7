"""The inputs and tables of a run as datasets of OpenLineage, with their facets.

Only functions import the client of OpenLineage: it is optional.

Invariant: a facet contains names, types, numbers and reason codes; no record, no option and no credential.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os.path import realpath
from typing import TYPE_CHECKING

from sparkify_lake import _engine
from sparkify_lake.results.result import songs_first
from sparkify_lake.settings.locations import is_remote, without_userinfo

if TYPE_CHECKING:
    from openlineage.client.event_v2 import InputDataset, OutputDataset
    from openlineage.client.facet_v2 import DatasetFacet, InputDatasetFacet, OutputDatasetFacet, RunFacet

    from sparkify_lake.results.report_parts import RecordCounts, SourceReport, TableReport
    from sparkify_lake.results.run_report import RunReport
    from sparkify_lake.settings.config import Config

PRODUCER = "https://pypi.org/project/sparkify-lake"
# The reasons that say that a value is missing; the others say that it is invalid.
_REASONS_OF_NULLS = frozenset({"missing_required", "null_required"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """The datasets that a run reads and writes.

    Attributes:
        inputs: The inputs.
        outputs: The tables.
        run_facets: What is known of the run itself, by facet name.
    """

    inputs: Sequence[InputDataset]
    outputs: Sequence[OutputDataset]
    run_facets: Mapping[str, RunFacet]


def planned_lineage(config: Config) -> Lineage:
    """Returns the lineage of a run that has no report yet: names and schemas.

    Args:
        config: The settings of the run.

    Raises:
        SparkifyLakeError: If a setting is invalid.
    """
    folders = _engine.lake_layout(config)
    wanted = str(config.value("tables") or _engine.defaults()["tables"]).replace(" ", "").split(",")
    locations = {name: config.value(f"{name}_data") for name in ("song", "log")}
    if root := config.value("input"):
        locations = {name: own or f"{str(root).rstrip('/')}/{name}_data" for name, own in locations.items()}
    if set(wanted) <= {"songs", "artists"}:
        locations.pop("log")
    return Lineage(
        inputs=[_input(str(location), {}) for location in locations.values() if location],
        outputs=[
            _output(folders[name], {"schema": _schema(config, name)}, {})
            for name in _engine.star_schema()
            if name in wanted
        ],
        run_facets={},
    )


def lineage_of(report: RunReport, config: Config) -> Lineage:
    """Returns the lineage of a run with its counts and the version of the lake.

    Args:
        report: The report of the run.
        config: The settings of the run.
    """
    from openlineage.client.facet_v2 import tags_run

    tags = {"run": report.run_id, "state": report.state, "version": report.version}
    return Lineage(
        inputs=[
            _input(source.location, _quality(source, report.records[name], report.reasons.get(name, {})))
            for name, source in songs_first(report.input)
        ],
        outputs=[
            _output(
                f"{str(report.output).rstrip('/')}/{table.folder}",
                {"schema": _schema(config, name), **_version(report)},
                _statistics(table),
            )
            for name, table in report.tables.items()
        ],
        run_facets={
            "tags": tags_run.TagsRunFacet(
                tags=[
                    tags_run.TagsRunFacetFields(
                        key=f"sparkify_lake_{name}", value=str(value), source="SPARKIFY_LAKE"
                    )
                    for name, value in tags.items()
                ],
                producer=PRODUCER,
            )
        },
    )


def name_of(location: str) -> tuple[str, str]:
    """Returns the namespace and the name of a dataset, as the naming rules of OpenLineage say.

    Example:
        >>> name_of("s3a://bucket/raw/song_data/")
        ('s3://bucket', 'raw/song_data')
        >>> name_of("/srv/lake/songs_table")
        ('file', '/srv/lake/songs_table')
    """
    location = without_userinfo(location)
    if not is_remote(location):
        return "file", realpath(location)
    bucket, _, key = location.partition("://")[2].partition("/")
    return f"s3://{bucket}", key.strip("/") or "/"


def _input(location: str, facets: dict[str, InputDatasetFacet]) -> InputDataset:
    from openlineage.client.event_v2 import InputDataset

    namespace, name = name_of(location)
    return InputDataset(namespace=namespace, name=name, inputFacets=facets)


def _output(
    location: str, facets: dict[str, DatasetFacet], output_facets: dict[str, OutputDatasetFacet]
) -> OutputDataset:
    from openlineage.client.event_v2 import OutputDataset

    namespace, name = name_of(location)
    return OutputDataset(namespace=namespace, name=name, facets=facets, outputFacets=output_facets)


def _schema(config: Config, table: str) -> DatasetFacet:
    from openlineage.client.facet_v2 import schema_dataset

    columns = _engine.renamed_schema(config)[table]["columns"]
    return schema_dataset.SchemaDatasetFacet(
        fields=[
            schema_dataset.SchemaDatasetFacetFields(name=name, type=type) for name, type in columns.items()
        ],
        producer=PRODUCER,
    )


def _version(report: RunReport) -> dict[str, DatasetFacet]:
    from openlineage.client.facet_v2 import dataset_version_dataset

    if report.version is None:
        return {}
    facet = dataset_version_dataset.DatasetVersionDatasetFacet(str(report.version), producer=PRODUCER)
    return {"version": facet}


def _statistics(table: TableReport) -> dict[str, OutputDatasetFacet]:
    from openlineage.client.facet_v2 import output_statistics_output_dataset as statistics

    return {
        "outputStatistics": statistics.OutputStatisticsOutputDatasetFacet(
            rowCount=table.rows, size=table.bytes, fileCount=table.files, producer=PRODUCER
        )
    }


def _quality(
    source: SourceReport, counts: RecordCounts, reasons: Mapping[str, int]
) -> dict[str, InputDatasetFacet]:
    """Returns what this run read, and the quarantined records: as assertions, and missing values by key."""
    from openlineage.client.facet_v2 import (
        data_quality_assertions_dataset as assertions,
    )
    from openlineage.client.facet_v2 import (
        data_quality_metrics_input_dataset as metrics,
    )
    from openlineage.client.facet_v2 import (
        input_statistics_input_dataset as statistics,
    )

    def none_quarantined(name: str, number: int, key: str | None = None) -> assertions.Assertion:
        return assertions.Assertion(
            assertion=name, success=number == 0, column=key, severity="warn", expected="0", actual=str(number)
        )

    by_reason = [(*reason.partition(":")[::2], number) for reason, number in reasons.items()]
    nulls: dict[str, int] = {}
    for reason, key, number in by_reason:
        if reason in _REASONS_OF_NULLS:
            nulls[key] = nulls.get(key, 0) + number
    return {
        "inputStatistics": statistics.InputStatisticsInputDatasetFacet(
            size=source.bytes_read, fileCount=source.files_read, producer=PRODUCER
        ),
        "dataQualityMetrics": metrics.DataQualityMetricsInputDatasetFacet(
            columnMetrics={key: metrics.ColumnMetrics(nullCount=number) for key, number in nulls.items()},
            rowCount=counts.read,
            bytes=source.bytes,
            fileCount=source.files,
            producer=PRODUCER,
        ),
        "dataQualityAssertions": assertions.DataQualityAssertionsDatasetFacet(
            assertions=[
                none_quarantined("quarantined", counts.quarantined),
                *(none_quarantined(reason, number, key or None) for reason, key, number in by_reason),
            ],
            producer=PRODUCER,
        ),
    }
