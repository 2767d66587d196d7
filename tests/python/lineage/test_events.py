"""OpenLineage: the events of runs of the program and of the library, on a local receiver.

`support/lineage_receiver.py` checks every event against the schemas of the specification.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import sparkify_lake
from sparkify_lake import _engine, etl, jobs
from sparkify_lake.settings.environment import has_openlineage
from support.generate_inputs import write_input
from support.generate_records import play, song
from support.lineage_receiver import Event, Receiver, problems, receiver
from support.processes import Finished, clean_environment

KEY = "sesame-of-the-receiver"
pytestmark = pytest.mark.usefixtures("isolated")


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No configuration of OpenLineage; the variables that the client adds are removed again."""
    monkeypatch.setenv("HOME", str(tmp_path))
    before = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("OPENLINEAGE_")}
    os.environ |= {name: value for name, value in before.items() if name == "OPENLINEAGE_SPEC"}
    yield
    for name in list(os.environ):
        if name.startswith("OPENLINEAGE_"):
            del os.environ[name]
    os.environ |= before


@pytest.fixture
def received(no_settings: None) -> Iterator[Receiver]:
    """A receiver that the environment configures, with an API key."""
    with receiver() as server:
        os.environ |= {"OPENLINEAGE_URL": server.url, "OPENLINEAGE_API_KEY": KEY}
        yield server


def names(datasets: list[Event]) -> list[tuple[str, str]]:
    return [(one["namespace"], one["name"]) for one in datasets]


def test_a_run_sends_start_and_complete(received: Receiver, source: Path, tmp_path: Path) -> None:
    report = sparkify_lake.run(source, "lake", quiet=True)
    start, complete = received.checked()
    assert [one["eventType"] for one in (start, complete)] == ["START", "COMPLETE"]
    assert start["run"]["runId"] == complete["run"]["runId"]
    assert start["job"] == complete["job"]
    assert start["job"]["namespace"] == "default"
    assert start["job"]["name"] == f"sparkify_lake{str(tmp_path / 'lake').replace('/', '.')}"
    inputs = [("file", str(source / name)) for name in ("song_data", "log_data")]
    outputs = [("file", str(tmp_path / "lake" / table.folder)) for table in report.tables.values()]
    for event in (start, complete):
        assert names(event["inputs"]) == inputs and names(event["outputs"]) == outputs
        for table, output in zip(report.tables, event["outputs"], strict=True):
            fields = {one["name"]: one["type"] for one in output["facets"]["schema"]["fields"]}
            assert fields == dict(_engine.star_schema()[table]["columns"])
    for table, output in zip(report.tables.values(), complete["outputs"], strict=True):
        assert output["facets"]["version"]["datasetVersion"] == "1"
        counts = output["outputFacets"]["outputStatistics"]
        assert (counts["rowCount"], counts["size"], counts["fileCount"]) == (
            table.rows, table.bytes, table.files,
        )  # fmt: skip
    for name, dataset in zip(("songs", "logs"), complete["inputs"], strict=True):
        facets, found = dataset["inputFacets"], report.input[name]
        assert facets["dataQualityMetrics"]["rowCount"] == report.records[name].read
        assert facets["inputStatistics"]["fileCount"] == found.files_read
        assert facets["inputStatistics"]["size"] == found.bytes_read
        assert [one["success"] for one in facets["dataQualityAssertions"]["assertions"]] == [True]
    tags = {one["key"]: one["value"] for one in complete["run"]["facets"]["tags"]["tags"]}
    assert tags["sparkify_lake_run"] == report.run_id and tags["sparkify_lake_state"] == "published"


def test_a_run_with_nothing_to_do_names_the_same_version(
    received: Receiver, lake: Path, source: Path
) -> None:
    received.events.clear()
    sparkify_lake.run(source, lake, quiet=True)
    _, complete = received.checked()
    assert {one["facets"]["version"]["datasetVersion"] for one in complete["outputs"]} == {"1"}
    assert {one["inputFacets"]["inputStatistics"]["fileCount"] for one in complete["inputs"]} == {0}
    assert all(one["inputFacets"]["dataQualityMetrics"]["rowCount"] > 0 for one in complete["inputs"])


