"""Checks the Iceberg metadata of a lake with json and PyIceberg's reader, without code of the package.

The newest commit of a table shows the newest version; or the one before, while that is not published in
full or its run has just ended. Each version is in a table once, in order, with the files of the record.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

FOLDER = "_etl/iceberg"


class _Files:
    """Files of the metadata, which may have been copied since."""

    def __init__(self, lake: Path) -> None:
        self.lake = lake

    def new_input(self, location: str) -> Any:
        path = self.lake / FOLDER / location.partition(f"{FOLDER}/")[2]

        class Input:
            def open(self, seekable: bool = True) -> BytesIO:
                return BytesIO(path.read_bytes())

        return Input()


def newest_commit(metadata: Path) -> int:
    """The number of the newest commit in a folder; 0 if there is none."""
    return max((int(file.name[1:].split(".")[0]) for file in metadata.glob("v*.metadata.json")), default=0)


def live_files(lake: Path, table: str) -> tuple[list[int], dict[str, int]]:
    """The versions of the snapshots of a table; and the sizes of the newest files by path below the lake."""
    from pyiceberg.manifest import read_manifest_list

    metadata = lake / FOLDER / table / "metadata"
    head = json.loads((metadata / f"v{newest_commit(metadata)}.metadata.json").read_bytes())
    root = head["location"].partition(FOLDER)[0]
    versions = [int(snapshot["summary"]["sparkify-lake.version"]) for snapshot in head["snapshots"]]
    newest = next(one for one in head["snapshots"] if one["snapshot-id"] == head["current-snapshot-id"])
    files = {}
    for manifest in read_manifest_list(_Files(lake).new_input(newest["manifest-list"])):
        for entry in manifest.fetch_manifest_entry(_Files(lake)):  # type: ignore[arg-type]
            path = entry.data_file.file_path.removeprefix(root)
            assert path not in files, f"{path} is in {table} twice"
            files[path] = entry.data_file.file_size_in_bytes
    return versions, files


def metadata_faults(lake: Path, states: Sequence[Mapping[str, Any]], settled: bool) -> list[str]:
    """The faults of the Iceberg tables.

    Args:
        lake: The folder of the lake.
        states: The records of the allowed versions, the newest last.
        settled: Whether a run has just succeeded.
    """
    faults = []
    published = {
        (folder, table["table"])
        for state in states
        for folder, table in state["tables"].items()
        if table.get("iceberg")
    }
    for folder, table in sorted(published):
        metadata = lake / FOLDER / table / "metadata"
        newest = newest_commit(metadata)
        hint = metadata / "version-hint.text"
        if newest == 0:
            faults += [f"the Iceberg table {table} has no commit"] if settled else []
            continue
        hinted = int(hint.read_text()) if hint.exists() else 0
        if hinted != newest and (
            settled or (hinted and not (metadata / f"v{hinted}.metadata.json").exists())
        ):
            faults.append(f"the version hint of {table} is {hinted}, but the newest commit {newest}")
        versions, files = live_files(lake, table)
        if versions != sorted(set(versions)):
            faults.append(f"the snapshots of {table} have the versions {versions}")
        sides = [state["tables"][folder] for state in states if folder in state["tables"]]
        matching = [side for side in sides if side.get("iceberg") == versions[-1]]
        if not matching or (settled and matching[-1] is not sides[-1]):
            faults.append(f"the newest snapshot of {table} has the version {versions[-1]}")
            continue
        wanted = {f"{folder}/{path}": file["size"] for path, file in matching[-1]["files"].items()}
        if files != wanted:
            faults.append(f"the newest snapshot of {table} has other files than version {versions[-1]}")
        missing = [path for path in files if not (lake / path).is_file()] if settled else []
        faults += [f"{path} of the Iceberg table {table} is missing" for path in missing]
    if settled and not published and any((lake / FOLDER).rglob("*.json")):
        faults.append("Iceberg metadata was not removed")
    return faults
