"""Checks the Delta logs of a lake with json, without code of the package or of Delta Lake.

The newest commit of a table is that of the newest version, or of the version before while the newest one is
not published in full. Its files are in place; other files are only those of both versions, and retained ones.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

LOG = "_delta_log"


def commits(table: Path) -> list[list[dict[str, Any]]]:
    """The commits of a table, each as its actions; raises `ValueError` if one is missing."""
    files = sorted((table / LOG).glob("*.json"))
    if [int(file.stem) for file in files] != list(range(len(files))):
        raise ValueError(f"the log has the commits {[file.stem for file in files]}")
    return [[json.loads(line) for line in file.read_text().split("\n") if line] for file in files]


def live_files(actions: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, int]:
    """The sizes of the files that the table has after these commits, by path."""
    files: dict[str, int] = {}
    for commit in actions:
        for action in commit:
            if "remove" in action:
                files.pop(unquote(action["remove"]["path"]), None)
        files |= {unquote(one["add"]["path"]): one["add"]["size"] for one in commit if "add" in one}
    return files


def is_in_log(path: str) -> bool:
    """Whether a path is in the log of a table."""
    return LOG in path.split("/")


def log_faults(folder: Path, sides: Sequence[Mapping[str, Any]], found: Mapping[str, str]) -> list[str]:
    """The faults of a table with a log.

    Args:
        folder: The table's folder.
        sides: The table in the records of the allowed versions, the newest last.
        found: SHA-256 of each data file in the folder, by path.
    """
    name = folder.name
    try:
        log = commits(folder)
    except ValueError as error:
        return [f"{name}: {error}"]
    faults = []
    newest = len(log) - 1
    if not log and any("delta" not in side for side in sides):
        return []
    matching = [side for side in sides if "delta" in side and side["delta"]["version"] == newest]
    if not matching:
        return [f"{name}: the newest commit is {newest}, which is that of no allowed version"]
    side = matching[-1]
    if live_files(log) != {path: file["size"] for path, file in side["files"].items()}:
        faults.append(f"{name}: the files of commit {newest} are not those of the record")
    versions = [action["txn"]["version"] for commit in log for action in commit if "txn" in action]
    if len(versions) != len(log) or versions != sorted(set(versions)):
        faults.append(f"{name}: the commits are of the versions {versions}")
    missing = [path for path, file in side["files"].items() if found.get(path) != file["sha256"]]
    faults += [f"{name}/{path} of commit {newest} is missing or different" for path in missing]
    known = {path for one in sides for path in (*one["files"], *one.get("retained", {}))}
    faults += [f"{name}/{path} is of no allowed version" for path in found.keys() - known]
    if len(sides) == 1:
        faults += [f"{name}/{path} is not there" for path in known - found.keys()]
    return faults
