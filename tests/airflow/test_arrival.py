"""The example that runs on arrival: a bucket and a queue of moto, the trigger of the watcher, and the DAG."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import boto3
import pytest

import sparkify_lake
from support.s3_servers import REGION, Bucket, Server, moto

pytest.importorskip("aiobotocore", reason="the trigger needs apache-airflow-providers-amazon[aiobotocore]")

MESSAGE_TIMEOUT = 20  # seconds


@dataclass(frozen=True)
class Place:
    """A bucket that notifies a queue when objects arrive below `raw/`."""

    bucket: Bucket
    queue: str
    sqs: Any

    def messages(self) -> int:
        wanted = ["ApproximateNumberOfMessages"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=wanted)
        return int(found["Attributes"][wanted[0]])

    def lose_messages(self) -> None:
        """Removes all messages; a queue can be purged only once a minute."""
        ten = {"QueueUrl": self.queue, "MaxNumberOfMessages": 10}
        while messages := self.sqs.receive_message(**ten).get("Messages"):
            for message in messages:
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])

    def options(self) -> dict[str, Any]:
        server = self.bucket.server
        return {"endpoint_url": server.url, "allow_http": True, "region": REGION, **server.keys.arguments}

    def lake(self) -> str:
        return self.bucket.url("lake")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with ExitStack() as stack:
        yield stack.enter_context(moto(tmp_path_factory.mktemp("moto")))


@pytest.fixture
def place(server: Server, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Place:
    bucket = server.bucket(f"arrival-{abs(hash(request.node.name)) % 10**8}")
    keys = {"aws_access_key_id": server.keys.id, "aws_secret_access_key": server.keys.secret}
    sqs = boto3.client("sqs", endpoint_url=server.url, region_name=REGION, **keys)
    queue = sqs.create_queue(QueueName=bucket.name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    rule = {"Key": {"FilterRules": [{"Name": "prefix", "Value": "raw/"}]}}
    server.client().put_bucket_notification_configuration(
        Bucket=bucket.name,
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"], "Filter": rule}]
        },
    )
    connection = {
        "conn_type": "aws",
        "login": server.keys.id,
        "password": server.keys.secret,
        "extra": {"region_name": REGION, "endpoint_url": server.url},
    }
    for name, value in {
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection),
        "ARRIVALS_QUEUE": queue,
        "SPARKIFY_RAW": bucket.url("raw"),
        "SPARKIFY_LAKE": bucket.url("lake"),
    }.items():
        monkeypatch.setitem(os.environ, name, value)
    place = Place(bucket, queue, sqs)
    place.lose_messages()  # the test message of S3
    return place


def arrivals(dag: Any) -> Any:
    """The asset of the schedule."""
    (asset,) = dag.timetable.asset_condition.objects
    return asset


def event_of(dag: Any) -> dict[str, Any] | None:
    """Runs the trigger of the watcher from its serialized form, as the triggerer does, until an event."""
    from airflow.triggers.base import BaseEventTrigger

    (watcher,) = arrivals(dag).watchers
    path, arguments = watcher.trigger.serialize()
    module, _, name = path.rpartition(".")
    trigger = getattr(import_module(module), name)(**{**json.loads(json.dumps(arguments)), "waiter_delay": 1})
    assert isinstance(trigger, BaseEventTrigger)

    async def first() -> dict[str, Any] | None:
        async for event in trigger.run():
            return dict(event.payload)
        return None

    async def in_time() -> dict[str, Any] | None:
        try:
            return await asyncio.wait_for(first(), MESSAGE_TIMEOUT)
        except TimeoutError:
            return None

    return asyncio.run(in_time())


def run(dag: Any) -> dict[str, Any]:
    """Runs the DAG as the event of the asset starts it; returns the XCom of the operator."""
    done = dag.test()
    assert done.state == "success"
    (task,) = done.get_task_instances()
    result: dict[str, Any] = task.xcom_pull(task_ids="build_lake")
    return result


def test_an_arrival_starts_a_run(place: Place, raw: Path, dag_of: Callable[[Any], Any]) -> None:
    dag = dag_of("arrival.py")
    assert dag.max_active_runs == 1
    uploaded = place.bucket.upload(raw, "raw")
    assert place.messages() == uploaded > 10
    event = event_of(dag)
    assert event is not None and event["status"] == "success"
    (body, *_) = [json.loads(one["Body"]) for one in event["message_batch"]]
    assert unquote(body["Records"][0]["s3"]["object"]["key"]).startswith("raw/")
    assert len(event["message_batch"]) == 10 and place.messages() == uploaded - 10, "received and deleted"
    result = run(dag)
    assert (result["state"], result["version"]) == ("published", 1)
    assert sparkify_lake.check(place.lake(), **place.options()).is_healthy
    # The lake is not below raw/: its own objects start no run.
    assert place.messages() == uploaded - 10


def test_duplicates_and_lost_messages_do_no_harm(
    place: Place, raw: Path, tmp_path: Path, dag_of: Callable[[Any], Any]
) -> None:
    dag = dag_of("arrival.py")
    logs = sorted((raw / "log_data").rglob("*.json"))
    place.bucket.upload(raw / "song_data", "raw/song_data")
    for file in logs[:2]:
        place.bucket.put(f"raw/{file.relative_to(raw)}", file.read_bytes())
    assert event_of(dag) is not None
    assert run(dag)["version"] == 1
    # The other messages of the same upload, and a duplicate: the run finds nothing new.
    assert event_of(dag) is not None
    assert (run(dag)["state"], run(dag)["version"]) == ("unchanged", 1)
    # A lost message: the next one, or the schedule of the night, loads both files.
    place.bucket.put(f"raw/{logs[2].relative_to(raw)}", logs[2].read_bytes())
    place.lose_messages()
    place.bucket.put(f"raw/{logs[3].relative_to(raw)}", logs[3].read_bytes())
    assert event_of(dag) is not None and place.messages() == 0
    result = run(dag)
    assert (result["state"], result["version"]) == ("published", 2)
    status = sparkify_lake.status(place.lake(), place.bucket.url("raw"), **place.options())
    assert status.known["logs"].files == 4
    assert not any(one.is_news for one in (status.input or {}).values())


def test_the_schedule_also_has_a_time(dag_of: Callable[[Any], Any]) -> None:
    dag = dag_of("arrival.py")
    assert dag.timetable.timetable.expression == "0 4 * * *"
    assert arrivals(dag).name == "sparkify_arrivals"
