"""Does a lake keep its promises? Judged from outside: json, hashlib and pyarrow, none of the package's code.

The promises are those of DESIGN.md, "How does a run become visible?". A lake may be looked at while its run
is stopped, killed or recovering. What it must be then follows from its log alone:

- without a record there is no table;
- with a record and its marker the tables are what the record says, all of them marked with ``_SUCCESS``;
- with a record and no marker each partition is wholly that of the record or wholly that of the one before.

``python lake_checker.py LAKE`` prints the faults of a lake and ends with 1 if there is one.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Contents = dict[str, str]
"""SHA-256 of every data file, by path below the lake."""

KEYS = {
    "songs": "song_id",
    "artists": "artist_id",
    "users": "user_id",
    "time": "start_time",
    "songplays": "songplay_id",
}
FACTS = ("time", "songplays")
KEPT = 16
RUN = r"\d{8}T\d{6}Z-[0-9a-f]{8}"
CONTROL = re.compile(
    rf"FORMAT|lock|(log|done)/\d{{20}}\.json|quarantine/{RUN}/(songs|logs)(-\d+)*\.jsonl|report/{RUN}\.json"
)
STATE = rf"state/{RUN}-((songs|users|\d{{4}}-\d\d-(users|tracks))\.parquet|pack-\d+\.zst)"
UNDER_WAY = re.compile(
    rf"stage/{RUN}(/.*)?|(FORMAT|(log|done)/\d{{20}}\.json)\.new|{STATE}(\.new)?|doctor-.*"
)
RECORD = re.compile(rb'\{"sha256":"([0-9a-f]{64})","record":(\{.*\})\}\n?', re.DOTALL)


def contents(lake: Path) -> Contents:
    """The data files that a reader of the lake finds."""
    files = [path for path in files_below(lake) if not path.startswith("_etl/") and not is_marker(path)]
    return {path: sha256(lake / path) for path in files}


def check(
    lake: Path,
    *,
    versions: Sequence[Contents] = (),
    settled: bool = False,
    bucket: bool = False,
    report: Mapping[str, Any] | None = None,
) -> list[str]:
    """The faults of a lake, as sentences.

    Args:
        lake: The lake's folder.
        versions: What the lake may hold: for example the contents of fresh lakes made of the same inputs.
        settled: Whether a run has just ended well, so that nothing may be left over.
        bucket: Whether this is what lies in a bucket. There stages stay, because nobody can tell whether
            their runs are at work, and so does the mark of a table while it changes.
        report: That run's report; its accounts are compared with the record and the tables.
    """
    faults = Faults()
    if not lake.is_dir():
        return ["there is no lake"]
    records = _records(lake, faults)
    done = _markers(lake, records, settled, faults)
    newest = max(records, default=0)
    _control(lake, _state(lake, records.get(newest), faults), settled, bucket, faults)
    if newest == 0:
        faults += (f"{path} is visible and nothing was committed" for path in contents(lake))
        return faults
    head, before = records[newest], records.get(newest - 1)
    if versions:
        faults += (
            f"version {version} is none of the {len(versions)} that can be"
            for version, record in records.items()
            if recorded(record) not in versions
        )
    states = [head] if newest in done else [before or {"tables": {}}, head]
    _tables(lake, states, settled, bucket, faults)
    _accounts(lake, head, report, faults)
    return faults


class Faults(list[str]):
    """Sentences; ``faults += sentences``."""

    def say(self, sentence: str) -> None:
        self.append(sentence)


def recorded(record: Mapping[str, Any]) -> Contents:
    """What a record says that the lake holds."""
    return {
        f"{folder}/{path}": file["sha256"]
        for folder, table in record["tables"].items()
        for path, file in table["files"].items()
    }


# --- the log ----------------------------------------------------------------------------------------------


def _control(lake: Path, state: Iterable[str], settled: bool, bucket: bool, faults: Faults) -> None:
    for path in files_below(lake / "_etl"):
        is_left = bucket and path.startswith(("stage/", "state/"))
        is_under_way = UNDER_WAY.fullmatch(path) and (not settled or is_left)
        if f"_etl/{path}" not in state and not CONTROL.fullmatch(path) and not is_under_way:
            faults.say(f"_etl/{path} is foreign or left over")
    if settled and not bucket and (lake / "_etl" / "stage").exists():
        faults.say("_etl/stage is left over")
    format_file = lake / "_etl" / "FORMAT"
    if format_file.exists() and json.loads(format_file.read_bytes()) != {"format": 1}:
        faults.say("_etl/FORMAT says something else")


def _state(lake: Path, head: Mapping[str, Any] | None, faults: Faults) -> set[str]:
    """The state files of the newest version: all are there, and what it says."""
    found = set()
    for base in head["bases"] if head else ():
        state = base["state"]
        months = [file for month in state["months"].values() for file in (month["users"], month["tracks"])]
        for file in (state.get("songs"), state.get("users"), *months, *state.get("packs", {}).values()):
            if file is None:
                continue
            path = f"_etl/state/{file['name']}"
            found.add(path)
            if not (lake / path).is_file() or sha256(lake / path) != file["sha256"]:
                faults.say(f"{path} is not what the record says")
    return found


def _records(lake: Path, faults: Faults) -> dict[int, Any]:
    """The records of the log by version, checked one by one and each against the one before."""
    records = {}
    for path in sorted((lake / "_etl" / "log").glob("*.json")):
        found = RECORD.fullmatch(path.read_bytes())
        if found is None:
            faults.say(f"{path.name} is no record")
            continue
        if hashlib.sha256(found[2]).hexdigest() != found[1].decode():
            faults.say(f"{path.name} is not what its checksum says")
            continue
        record = json.loads(found[2])
        if f"{record['version']:020}" != path.stem or record["format"] != 1:
            faults.say(f"{path.name} says that it is version {record['version']}")
        records[record["version"]] = record
    newest = max(records, default=0)
    for version in range(max(1, newest - KEPT + 1), newest):
        if version not in records:
            faults.say(f"version {version} is missing in the log")
    for version, record in records.items():
        if version - 1 in records:
            _follows(records[version - 1], record, faults)
    return records


def _follows(before: Mapping[str, Any], record: Mapping[str, Any], faults: Faults) -> None:
    """A record changes what it says that it changes."""
    version = record["version"]
    for folder, table in record["tables"].items():
        old = before["tables"].get(folder, {"files": {}})["files"]
        for path, file in table["files"].items():
            if "image" not in file and old.get(path, {}).get("sha256") != file["sha256"]:
                faults.say(f"version {version} took over {folder}/{path} and the version before has another")
            if "image" in file and ("replaces" in file) != (path in old):
                faults.say(f"version {version} is wrong about what was at {folder}/{path} before")
        for path in old:
            if (path in table["removed"]) == (path in table["files"]):
                faults.say(f"version {version} neither keeps nor removes {folder}/{path}, or does both")


def _markers(lake: Path, records: Mapping[int, Any], settled: bool, faults: Faults) -> set[int]:
    done = set()
    for path in sorted((lake / "_etl" / "done").glob("*.json")):
        version = int(path.stem)
        done.add(version)
        if json.loads(path.read_bytes()).get("version") != version:
            faults.say(f"done/{path.name} is of another version")
    newest = max(records, default=0)
    # What is older than those that are kept is removed, but for what a killed run left: nobody reads it.
    for version in done:
        if version not in records and version > newest - KEPT:
            faults.say(f"version {version} is published and was never committed")
    for version in records:
        if version not in done and version > newest - KEPT and (version < newest or settled):
            faults.say(f"version {version} was never published in full")
    return done


# --- the tables -------------------------------------------------------------------------------------------


def _tables(
    lake: Path, states: Sequence[Mapping[str, Any]], settled: bool, bucket: bool, faults: Faults
) -> None:
    """Each partition is wholly that of one state; tables of dimensions are new before one of facts is."""
    folders = {folder: table["table"] for state in states for folder, table in state["tables"].items()}
    for entry in sorted(lake.iterdir()):
        if entry.name != "_etl" and entry.name not in folders:
            faults.say(f"{entry.name} is foreign")
    is_new: dict[str, bool] = {}
    begun: dict[str, bool] = {}
    for folder, name in folders.items():
        sides = [state["tables"].get(folder, {"files": {}})["files"] for state in states]
        found = _files(lake, folder, sides, faults)
        wanted = [by_partition({path: file["sha256"] for path, file in side.items()}) for side in sides]
        there = by_partition(found)
        for part in sorted({part for side in (there, *wanted) for part in side}):
            want, have = [side.get(part, {}) for side in wanted], there.get(part, {})
            if have not in want:
                faults.say(f"{folder}/{part} is none of the versions that it may be, or a mix of them")
            begun[name] = begun.get(name, False) or (have == want[-1] != want[0])
        whole = [found == {path: file["sha256"] for path, file in side.items()} for side in sides]
        # Removals may come last.
        is_new[name] = all(found.get(path) == file["sha256"] for path, file in sides[-1].items())
        _marker(lake / folder, any(whole) or bucket, len(states) == 1, settled, faults)
        _rows(lake / folder, name, found, any(whole), faults)
    if any(begun.get(fact) for fact in FACTS):
        for name, new in is_new.items():
            if name not in FACTS and not new:
                faults.say(f"facts are new and the dimension {name} is not yet")


def _files(lake: Path, folder: str, sides: Sequence[Mapping[str, Any]], faults: Faults) -> Contents:
    """The table's data files, each looked at as a whole."""
    found: Contents = {}
    for path in files_below(lake / folder):
        if is_marker(path):
            if path != "_SUCCESS" or (lake / folder / path).stat().st_size:
                faults.say(f"{folder}/{path} is no marker")
            continue
        file = lake / folder / path
        found[path] = sha256(file)
        said = [side[path] for side in sides if path in side and side[path]["sha256"] == found[path]]
        if not any(path in side for side in sides):
            faults.say(f"{folder}/{path} is a file that no record names")
        elif not said:
            faults.say(f"{folder}/{path} is not what a record says")
        try:
            rows = pq.ParquetFile(file).read().num_rows
        except (OSError, pa.ArrowException) as error:
            faults.say(f"{folder}/{path} cannot be read: {error}")
            continue
        if said and (rows, file.stat().st_size) != (said[0]["rows"], said[0]["size"]):
            faults.say(f"{folder}/{path} has {rows} rows and the record says {said[0]['rows']}")
    return found