def test_quarantined_records_are_data_quality_metrics(received: Receiver, source: Path) -> None:
    bad = [
        {"page": "NextSong", "userId": "1"},
        {"page": "NextSong", "userId": "1", "ts": None},
        {"page": "NextSong", "userId": "1", "ts": "soon"},
    ]
    (source / "log_data" / "bad.json").write_text("\n".join(map(json.dumps, bad)))
    report = sparkify_lake.run(source, "lake", max_bad=10, quiet=True)
    assert report.reasons["logs"] == {"missing_required:ts": 1, "null_required:ts": 1, "type:ts": 1}
    songs, logs = received.checked()[-1]["inputs"]
    assert songs["inputFacets"]["dataQualityAssertions"]["assertions"][0]["success"] is True
    metrics = logs["inputFacets"]["dataQualityMetrics"]
    assert metrics["columnMetrics"]["ts"]["nullCount"] == 2
    assert metrics["rowCount"] == report.records["logs"].read
    assertions = logs["inputFacets"]["dataQualityAssertions"]["assertions"]
    found = [(one["assertion"], one.get("column"), one["success"], one["actual"]) for one in assertions]
    assert found == [
        ("quarantined", None, False, "3"),
        ("missing_required", "ts", False, "1"),
        ("null_required", "ts", False, "1"),
        ("type", "ts", False, "1"),
    ]
    assert {(one["severity"], one["expected"]) for one in assertions} == {("warn", "0")}


def test_a_failing_run_sends_fail(received: Receiver, source: Path) -> None:
    (source / "log_data" / "broken.json").write_text('{"page": "NextSong"}\n' * 1000)
    with pytest.raises(sparkify_lake.DataRefusedError) as refused:
        sparkify_lake.run(source, "lake", max_bad=0, quiet=True)
    start, fail = received.checked()
    assert (start["eventType"], fail["eventType"]) == ("START", "FAIL")
    assert fail["run"]["facets"]["errorMessage"]["message"] == str(refused.value)
    assert names(fail["inputs"]) == names(start["inputs"]) and names(fail["outputs"]) == names(
        start["outputs"]
    )
    assert not any("version" in one["facets"] for one in fail["outputs"])


