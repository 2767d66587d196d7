"""The cells of `03_from_spark`, run as plain Python on the installed or activated `pyspark`."""

from __future__ import annotations

import ast
import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

NOTEBOOK = Path(__file__).resolve().parents[3] / "notebooks" / "03_from_spark.ipynb"
TABLES = ("songs", "artists", "users", "time", "songplays")
FRAMES = ("top_songs", "by_level", "weeks", "most_active", "songplays", "users_table")


def unchanged_cells() -> list[str]:
    """The code cells that were written for Spark: all but those that are marked as added."""
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    return ["".join(cell["source"]) for cell in code if "added" not in cell["metadata"].get("tags", [])]


def run_cells() -> dict[str, Any]:
    """Runs the cells in the current folder; returns what they printed, displayed and wrote."""
    names: dict[str, Any] = {}
    printed, shown, frames = io.StringIO(), [], {}
    for cell in unchanged_cells():
        if "spark.stop()" in cell:
            frames = {name: _rows(names[name]) for name in FRAMES}
        tree = ast.parse(cell)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        with contextlib.redirect_stdout(printed):
            exec(compile(tree, "cell", "exec"), names)
            if last is not None:
                value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
                shown += [] if value is None else [repr(value)]
    tables = {name: _table(Path("output") / name) for name in TABLES}
    return {"printed": printed.getvalue(), "shown": shown, "frames": frames, "tables": tables}


def _rows(frame: Any) -> tuple[list[str], list[str]]:
    """Columns and sorted rows; Spark does not promise the numbers of `monotonically_increasing_id`."""
    columns = [name for name in frame.columns if name != "songplay_id"]
    return columns, sorted(repr(tuple(row)) for row in frame.select(*columns).collect())


def _table(folder: Path) -> tuple[list[str], list[str]]:
    """The partitions of a table on disk, and its sorted rows with them, read without either session."""
    assert (folder / "_SUCCESS").is_file()
    found = []
    for file in sorted(folder.rglob("*.parquet")):
        place = str(file.parent.relative_to(folder))
        for row in pq.ParquetFile(file).read().to_pylist():
            cells = {name: _instant(value) for name, value in row.items() if name != "songplay_id"}
            found.append(f"{place} {sorted(cells.items())}")
    return sorted({line.split(" ")[0] for line in found}), sorted(found)


def _instant(value: Any) -> Any:
    # Spark's files hold times as INT96, in nanoseconds and without a zone; both mean UTC.
    if hasattr(value, "to_pydatetime"):
        value = value.to_pydatetime()
    return value.replace(tzinfo=None) if hasattr(value, "tzinfo") else value