def _marker(folder: Path, may_be_marked: bool, is_published: bool, settled: bool, faults: Faults) -> None:
    is_marked = (folder / "_SUCCESS").is_file()
    if is_marked and not may_be_marked:
        faults.say(f"{folder.name} is marked as whole and is not")
    if is_published and not is_marked:
        faults.say(f"{folder.name} is published and not marked")
    if settled:
        empty = [path for path in folder.rglob("*") if path.is_dir() and not any(path.iterdir())]
        faults += (f"{folder.name} has the empty folder {path.relative_to(folder)}" for path in empty)


def _rows(folder: Path, table: str, found: Iterable[str], is_whole: bool, faults: Faults) -> None:
    """No row twice in a partition, nor in a table that is whole; months lie in their folders."""
    seen: dict[str, list[Any]] = {}
    for path in found:
        try:
            frame = pq.ParquetFile(folder / path).read()
        except (OSError, pa.ArrowException):
            continue  # said already
        part = "" if is_whole else partition(path)
        seen.setdefault(part, []).extend(frame.column(KEYS[table]).to_pylist())
        if table in FACTS and frame.num_rows:
            months = {f"year={at.year}/month={at.month}" for at in frame.column("start_time").to_pylist()}
            if months != {partition(path)}:
                faults.say(f"{folder.name}/{path} holds rows of {sorted(months)}")
    for part, keys in seen.items():
        if len(set(keys)) != len(keys):
            faults.say(f"{folder.name}/{part} holds rows twice")