@pytest.mark.parametrize(
    ("error", "kind"),
    [(KeyboardInterrupt("hunter2"), "ABORT"), (OSError("hunter2"), "FAIL")],
    ids=["signal", "bug"],
)
def test_the_text_of_a_foreign_error_is_not_sent(
    received: Receiver, source: Path, error: BaseException, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(jobs, "_run_in_turn", broken)
    with pytest.raises(type(error)):
        sparkify_lake.run(source, "lake", quiet=True)
    assert received.checked()[-1]["eventType"] == kind
    assert "hunter2" not in "".join(received.raw)


def test_no_secret_is_sent(received: Receiver, source: Path) -> None:
    keys = {"access_key_id": "AKIAEXAMPLE", "secret_access_key": "swordfish", "session_token": "opensesame"}
    sparkify_lake.run(source, "lake", quiet=True, **keys)
    for place in ("s3://AKIAEXAMPLE:swordfish@bucket/lake", "s3a://AKIAEXAMPLE:swordfish@bucket"):
        with pytest.raises(sparkify_lake.SparkifyLakeError):
            sparkify_lake.run(source, place, quiet=True, **keys)
        with pytest.raises(sparkify_lake.SparkifyLakeError):
            sparkify_lake.run(place, "lake", quiet=True, **keys)
    assert [one["eventType"] for one in received.checked()] == ["START", "COMPLETE", *["START", "FAIL"] * 4]
    for request in received.raw:
        head, _, body = request.partition("\n\n")
        assert f"Bearer {KEY}" in head and KEY not in body
        assert not any(secret in request for secret in ("AKIAEXAMPLE", "swordfish", "opensesame"))


def test_the_program_sends_events_from_a_file(
    received: Receiver, source: Path, tmp_path: Path, program: Callable[..., Finished]
) -> None:
    transport = {"transport": {"type": "http", "url": received.url}}
    (tmp_path / "openlineage.yml").write_text(json.dumps(transport))
    for name in ("OPENLINEAGE_URL", "OPENLINEAGE_API_KEY"):
        del os.environ[name]
    done = program(source, "lake", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "OpenLineage" not in done.stderr
    _, complete = received.checked()
    version = json.loads(done.stdout)["version"]
    assert complete["outputs"][0]["facets"]["version"]["datasetVersion"] == str(version)


def test_the_functions_of_the_spark_job_name_their_own_tables(received: Receiver, source: Path) -> None:
    etl.process_song_data(None, str(source), "lake", quiet=True)
    start, complete = received.checked()
    for event in (start, complete):
        assert [Path(one["name"]).name for one in event["inputs"]] == ["song_data"]
        assert [Path(one["name"]).name for one in event["outputs"]] == ["songs_table", "artists_table"]
    received.events.clear()
    etl.process_log_data(None, str(source), "lake", quiet=True)
    start, complete = received.checked()
    assert names(start["inputs"]) == names(complete["inputs"])
    assert names(start["outputs"]) == names(complete["outputs"])


def test_waiting_for_another_run_is_one_run(received: Receiver, source: Path, tmp_path: Path) -> None:
    lock = tmp_path / "lake" / "_etl" / "lock"
    lock.parent.mkdir(parents=True)
    held = lock.open("a")
    fcntl.flock(held, fcntl.LOCK_EX)
    timer = threading.Timer(0.5, held.close)
    timer.start()
    etl.main(str(source), str(tmp_path / "lake"), quiet=True)
    timer.join()
    assert [one["eventType"] for one in received.checked()] == ["START", "COMPLETE"]


def test_a_run_has_the_parent_and_the_namespace_of_the_environment(received: Receiver, source: Path) -> None:
    run_id = "01941f29-7c00-7087-8940-40e512f9b9a8"
    os.environ |= {
        "OPENLINEAGE_PARENT_ID": f"air/flow/dag.task/{run_id}",
        "OPENLINEAGE_NAMESPACE": "sparkify",
    }
    sparkify_lake.run(source, "lake", quiet=True)
    for event in received.checked():
        parent = event["run"]["facets"]["parent"]
        assert (parent["job"]["namespace"], parent["job"]["name"]) == ("air/flow", "dag.task")
        assert parent["run"]["runId"] == run_id and event["job"]["namespace"] == "sparkify"
    received.events.clear()
    os.environ["OPENLINEAGE_PARENT_ID"] = "not/an/id"
    sparkify_lake.run(source, "lake", quiet=True)
    assert not any("parent" in one["run"]["facets"] for one in received.checked())


@pytest.mark.parametrize("password", ["", "user:hunter2@"])
def test_a_receiver_that_does_not_answer_is_only_a_warning(
    no_settings: None, source: Path, password: str, caplog: pytest.LogCaptureFixture
) -> None:
    os.environ |= {
        "OPENLINEAGE__TRANSPORT": json.dumps(
            {"type": "http", "url": f"http://{password}127.0.0.1:9", "retry": {"total": 0}}
        )
    }
    with caplog.at_level(logging.WARNING):
        assert sparkify_lake.run(source, "lake", quiet=True).state == "published"
    warnings = [one.message for one in caplog.records if one.name == "sparkify_lake"]
    assert [one.partition(" (")[0] for one in warnings] == [
        "the START event of OpenLineage could not be sent",
        "the COMPLETE event of OpenLineage could not be sent",
    ]
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("config", [{"type": "no_such_transport"}, {"type": "http"}])
def test_an_invalid_configuration_is_only_a_warning(
    no_settings: None, source: Path, config: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    os.environ["OPENLINEAGE__TRANSPORT"] = json.dumps(config)
    assert sparkify_lake.run(source, "lake", quiet=True).state == "published"
    warnings = [one.message for one in caplog.records if one.name == "sparkify_lake"]
    assert len(warnings) == 1 and "could not be configured" in warnings[0]


@pytest.mark.parametrize(
    ("variables", "files"),
    [
        ({}, {}),
        ({"OPENLINEAGE_URL": "http://localhost:9"}, {}),
        ({"OPENLINEAGE_URL": ""}, {}),
        ({"OPENLINEAGE_URL": "http://localhost:9", "OPENLINEAGE_DISABLED": "TRUE "}, {}),
        ({"OPENLINEAGE__TRANSPORT__TYPE": "http", "OPENLINEAGE__TRANSPORT__URL": "http://localhost:9"}, {}),
        ({"OPENLINEAGE_CONFIG": "other.yml"}, {"other.yml": True}),
        ({"OPENLINEAGE_CONFIG": "other.yml"}, {}),
        ({}, {"openlineage.yml": True}),
        ({}, {".openlineage/openlineage.yml": True}),
        ({}, {"openlineage.yml": False}),
        ({"OPENLINEAGE_API_KEY": "key"}, {}),
    ],
)
def test_a_configuration_is_found_where_the_client_finds_it(
    no_settings: None, source: Path, tmp_path: Path, variables: dict[str, str], files: dict[str, bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from openlineage.client import OpenLineageClient
    from openlineage.client.transport.http import HttpTransport

    for file, has_transport in files.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        transport = (
            {"transport": {"type": "http", "url": "http://localhost:9"}} if has_transport else {"tags": {}}
        )
        (tmp_path / file).write_text(json.dumps(transport))
    os.environ |= variables
    is_found = has_openlineage()
    sent: list[Any] = []
    monkeypatch.setattr(HttpTransport, "emit", lambda _, event: sent.append(event))
    sparkify_lake.run(source, "lake", quiet=True)
    is_sent = OpenLineageClient().transport.kind not in ("console", "noop")
    assert bool(sent) == is_sent
    assert is_found or not is_sent


IMPORTS = """
import sys
class Without:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "openlineage":
            raise ImportError(name)
if sys.argv[1] == "missing":
    sys.meta_path.insert(0, Without())
import sparkify_lake
assert sparkify_lake.run(*sys.argv[2:]).state == "published"
print([name for name in sys.modules if name.startswith(("openlineage", "sparkify_lake.lineage"))])
"""


@pytest.mark.parametrize("client", ["missing", "present"])
@pytest.mark.parametrize("is_configured", [False, True])
def test_nothing_is_imported_without_a_configuration(
    no_settings: None, source: Path, tmp_path: Path, client: str, is_configured: bool
) -> None:
    more = {"OPENLINEAGE__TRANSPORT": '{"type": "noop"}'} if is_configured else {}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORTS, client, source, "lake"],
        cwd=tmp_path, env=clean_environment(more), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    if not is_configured:
        assert done.stdout.strip() == "[]"
    assert ("pip install 'sparkify-lake[openlineage]'" in done.stderr) == (
        is_configured and client == "missing"
    )


def test_the_receiver_finds_what_the_specification_does_not_allow(received: Receiver, source: Path) -> None:
    sparkify_lake.run(source, "lake", quiet=True)
    event = received.checked()[-1]

    def damaged(*path: Any, value: object = None) -> list[str]:
        copy = json.loads(json.dumps(event))
        place = copy
        for step in path[:-1]:
            place = place[step]
        if value is None:
            del place[path[-1]]
        else:
            place[path[-1]] = value
        return problems(copy)

    assert damaged("eventType", value="DONE")
    assert damaged("job", "name")
    assert damaged("unknown", value=1)
    assert damaged("outputs", 0, "outputFacets", "outputStatistics", "rowCount", value="many")
    assert damaged("outputs", 0, "outputFacets", "outputStatistics", "rows", value=1)
    assert damaged("outputs", 0, "facets", "version", "datasetVersion")
    assert damaged("inputs", 0, "inputFacets", "dataQualityMetrics", "columnMetrics")
    assert damaged("inputs", 0, "inputFacets", "dataQualityMetrics", "_producer")


def test_a_dataset_of_a_bucket(no_settings: None) -> None:
    from sparkify_lake.lineage.datasets import planned_lineage
    from sparkify_lake.settings.resolve import resolve

    config = resolve(
        "run",
        {
            "input": "s3a://raw/2018/",
            "output": "s3n://lake",
            "song_data": "s3://songs",
            "column_names": "songs.title=name",
        },
    )
    lineage = planned_lineage(config)
    assert [(one.namespace, one.name) for one in lineage.inputs] == [
        ("s3://songs", "/"),
        ("s3://raw", "2018/log_data"),
    ]
    assert [(one.namespace, one.name) for one in lineage.outputs][:2] == [
        ("s3://lake", "songs_table"),
        ("s3://lake", "artists_table"),
    ]
    facets: Any = lineage.outputs[0].facets
    assert [one.name for one in facets["schema"].fields][:2] == ["song_id", "name"]


def test_plays_of_other_names(received: Receiver, tmp_path: Path) -> None:
    """The folders of the report and those of the plan are the same, also with other names."""
    source = write_input(tmp_path / "in", [song(1)], [play(1)], 1)
    sparkify_lake.run(source, "lake", quiet=True, table_names="plain", tables="songs,songplays")
    start, complete = received.checked()
    assert names(start["outputs"]) == names(complete["outputs"])
    assert [Path(name).name for _, name in names(start["outputs"])] == ["songs", "songplays"]
