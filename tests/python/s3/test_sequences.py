"""The same sequences in a bucket: input and lake lie there, and every step ends as a rebuild on a disk.

The input is kept on a disk as well, for the rebuild: a lake has the same bytes in a bucket and on a disk.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.crash_harness import scratch_folder
from support.input_mutations import FULL, Sequence, Step
from support.lake_files import FOLDERS
from support.random_sequences import sequence
from support.retained_input_replay import RetainedInputTarget
from support.rounds import Rounds
from support.s3_jobs import new_bucket, options
from support.s3_servers import Bucket, Server
from support.sequence_replay import (
    Bodies,
    Digests,
    Input,
    Outcome,
    Place,
    Refusal,
    call,
    file_faults,
    md5,
    play,
    rebuilt,
)

pytestmark = pytest.mark.timeout(7_200)
TABLES = tuple(f"{folder}/" for folder in FOLDERS.values())


class BucketTarget(Place):
    """Input and lake in a bucket; names of their own for every sequence."""

    def __init__(self, folder: Path, bucket: Bucket, seed: int) -> None:
        self.folder, self.bucket = folder, bucket
        self.source, self.lake = f"in-{seed}", f"lake-{seed}"
        self.input = Input(folder / "input", has_real_times=False)
        self.given: dict[str, Any] = {**options(bucket.server), **bucket.server.keys.arguments}

    def take(self, step: Step) -> None:
        written, removed = self.input.take(step)
        for path in written:
            self.bucket.put(f"{self.source}/{path}", self.input.held[path])
        self.bucket.delete(*(f"{self.source}/{path}" for path in removed))

    def run(self, step: Step, tables: str, lake: str = "", **more: Any) -> Outcome | None:
        source = self.bucket.url(self.source)
        done = call(source, self.bucket.url(lake or self.lake), tables, step, **self.given, **more)
        if done is None or isinstance(done, Refusal):
            return done
        # Places are told by name.
        there = json.dumps(done).replace(source, str(self.input.folder))
        named: dict[str, Any] = json.loads(there)
        return named

    def rebuild(self, step: Step, tables: str) -> tuple[Outcome, Bodies]:
        return rebuilt(self.input.folder, self.folder / "fresh", tables, step)

    def digests(self) -> Digests:
        return tables_of(self.bucket.digests(self.lake))

    def bodies(self) -> Bodies:
        return {
            path: body for path, body in self.bucket.contents(self.lake).items() if path.startswith(TABLES)
        }

    def lose(self, path: str) -> None:
        self.bucket.delete(f"{self.lake}/{path}")


def tables_of(digests: Digests) -> Digests:
    return {path: digest for path, digest in digests.items() if path.startswith(TABLES)}


def played_in(place: BucketTarget, played: Sequence) -> None:
    if trouble := play(place, played):
        pytest.fail(f"{played}\n{trouble}", pytrace=False)
    # A rebuild in the bucket, too.
    last = played.steps[-1]
    done = place.run(last, FULL[0], lake="rebuilt", rebuild=True)
    if not isinstance(done, Refusal):
        assert file_faults(place.digests(), tables_of(place.bucket.digests("rebuilt"))) == [], str(played)


def test_every_step_in_a_bucket_ends_as_a_rebuild(
    seaweedfs: Server, rounds: Rounds, record_property: Callable[[str, object], None]
) -> None:
    steps = 0
    count = rounds(4, 60)
    for seed in range(rounds.seed, rounds.seed + count):
        played = sequence(seed)
        steps += len(played.steps)
        with scratch_folder() as folder:
            played_in(BucketTarget(folder, new_bucket(seaweedfs), seed), played)
    record_property("summary", f"{count} sequences from seed {rounds.seed}, {steps} steps")


class RetainedInputBucket(RetainedInputTarget, BucketTarget):
    """What is gone keeps its rows."""


def test_every_step_in_a_bucket_that_keeps_what_is_gone(
    seaweedfs: Server, rounds: Rounds, record_property: Callable[[str, object], None]
) -> None:
    steps = 0
    count = rounds(2, 20)
    for seed in range(rounds.seed, rounds.seed + count):
        played = sequence(seed)
        steps += len(played.steps)
        with scratch_folder() as folder:
            trouble = play(RetainedInputBucket(folder, new_bucket(seaweedfs), seed), played)
            assert trouble is None, f"{played}\n{trouble}"
    record_property("summary", f"{count} sequences from seed {rounds.seed}, {steps} steps")


def test_a_stale_object_is_noticed(seaweedfs: Server) -> None:
    """An object of the step before in place of the new one."""

    class Stale(BucketTarget):
        def run(self, step: Step, tables: str, lake: str = "", **more: Any) -> Outcome | None:
            path = f"{self.lake}/user_table/part-00000.snappy.parquet"
            before = self.bucket.get(path) if path in self.bucket.names(self.lake) else b""
            done = super().run(step, tables, lake, **more)
            if before and path in self.bucket.names(self.lake) and md5(before) != md5(self.bucket.get(path)):
                self.bucket.put(path, before)
            return done

    with scratch_folder() as folder:
        trouble = next(
            found
            for seed in range(1, 20)
            if (found := play(Stale(folder / str(seed), new_bucket(seaweedfs), seed), sequence(seed)))
        )
    assert "differs: user_table/" in str(trouble) and "users, only in the " in str(trouble)
