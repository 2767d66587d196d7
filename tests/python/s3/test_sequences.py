"""The sequences of `incremental/test_sequences.py` with input and lake in a bucket.

The input is also on disk, for the rebuild: a lake has the same bytes in a bucket and on disk.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sparkify_lake
from sparkify_lake.errors import DataRefusedError
from support.crash_harness import scratch_folder
from support.input_mutations import FULL, Sequence, Step
from support.lake_files import FOLDERS
from support.random_sequences import random_sequence
from support.retained_input_replay import RetainedInputTarget
from support.rounds import Rounds
from support.s3_jobs import new_bucket, options
from support.s3_servers import Bucket, Server
from support.sequence_replay import (
    Digests,
    FileBodies,
    InputFolder,
    Refusal,
    ReplayTarget,
    RunOutcome,
    file_faults,
    md5,
    rebuild_in,
    replay,
    run_job,
)

pytestmark = pytest.mark.timeout(7_200)
TABLES = tuple(f"{folder}/" for folder in FOLDERS.values())


class BucketTarget(ReplayTarget):
    """Input and lake in a bucket, with separate names for every sequence."""

    def __init__(self, folder: Path, bucket: Bucket, seed: int) -> None:
        self.folder, self.bucket = folder, bucket
        self.source, self.lake = f"in-{seed}", f"lake-{seed}"
        self.input = InputFolder(folder / "input", has_real_times=False)
        self.given: dict[str, Any] = {**options(bucket.server), **bucket.server.keys.arguments}

    def take(self, step: Step) -> None:
        written, removed = self.input.take(step)
        for path in written:
            self.bucket.put(f"{self.source}/{path}", self.input.held[path])
        self.bucket.delete(*(f"{self.source}/{path}" for path in removed))

    def run(self, step: Step, tables: str, lake: str = "", **more: Any) -> RunOutcome | None:
        source = self.bucket.url(self.source)
        done = run_job(source, self.bucket.url(lake or self.lake), tables, step, **self.given, **more)
        if done is None or isinstance(done, Refusal):
            return done
        # The report contains the locations.
        there = json.dumps(done).replace(source, str(self.input.folder))
        named: dict[str, Any] = json.loads(there)
        return named

    def rebuild(self, step: Step, tables: str) -> tuple[RunOutcome, FileBodies]:
        return rebuild_in(self.input.folder, self.folder / "fresh", tables, step)

    def digests(self) -> Digests:
        return tables_of(self.bucket.digests(self.lake))

    def bodies(self) -> FileBodies:
        return {
            path: body for path, body in self.bucket.contents(self.lake).items() if path.startswith(TABLES)
        }

    def lose(self, path: str) -> None:
        self.bucket.delete(f"{self.lake}/{path}")


def tables_of(digests: Digests) -> Digests:
    return {path: digest for path, digest in digests.items() if path.startswith(TABLES)}


def replay_in_bucket(target: BucketTarget, sequence: Sequence) -> None:
    if failure := replay(target, sequence):
        pytest.fail(f"{sequence}\n{failure}", pytrace=False)
    # A rebuild in the bucket must also be equal.
    last = sequence.steps[-1]
    done = target.run(last, FULL[0], lake="rebuilt", rebuild=True)
    if not isinstance(done, Refusal):
        assert file_faults(target.digests(), tables_of(target.bucket.digests("rebuilt"))) == [], str(sequence)


def test_every_step_in_a_bucket_equals_a_rebuild(
    seaweedfs: Server, rounds: Rounds, record_property: Callable[[str, object], None]
) -> None:
    steps = 0
    count = rounds(4, 60)
    for seed in range(rounds.seed, rounds.seed + count):
        sequence = random_sequence(seed)
        steps += len(sequence.steps)
        with scratch_folder() as folder:
            replay_in_bucket(BucketTarget(folder, new_bucket(seaweedfs), seed), sequence)
    record_property("summary", f"{count} sequences from seed {rounds.seed}, {steps} steps")


@pytest.mark.parametrize("packing", [bytes, gzip.compress])
def test_two_objects_with_the_same_content_and_other_tags_are_refused(
    packing: Callable[[bytes], bytes], weed_bucket: Bucket, tmp_path: Path
) -> None:
    """Two uploads of a log have two ETags: one of them is compressed, or was uploaded in parts."""
    sparkify_lake.sample(tmp_path / "in", songs=5, events=60, days=3, users=4, quiet=True)
    log = next((tmp_path / "in/log_data").rglob("*.json"))
    with log.open("ab") as file:
        file.write(b" " * (6 << 20) + b"\n")
    for path in (tmp_path / "in").rglob("*.json"):
        weed_bucket.put(f"twice/{path.relative_to(tmp_path / 'in')}", path.read_bytes())
    body = packing(log.read_bytes())
    if packing is bytes:
        client = weed_bucket.server.client()
        upload = client.create_multipart_upload(Bucket=weed_bucket.name, Key="twice/log_data/again.json")
        key = {"Bucket": weed_bucket.name, "Key": "twice/log_data/again.json", "UploadId": upload["UploadId"]}
        parts = [
            {"PartNumber": number, "ETag": client.upload_part(Body=part, PartNumber=number, **key)["ETag"]}
            for number, part in ((1, body[: 5 << 20]), (2, body[5 << 20 :]))
        ]
        client.complete_multipart_upload(MultipartUpload={"Parts": parts}, **key)
    else:
        weed_bucket.put("twice/log_data/again.json.gz", body)
    given = {**options(weed_bucket.server), **weed_bucket.server.keys.arguments, "quiet": True}
    with pytest.raises(DataRefusedError, match="duplicate_input"):
        sparkify_lake.run(weed_bucket.url("twice"), tmp_path / "lake", **given)


class RetainedInputBucket(RetainedInputTarget, BucketTarget):
    """Input and lake in a bucket; missing objects keep their rows."""

    has_times = False


def test_every_step_in_a_bucket_with_retained_input_equals_a_rebuild_of_all_objects(
    seaweedfs: Server, rounds: Rounds, record_property: Callable[[str, object], None]
) -> None:
    steps = 0
    count = rounds(2, 20)
    for seed in range(rounds.seed, rounds.seed + count):
        sequence = random_sequence(seed)
        steps += len(sequence.steps)
        with scratch_folder() as folder:
            failure = replay(RetainedInputBucket(folder, new_bucket(seaweedfs), seed), sequence)
            assert failure is None, f"{sequence}\n{failure}"
    record_property("summary", f"{count} sequences from seed {rounds.seed}, {steps} steps")


def test_a_stale_object_is_detected(seaweedfs: Server) -> None:
    """A bug: an object of the previous step stays in target of the new one."""

    class Stale(BucketTarget):
        def run(self, step: Step, tables: str, lake: str = "", **more: Any) -> RunOutcome | None:
            path = f"{self.lake}/user_table/part-00000.snappy.parquet"
            before = self.bucket.get(path) if path in self.bucket.names(self.lake) else b""
            done = super().run(step, tables, lake, **more)
            if before and path in self.bucket.names(self.lake) and md5(before) != md5(self.bucket.get(path)):
                self.bucket.put(path, before)
            return done

    with scratch_folder() as folder:
        failure = next(
            found
            for seed in range(1, 20)
            if (
                found := replay(Stale(folder / str(seed), new_bucket(seaweedfs), seed), random_sequence(seed))
            )
        )
    assert "differs: user_table/" in str(failure) and "users, only in the " in str(failure)