# --- the accounts -----------------------------------------------------------------------------------------


def _accounts(lake: Path, head: Mapping[str, Any], report: Mapping[str, Any] | None, faults: Faults) -> None:
    """Every record that was read is loaded, filtered or in quarantine, by file and in all."""
    sums: dict[str, dict[str, int]] = {}
    for content, ledger in head["bases"][-1]["input"].items():
        total = sums.setdefault(content, {"loaded": 0, "filtered": 0, "quarantined": 0})
        for name, file in ledger["files"].items():
            if any(file.get(kind, 0) < 0 for kind in total):
                faults.say(f"the ledger of {name} is negative")
            for kind in total:
                total[kind] += file.get(kind, 0)
            if file.get("quarantined", 0):
                folder = lake / "_etl" / "quarantine" / file.get("rejects", "")
                kept = sum(_rejects(path, name, faults) for path in sorted(folder.glob(f"{content}*.jsonl")))
                if kept != file["quarantined"]:
                    faults.say(
                        f"{name}: {file['quarantined']} records are in quarantine by the ledger, "
                        f"{kept} by its file"
                    )
    rows = {
        table["table"]: sum(file["rows"] for file in table["files"].values())
        for table in head["tables"].values()
    }
    if report is None:
        return
    for content, told in report["records"].items():
        if told["read"] != told["loaded"] + told["filtered"] + told["quarantined"]:
            faults.say(f"{content}: what was read is not what became of it")
        for kind, number in sums.get(content, {}).items():
            if told[kind] != number:
                faults.say(f"{content}: {told[kind]} {kind} by the report, {number} by the ledger")
    for table in report["tables"]:
        if rows.get(table["name"]) != table["rows"]:
            faults.say(
                f"{table['name']}: {table['rows']} rows by the report, "
                f"{rows.get(table['name'])} by the record"
            )
    if "songplays" in rows and rows["songplays"] != report["plays"]["rows"]:
        faults.say(f"{rows['songplays']} plays in files, {report['plays']['rows']} in the report")


def _rejects(path: Path, name: str, faults: Faults) -> int:
    """How many records of an input file lie in a file of the quarantine."""
    kept = 0
    for line in path.read_bytes().splitlines() if path.exists() else []:
        try:
            told = json.loads(line)
            kept += told["file"].endswith(name) and told.get("line", 0) is not None
            if not {"line", "offset", "reason"} <= told.keys():
                faults.say(f"a line of {path.name} does not say where or why")
        except (ValueError, KeyError):
            faults.say(f"a line of {path.name} is no JSON, or does not say of which file")
    return kept


# --- files ------------------------------------------------------------------------------------------------


def files_below(root: Path) -> Iterator[str]:
    """Everything below a folder that is no folder, by its path there."""
    yield from sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


def is_marker(path: str) -> bool:
    return path.rsplit("/", 1)[-1] == "_SUCCESS"


def partition(path: str) -> str:
    return path.rpartition("/")[0]


def by_partition(files: Contents) -> dict[str, Contents]:
    """The files of a table, apart."""
    parts: dict[str, Contents] = {}
    for path, digest in files.items():
        parts.setdefault(partition(path), {})[path] = digest
    return parts


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    faults = [fault for lake in sys.argv[1:] for fault in check(Path(lake))]
    print(*faults, sep="\n")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
