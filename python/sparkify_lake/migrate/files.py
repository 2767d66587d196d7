"""Writes new files into a folder; an existing file is replaced only if that is allowed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from sparkify_lake.errors import OutputError


def write_files(folder: Path, files: Mapping[str, str], *, force: bool) -> None:
    """Writes files into a folder, which is created.

    Args:
        folder: The folder.
        files: The texts by name.
        force: Whether to replace existing files.

    Raises:
        OutputError: If a file exists, or cannot be written.
    """
    existing = [name for name in files if (folder / name).exists()]
    if existing and not force:
        raise OutputError(
            f"{folder / existing[0]} exists already",
            cause=f"existing files: {', '.join(existing)}" if len(existing) > 1 else None,
            hint="choose another folder, or replace the files with --force",
            context={"path": str(folder / existing[0])},
        )
    for name, text in files.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_name(f".{path.name}.new")
            unfinished.write_text(text, encoding="utf-8")
            os.replace(unfinished, path)
        except OSError as error:
            raise OutputError(
                f"{path} cannot be written",
                cause=error.strerror,
                hint="check the folder and its permissions",
                context={"path": str(path)},
            ) from None
