"""The lake checker finds faults: each fault is injected into a lake without faults."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.crash_harness import ForkServer, Versions, scratch_folder
from support.lake_checker import Contents, check, contents, partition

Injection = Callable[["Scene"], None]


class Scene:
    """A lake with two versions, into which a fault is injected, and a lake with the first version."""

    def __init__(self, folder: Path, versions: Versions, report: dict[str, Any]) -> None:
        self.lake = folder / "lake"
        self.old = versions.lakes[0]
        self.held: list[Contents] = list(versions.held)
        self.report = json.loads(json.dumps(report))
        self.settled = True

    def file_of(self, table: str, *, changed: bool = False) -> Path:
        """A file of a table; with `changed`, one that the second version changed."""
        before, now = self.held
        paths = [path for path in now if path.startswith(table)]
        return self.lake / next(
            path for path in paths if not changed or (path in before and before[path] != now[path])
        )

    def name(self, file: Path) -> str:
        return str(file.relative_to(self.lake))

    def edit(self, version: int, change: Callable[[dict[str, Any]], None]) -> None:
        """Changes a commit record and updates its checksum."""
        path = self.lake / f"_etl/log/{version:020}.json"
        record = json.loads(path.read_bytes())["record"]
        change(record)
        body = json.dumps(record, separators=(",", ":")).encode()
        path.write_bytes(b'{"sha256":"%s","record":%s}\n' % (hashlib.sha256(body).hexdigest().encode(), body))

    def rewrite(self, file: Path, change: Callable[[pa.Table], pa.Table]) -> None:
        """Changes the rows of a file and updates the commit record."""
        pq.write_table(change(pq.ParquetFile(file).read()), file)
        folder, _, path = self.name(file).partition("/")
        facts = {
            "size": file.stat().st_size,
            "rows": pq.ParquetFile(file).metadata.num_rows,
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        }
        self.edit(2, lambda record: record["tables"][folder]["files"][path].update(facts))
        self.held = []

    def unpublish(self, *, marked: bool = False) -> None:
        """Makes the lake look as if the run was stopped right before its end."""
        self.settled = False
        (self.lake / "_etl/done" / f"{2:020}.json").unlink()
        for marker in [] if marked else self.lake.glob("*/_SUCCESS"):
            marker.unlink()

    def restore(self, *files: Path) -> None:
        for file in files:
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.old / self.name(file), file)


def truncate(scene: Scene) -> None:
    file = scene.file_of("songs_table")
    file.write_bytes(file.read_bytes()[:-9])


def flip_bit(scene: Scene) -> None:
    file = scene.file_of("time_table")
    data = bytearray(file.read_bytes())
    data[len(data) // 3] ^= 4
    file.write_bytes(data)


def lose_partition(scene: Scene) -> None:
    shutil.rmtree(scene.file_of("songplays_table").parent)


def add_part(scene: Scene) -> None:
    file = scene.file_of("songplays_table")
    shutil.copy(file, file.with_name("part-00001.snappy.parquet"))


def keep_old_partition(scene: Scene) -> None:
    """One partition still has the file of the previous version."""
    scene.restore(scene.file_of("user_table", changed=True))


def mix_versions(scene: Scene) -> None:
    """A partition with an old and a new file, during publishing."""
    scene.unpublish()
    file = scene.file_of("user_table", changed=True)
    other = file.with_name("part-00001.snappy.parquet")

    def two_parts(record: dict[str, Any]) -> None:
        files = record["tables"]["user_table"]["files"]
        files[other.name] = dict(files[file.name])
        if record["version"] == 2:
            files[other.name]["replaces"] = "x"

    shutil.copy(file, other)
    scene.edit(1, two_parts)
    scene.edit(2, two_parts)
    scene.restore(file)
    scene.held = []


def publish_facts_first(scene: Scene) -> None:
    scene.unpublish()
    scene.restore(scene.file_of("user_table", changed=True))


def mark_too_early(scene: Scene) -> None:
    scene.unpublish()
    for file in (scene.lake / "songplays_table").rglob("*.parquet"):
        if scene.name(file) not in scene.held[0]:
            shutil.rmtree(file.parent)
            break
    (scene.lake / "songplays_table/_SUCCESS").touch()


def edit_record(scene: Scene) -> None:
    path = scene.lake / f"_etl/log/{2:020}.json"
    path.write_bytes(path.read_bytes().replace(b'"rows":1', b'"rows":2', 1))


def change_row_count(scene: Scene) -> None:
    file = scene.file_of("songs_table")
    folder, _, path = scene.name(file).partition("/")
    scene.edit(2, lambda record: record["tables"][folder]["files"][path].update(rows=99))


def keep_wrong_file(scene: Scene) -> None:
    """The record keeps a file of the previous version, which had another file."""
    folder, _, path = scene.name(scene.file_of("user_table", changed=True)).partition("/")
    scene.edit(2, lambda record: record["tables"][folder]["files"][path].pop("image"))


def forget_removal(scene: Scene) -> None:
    def forget(record: dict[str, Any]) -> None:
        next(table for table in record["tables"].values() if table["removed"])["removed"].popitem()

    scene.edit(2, forget)


def done_without_record(scene: Scene) -> None:
    (scene.lake / f"_etl/done/{3:020}.json").write_text('{"version":3,"stamps":{}}')


def double_rows(scene: Scene) -> None:
    scene.rewrite(scene.file_of("songplays_table"), lambda frame: pa.concat_tables([frame, frame]))


def double_rows_across_partitions(scene: Scene) -> None:
    """The rows of one partition are also in another partition."""
    one, other = [scene.lake / path for path in contents(scene.lake) if path.startswith("songs_table")][:2]
    scene.rewrite(one, lambda _: pq.ParquetFile(other).read())


def wrong_month(scene: Scene) -> None:
    one, other = [scene.lake / path for path in contents(scene.lake) if path.startswith("time_table")][:2]
    scene.rewrite(one, lambda _: pq.ParquetFile(other).read())


def manifest(**numbers: int | str) -> dict[str, Any]:
    file = {"size": 1, "version": "1", "loaded": 0, "filtered": 0, "quarantined": 0}
    return {"location": "in", "files": {"a.json": {**file, **numbers}}}


def lose_quarantined(scene: Scene) -> None:
    def enter(record: dict[str, Any]) -> None:
        record["bases"][-1]["input"]["logs"] = manifest(quarantined=2, rejects=record["run"])
        folder = scene.lake / "_etl/quarantine" / record["run"]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "logs.jsonl").write_text('{"file":"a.json","line":1,"offset":0,"reason":"syntax"}\n')

    scene.edit(2, enter)
    scene.report = {}


def write_incomplete_quarantine_lines(scene: Scene) -> None:
    lose_quarantined(scene)
    quarantine = next(scene.lake.glob("_etl/quarantine/*/logs.jsonl"))
    quarantine.write_text('{"file":"a.json"}\n' * 2)


def lose_loaded(scene: Scene) -> None:
    scene.edit(2, lambda record: record["bases"][-1]["input"].update(songs=manifest(loaded=1)))


def unbalance(scene: Scene) -> None:
    scene.report["records"]["logs"]["read"] += 1


def report_more_rows(scene: Scene) -> None:
    scene.report["tables"][0]["rows"] += 1


def report_fewer_plays(scene: Scene) -> None:
    scene.report["plays"]["rows"] -= 1


def remove_log(scene: Scene) -> None:
    shutil.rmtree(scene.lake / "_etl/log")
    shutil.rmtree(scene.lake / "_etl/done")


def touch(path: str) -> Injection:
    def inject(scene: Scene) -> None:
        (scene.lake / path).parent.mkdir(parents=True, exist_ok=True)
        (scene.lake / path).write_text("x")

    return inject


def remove(path: str) -> Injection:
    return lambda scene: (scene.lake / path).unlink()


RUN = "20260101T000000Z-0badcafe"
FAULTS: dict[str, tuple[Injection, str]] = {
    "truncated parquet": (truncate, "cannot be read"),
    "flipped byte": (flip_bit, "does not match any record"),
    "missing partition": (lose_partition, "none of the allowed versions"),
    "additional file": (add_part, "no record lists"),
    "stale partition": (keep_old_partition, "none of the allowed versions"),
    "mixed partition": (mix_versions, "or a mix of them"),
    "facts before dimensions": (publish_facts_first, "dimension users is not"),
    "marked too early": (mark_too_early, "marker, but is incomplete"),
    "no marker": (remove("songs_table/_SUCCESS"), "published, but has no _SUCCESS marker"),
    "marker deep in a table": (touch("time_table/year=1990/_SUCCESS"), "is not a valid marker"),
    "record edited": (edit_record, "not match its checksum"),
    "truncated record": (touch(f"_etl/log/{2:020}.json"), "is not a record"),
    "record with wrong rows": (change_row_count, "rows, but the record says 99"),
    "record keeps a wrong file": (keep_wrong_file, "keeps user_table"),
    "record forgets a file": (forget_removal, "neither keeps nor removes"),
    "missing record": (remove(f"_etl/log/{1:020}.json"), "version 1 is missing from the commit log"),
    "done without record": (done_without_record, "version 3 is published, but was never committed"),
    "not done": (remove(f"_etl/done/{2:020}.json"), "version 2 was not fully published"),
    "tables without a log": (remove_log, "nothing was committed"),
    "doubled rows": (double_rows, "has duplicate rows"),
    "rows in two partitions": (double_rows_across_partitions, "has duplicate rows"),
    "rows of another month": (wrong_month, "has rows of"),
    "lost line of quarantine": (
        lose_quarantined,
        "the manifest has 2 quarantined records, the quarantine has 1",
    ),
    "incomplete line of quarantine": (write_incomplete_quarantine_lines, "has no position or no reason"),
    "manifest and report differ": (lose_loaded, "in the report, 1 in the manifest"),
    "report does not add up": (unbalance, "do not add up"),
    "report with too many rows": (report_more_rows, "rows in the report"),
    "report with too few plays": (report_fewer_plays, "plays in files"),
    "foreign control file": (touch("_etl/notes.txt"), "_etl/notes.txt is foreign"),
    "unfinished control file": (touch(f"_etl/log/{3:020}.json.new"), "is foreign or left over"),
    "leftover stage": (touch(f"_etl/stage/{RUN}/pack-00000.bin"), "_etl/stage was not removed"),
    "foreign folder": (touch("my_table/part-0.parquet"), "my_table is foreign"),
    "temporary file in a table": (touch("songs_table/year=1/.tmp"), "no record lists"),
    "empty folder": (lambda scene: (scene.lake / "songs_table/year=1").mkdir(), "has the empty folder"),
    "none of the versions": (lambda scene: scene.held.pop(), "is none of the 1 allowed versions"),
}


@pytest.fixture(scope="module")
def lakes() -> Iterator[tuple[Path, Versions, dict[str, Any]]]:
    """Two versions, a lake that was updated from the first to the second, and the report of that run."""
    with scratch_folder() as folder, ForkServer() as fork_server:
        versions = Versions.make(folder, fork_server, 2)
        versions.copy(0, folder / "went")
        ended = fork_server.run(versions.sources[1], folder / "went")
        yield folder, versions, ended["report"]


@pytest.fixture
def scene(tmp_path: Path, lakes: tuple[Path, Versions, dict[str, Any]]) -> Scene:
    folder, versions, report = lakes
    shutil.copytree(folder / "went", tmp_path / "lake")
    return Scene(tmp_path, versions, report)


def faults(scene: Scene) -> list[str]:
    report = scene.report or None
    return check(scene.lake, versions=scene.held, settled=scene.settled, report=report)


def test_a_sound_lake_has_no_fault(scene: Scene) -> None:
    assert faults(scene) == []
    changed = {path for path, digest in scene.held[1].items() if scene.held[0].get(path) != digest}
    assert len({partition(path) for path in changed}) >= 5


def test_a_lake_between_two_versions_has_no_fault(scene: Scene) -> None:
    scene.unpublish()
    assert faults(scene) == []
    stale_plays = [
        path
        for path in scene.held[1]
        if path.startswith("songplays_table")
        and scene.held[0].get(path, scene.held[1][path]) != scene.held[1][path]
    ]
    scene.restore(*(scene.lake / path for path in stale_plays[:1]))
    assert faults(scene) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_every_injected_fault_is_found(scene: Scene, fault: str) -> None:
    inject, words = FAULTS[fault]
    inject(scene)
    found = faults(scene)
    assert any(re.search(re.escape(words), one) for one in found), found


def test_the_record_after_a_loss_may_differ(scene: Scene) -> None:
    """A lost file cannot be removed or replaced: one that is needed no more is left out, another is new."""
    forget_removal(scene)
    changed = scene.name(scene.file_of("user_table", changed=True))
    folder, _, path = changed.partition("/")
    scene.edit(2, lambda record: record["tables"][folder]["files"][path].pop("replaces"))
    assert len(faults(scene)) == 2
    lost = {*(scene.held[0].keys() - scene.held[1].keys()), changed}
    assert check(scene.lake, versions=scene.held, settled=True, report=scene.report, lost=lost) == []
