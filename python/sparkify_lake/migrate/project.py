"""The files of a new project: etl.py, dl.cfg, lake.cfg, an example DAG, and lines for .gitignore."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from sparkify_lake.migrate.files import write_files
from sparkify_lake.render.text_table import Displayed, TextTable
from sparkify_lake.settings.files import LAKE_FILE, SECRET_FILE

_DAG = "dags/sparkify_nightly.py"
_IGNORED = ".gitignore"
# The input and the output of a new project, until its owner decides otherwise.
_LOCATIONS = {"INPUT =\n": "INPUT = data\n", "OUTPUT =\n": "OUTPUT = lake\n"}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class NewProject(Displayed):
    """The files of a new project.

    Attributes:
        folder: The folder.
        files: The files, each with `created`, `extended` or `kept`.
    """

    folder: str
    files: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Returns the result as a dictionary; `--json` prints it."""
        return {"folder": self.folder, "files": dict(self.files)}

    def to_json(self) -> str:
        """Returns the result as JSON."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)

    def _title(self) -> str:
        return (
            f"a new project in {self.folder}: put song_data and log_data into its folder data, or set INPUT "
            f"in {LAKE_FILE}; then run python etl.py there (python etl.py --sample creates sample data)"
        )

    def _tables(self) -> list[TextTable]:
        head = ("file", "")
        return [TextTable(head=head, rows=list(self.files.items()), text_columns=head)]


def create_project(
    folder: str | os.PathLike[str] = ".", *, airflow: bool = False, force: bool = False
) -> NewProject:
    """Creates the files of a new project. An existing `dl.cfg` is always kept, because it may hold secrets.

    Args:
        folder: The folder, which is created.
        airflow: Whether to add an example DAG.
        force: Whether to replace existing files.

    Returns:
        The files, and whether they were created.

    Raises:
        OutputError: If a file exists already, or cannot be written.
    """
    root = Path(folder)
    lake = _template(LAKE_FILE)
    for empty, filled in _LOCATIONS.items():
        lake = lake.replace(empty, filled, 1)
    texts = {"etl.py": _template("etl"), LAKE_FILE: lake}
    if airflow:
        texts[_DAG] = _template("dag")
    done = dict.fromkeys(texts, "created")
    has_secrets = (root / SECRET_FILE).exists()
    write_files(root, texts, force=force)
    if not has_secrets:
        write_files(root, {SECRET_FILE: _template(SECRET_FILE)}, force=False)
        (root / SECRET_FILE).chmod(0o600)
    done[SECRET_FILE] = "kept" if has_secrets else "created"
    done[_IGNORED] = _extend_gitignore(root)
    return NewProject(folder=str(root), files=done)


def _extend_gitignore(root: Path) -> str:
    """Adds the missing lines to .gitignore; returns what happened to it."""
    path = root / _IGNORED
    existing = path.read_text(encoding="utf-8") if path.exists() else ""
    wanted = _template("gitignore").splitlines()
    known = {line.strip() for line in existing.splitlines()}
    missing = [line for line in wanted if line not in known]
    if not any(line for line in missing if not line.startswith("#")):
        return "kept"
    start = existing if not existing or existing.endswith("\n") else f"{existing}\n"
    write_files(root, {_IGNORED: start + "\n".join(missing) + "\n"}, force=True)
    return "extended" if existing else "created"


def _template(name: str) -> str:
    # Names without .py, because they are not modules; with .txt, because git ignores dl.cfg and lake.cfg.
    return (files("sparkify_lake.migrate") / "templates" / f"{name}.txt").read_text(encoding="utf-8")
