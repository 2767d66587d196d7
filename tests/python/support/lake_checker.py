"""Checks the guarantees of a lake with json, hashlib and pyarrow, without code of the package.

docs/format.md describes the guarantees. A lake may be checked while its run is
stopped, killed or recovering. Its commit log determines the allowed contents:

- without a commit record, there is no table;
- with a record and its done marker, the tables match the record and have ``_SUCCESS`` files;
- with a record and no done marker, each partition is entirely that of this record or of the previous one.

``python -m support.lake_checker LAKE`` prints the faults of a lake, and exits with 1 if there are any.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from support.delta_checker import is_in_log, log_faults
from support.iceberg_checker import metadata_faults

Contents = dict[str, str]
"""SHA-256 of every data file, by path below the lake."""

KEYS = {
    "songs": ["song_id"],
    "artists": ["artist_id"],
    "users": ["user_id"],
    "users_history": ["user_id", "valid_from"],
    "time": ["start_time"],
    "songplays": ["songplay_id"],
}
FACTS = ("time", "songplays")
KEPT_VERSIONS = 16
RUN = r"\d{8}T\d{6}Z-[0-9a-f]{8}"
METADATA = r"iceberg/[a-z_]+/metadata"
CONTROL = re.compile(
    rf"FORMAT|lock|(log|done)/\d{{20}}\.json|quarantine/{RUN}/(songs|logs)(-\d+)*\.jsonl|report/{RUN}\.json"
    rf"|{METADATA}/([0-9a-z]+-\d+\.avro|v\d+\.metadata\.json|version-hint\.text)"
)
STATE = rf"state/{RUN}-((songs|users|history|\d{{4}}-\d\d-(users|tracks))\.state|pack-\d+\.zst)"
TEMPORARY = re.compile(
    rf"stage/{RUN}(/.*)?|delta_commit(\.new)?|(FORMAT|(log|done)/\d{{20}}\.json)\.new|{STATE}(\.new)?|doctor-.*"
    rf"|{METADATA}/(version-hint\.text\.new|\.tmp\w+)"
)
RECORD = re.compile(rb'\{"sha256":"([0-9a-f]{64})","record":(\{.*\})\}\n?', re.DOTALL)


def contents(lake: Path) -> Contents:
    """The data files of the tables."""
    files = [
        path
        for path in files_below(lake)
        if not path.startswith("_etl/") and not is_marker(path) and not is_in_log(path)
    ]
    return {path: sha256(lake / path) for path in files}


def check(
    lake: Path,
    *,
    versions: Sequence[Contents] = (),
    settled: bool = False,
    bucket: bool = False,
    report: Mapping[str, Any] | None = None,
    lost: Container[str] = (),
) -> list[str]:
    """The faults of a lake, as sentences.

    Args:
        lake: The lake's folder.
        versions: The allowed contents, for example those of new lakes of the same inputs.
        settled: Whether a run has just succeeded, so that no temporary file may be left.
        bucket: Whether the lake is from a bucket. There, stages stay, because their runs may still be
            working, and a table keeps its marker while it changes.
        report: The report of that run; its counts are compared with the record and the tables.
        lost: Files of the version before the newest one that were not in place any more, for example because
            a paused run had removed them.
    """
    faults = Faults()
    if not lake.is_dir():
        return ["there is no lake"]
    records = _read_records(lake, faults, lost)
    done = _check_done_markers(lake, records, settled, faults)
    newest = max(records, default=0)
    _check_control_files(lake, _check_state_files(lake, records.get(newest), faults), settled, bucket, faults)
    if newest == 0:
        faults += (f"{path} is visible, but nothing was committed" for path in contents(lake))
        return faults
    head, before = records[newest], records.get(newest - 1)
    if versions:
        faults += (
            f"version {version} is none of the {len(versions)} allowed versions"
            for version, record in records.items()
            if recorded(record) not in versions
        )
    states = [head] if newest in done else [before or {"tables": {}}, head]
    _check_tables(lake, states, settled, bucket, faults)
    _check_counts(lake, head, report, faults)
    faults += metadata_faults(lake, [before or {"tables": {}}, head], settled)
    return faults


class Faults(list[str]):
    """The faults that were found, one sentence each."""

    def add(self, sentence: str) -> None:
        self.append(sentence)


def recorded(record: Mapping[str, Any]) -> Contents:
    """The data files that a record lists."""
    return {
        f"{folder}/{path}": file["sha256"]
        for folder, table in record["tables"].items()
        for path, file in table["files"].items()
    }


# --- the commit log ---------------------------------------------------------------------------------------


def _check_control_files(
    lake: Path, state: Iterable[str], settled: bool, bucket: bool, faults: Faults
) -> None:
    for path in files_below(lake / "_etl"):
        is_leftover = bucket and path.startswith(("stage/", "state/"))
        is_temporary = TEMPORARY.fullmatch(path) and (not settled or is_leftover)
        if f"_etl/{path}" not in state and not CONTROL.fullmatch(path) and not is_temporary:
            faults.add(f"_etl/{path} is foreign or left over")
    if settled and not bucket and (lake / "_etl" / "stage").exists():
        faults.add("_etl/stage was not removed")
    format_file = lake / "_etl" / "FORMAT"
    if format_file.exists() and json.loads(format_file.read_bytes()) != {"format": 1}:
        faults.add("_etl/FORMAT has unexpected contents")


def _check_state_files(lake: Path, head: Mapping[str, Any] | None, faults: Faults) -> set[str]:
    """Checks the state files of the newest version; returns their paths."""
    found = set()
    for base in head["bases"] if head else ():
        state = base["state"]
        months = [file for month in state["months"].values() for file in (month["users"], month["tracks"])]
        for file in (
            state.get("songs"),
            state.get("users"),
            state.get("history"),
            *months,
            *state.get("packs", {}).values(),
        ):
            if file is None:
                continue
            path = f"_etl/state/{file['name']}"
            found.add(path)
            if not (lake / path).is_file() or sha256(lake / path) != file["sha256"]:
                faults.add(f"{path} does not match the record")
    return found


def _read_records(lake: Path, faults: Faults, lost: Container[str]) -> dict[int, Any]:
    """The records of the commit log by version, each checked alone and against its predecessor."""
    records = {}
    for path in sorted((lake / "_etl" / "log").glob("*.json")):
        found = RECORD.fullmatch(path.read_bytes())
        if found is None:
            faults.add(f"{path.name} is not a record")
            continue
        if hashlib.sha256(found[2]).hexdigest() != found[1].decode():
            faults.add(f"{path.name} does not match its checksum")
            continue
        record = json.loads(found[2])
        if f"{record['version']:020}" != path.stem or record["format"] != 1:
            faults.add(f"{path.name} claims to be version {record['version']}")
        records[record["version"]] = record
    newest = max(records, default=0)
    for version in range(max(1, newest - KEPT_VERSIONS + 1), newest):
        if version not in records:
            faults.add(f"version {version} is missing from the commit log")
    for version, record in records.items():
        if version - 1 in records:
            _check_successor(records[version - 1], record, faults, lost if version == newest else ())
    return records


def _check_successor(
    before: Mapping[str, Any], record: Mapping[str, Any], faults: Faults, lost: Container[str]
) -> None:
    """Checks that the changes in a record fit the record before it, except for lost files."""
    version = record["version"]
    for folder, table in record["tables"].items():
        old = before["tables"].get(folder, {"files": {}})["files"]
        for path, file in table["files"].items():
            if "image" not in file and old.get(path, {}).get("sha256") != file["sha256"]:
                faults.add(
                    f"version {version} keeps {folder}/{path}, but the version before has another file"
                )
            was_there = path in old and f"{folder}/{path}" not in lost
            if "image" in file and ("replaces" in file) != was_there:
                faults.add(f"version {version} is wrong about the previous file at {folder}/{path}")
        for path in old:
            is_kept = path in table["files"] or path in table.get("retained", {})
            is_removed = path in table["removed"]
            if (is_kept and is_removed) or not (is_kept or is_removed or f"{folder}/{path}" in lost):
                faults.add(f"version {version} neither keeps nor removes {folder}/{path}, or does both")


def _check_done_markers(lake: Path, records: Mapping[int, Any], settled: bool, faults: Faults) -> set[int]:
    done = set()
    for path in sorted((lake / "_etl" / "done").glob("*.json")):
        version = int(path.stem)
        done.add(version)
        if json.loads(path.read_bytes()).get("version") != version:
            faults.add(f"done/{path.name} belongs to another version")
    newest = max(records, default=0)
    # Older versions are removed, except leftovers of killed runs, which nothing reads.
    for version in done:
        if version not in records and version > newest - KEPT_VERSIONS:
            faults.add(f"version {version} is published, but was never committed")
    for version in records:
        if version not in done and version > newest - KEPT_VERSIONS and (version < newest or settled):
            faults.add(f"version {version} was not fully published")
    return done


# --- the tables -------------------------------------------------------------------------------------------


def _check_tables(
    lake: Path, states: Sequence[Mapping[str, Any]], settled: bool, bucket: bool, faults: Faults
) -> None:
    """Each partition belongs to one state; dimensions are published before facts."""
    folders = {folder: table["table"] for state in states for folder, table in state["tables"].items()}
    tops = {"_etl", *(folder.partition("/")[0] for folder in folders)}
    foreign = [entry.name for entry in sorted(lake.iterdir()) if entry.name not in tops]
    known = tuple(f"{folder}/" for folder in ("_etl", *folders))
    foreign += [path for path in files_below(lake) if not path.startswith(known)]
    faults += (f"{path} is foreign" for path in foreign)
    is_new: dict[str, bool] = {}
    has_begun: dict[str, bool] = {}
    for folder, name in folders.items():
        sides = [state["tables"].get(folder, {"files": {}})["files"] for state in states]
        found = _check_files(lake, folder, sides, faults)
        if states[-1]["tables"][folder].keys() & {"delta", "iceberg"}:
            tables = [state["tables"].get(folder, {"files": {}}) for state in states]
            if "delta" in tables[-1]:
                faults += log_faults(lake / folder, tables, found)
            is_new[name] = all(found.get(path) == file["sha256"] for path, file in sides[-1].items())
            _check_marker(lake / folder, True, len(states) == 1, settled, faults)
            continue
        wanted = [by_partition({path: file["sha256"] for path, file in side.items()}) for side in sides]
        there = by_partition(found)
        for part in sorted({part for side in (there, *wanted) for part in side}):
            want, have = [side.get(part, {}) for side in wanted], there.get(part, {})
            if have not in want:
                faults.add(f"{folder}/{part} is none of the allowed versions, or a mix of them")
            has_begun[name] = has_begun.get(name, False) or (have == want[-1] != want[0])
        whole = [found == {path: file["sha256"] for path, file in side.items()} for side in sides]
        # Files may be removed last.
        is_new[name] = all(found.get(path) == file["sha256"] for path, file in sides[-1].items())
        _check_marker(lake / folder, any(whole) or bucket, len(states) == 1, settled, faults)
        _check_rows(lake / folder, name, found, any(whole), faults)
    if any(has_begun.get(fact) for fact in FACTS):
        for name, new in is_new.items():
            if name not in FACTS and not new:
                faults.add(f"facts are new, but the dimension {name} is not")


def _check_files(lake: Path, folder: str, sides: Sequence[Mapping[str, Any]], faults: Faults) -> Contents:
    """The data files of a table, each checked as a whole."""
    found: Contents = {}
    for path in files_below(lake / folder):
        if is_in_log(path):
            continue
        if is_marker(path):
            if path != "_SUCCESS" or (lake / folder / path).stat().st_size:
                faults.add(f"{folder}/{path} is not a valid marker")
            continue
        file = lake / folder / path
        found[path] = sha256(file)
        matching = [side[path] for side in sides if path in side and side[path]["sha256"] == found[path]]
        if not any(path in side for side in sides):
            faults.add(f"{folder}/{path} is a file that no record lists")
        elif not matching:
            faults.add(f"{folder}/{path} does not match any record")
        try:
            rows = pq.ParquetFile(file).read().num_rows
        except (OSError, pa.ArrowException) as error:
            faults.add(f"{folder}/{path} cannot be read: {error}")
            continue
        if matching and (rows, file.stat().st_size) != (matching[0]["rows"], matching[0]["size"]):
            faults.add(f"{folder}/{path} has {rows} rows, but the record says {matching[0]['rows']}")
    return found


def _check_marker(
    folder: Path, may_be_marked: bool, is_published: bool, settled: bool, faults: Faults
) -> None:
    is_marked = (folder / "_SUCCESS").is_file()
    if is_marked and not may_be_marked:
        faults.add(f"{folder.name} has a _SUCCESS marker, but is incomplete")
    if is_published and not is_marked:
        faults.add(f"{folder.name} is published, but has no _SUCCESS marker")
    if settled:
        empty = [path for path in folder.rglob("*") if path.is_dir() and not any(path.iterdir())]
        faults += (f"{folder.name} has the empty folder {path.relative_to(folder)}" for path in empty)


def _check_rows(folder: Path, table: str, found: Iterable[str], is_whole: bool, faults: Faults) -> None:
    """No duplicate rows in a partition or a complete table; months are in their folders."""
    seen: dict[str, list[Any]] = {}
    for path in found:
        try:
            frame = pq.ParquetFile(folder / path).read()
        except (OSError, pa.ArrowException):
            continue  # reported already
        part = "" if is_whole else partition(path)
        keys = (frame.column(key).to_pylist() for key in KEYS[table])
        seen.setdefault(part, []).extend(zip(*keys, strict=True))
        if table in FACTS and frame.num_rows:
            months = {f"year={at.year}/month={at.month}" for at in frame.column("start_time").to_pylist()}
            if months != {partition(path)}:
                faults.add(f"{folder.name}/{path} has rows of {sorted(months)}")
    for part, keys in seen.items():
        if len(set(keys)) != len(keys):
            faults.add(f"{folder.name}/{part} has duplicate rows")


# --- the counts -------------------------------------------------------------------------------------------


def _check_counts(
    lake: Path, head: Mapping[str, Any], report: Mapping[str, Any] | None, faults: Faults
) -> None:
    """Every record that was read is loaded, filtered or quarantined, per file and in total."""
    sums: dict[str, dict[str, int]] = {}
    for content, manifest in head["bases"][-1]["input"].items():
        total = sums.setdefault(content, {"loaded": 0, "filtered": 0, "quarantined": 0})
        for name, file in manifest["files"].items():
            if any(file.get(kind, 0) < 0 for kind in total):
                faults.add(f"the manifest entry of {name} has negative counts")
            for kind in total:
                total[kind] += file.get(kind, 0)
            if file.get("quarantined", 0):
                folder = lake / "_etl" / "quarantine" / file.get("rejects", "")
                found = sum(
                    _count_rejects(path, name, faults) for path in sorted(folder.glob(f"{content}*.jsonl"))
                )
                if found != file["quarantined"]:
                    faults.add(
                        f"{name}: the manifest has {file['quarantined']} quarantined records, "
                        f"the quarantine has {found}"
                    )
    rows = {
        table["table"]: sum(file["rows"] for file in table["files"].values())
        for table in head["tables"].values()
    }
    if report is None:
        return
    for content, counts in report["records"].items():
        if counts["read"] != counts["loaded"] + counts["filtered"] + counts["quarantined"]:
            faults.add(f"{content}: the counts do not add up to the records that were read")
        for kind, number in sums.get(content, {}).items():
            if counts[kind] != number:
                faults.add(f"{content}: {counts[kind]} {kind} in the report, {number} in the manifest")
    for table in report["tables"]:
        if rows.get(table["name"]) != table["rows"]:
            faults.add(
                f"{table['name']}: {table['rows']} rows in the report, "
                f"{rows.get(table['name'])} in the record"
            )
    if "songplays" in rows and rows["songplays"] != report["plays"]["rows"]:
        faults.add(f"{rows['songplays']} plays in files, {report['plays']['rows']} in the report")


def _count_rejects(path: Path, name: str, faults: Faults) -> int:
    """The number of records of an input file in a quarantine file."""
    count = 0
    for line in path.read_bytes().splitlines() if path.exists() else []:
        try:
            reject = json.loads(line)
            count += reject["file"].endswith(name) and reject.get("line", 0) is not None
            if not {"line", "offset", "reason"} <= reject.keys():
                faults.add(f"a line of {path.name} has no position or no reason")
        except (ValueError, KeyError):
            faults.add(f"a line of {path.name} is not JSON, or does not name its input file")
    return count


# --- files ------------------------------------------------------------------------------------------------


def files_below(root: Path) -> Iterator[str]:
    """The relative paths of all files below a folder."""
    yield from sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


def is_marker(path: str) -> bool:
    return path.rsplit("/", 1)[-1] == "_SUCCESS"


def partition(path: str) -> str:
    return path.rpartition("/")[0]


def by_partition(files: Contents) -> dict[str, Contents]:
    """The files of a table, grouped by partition."""
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
