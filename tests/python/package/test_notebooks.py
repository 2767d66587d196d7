"""The notebooks: they run headless, are stored without outputs, and use only the public API."""

from __future__ import annotations

import ast
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

import sparkify_lake
from sparkify_lake import session

FOLDER = Path(__file__).resolve().parents[3] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
PLOTS = {"01_run_the_etl": 0, "02_explore_the_lake": 5, "03_from_spark": 0}

pytestmark = pytest.mark.slow


def test_there_are_three_notebooks() -> None:
    assert [notebook.stem for notebook in NOTEBOOKS] == list(PLOTS)


@pytest.mark.timeout(120)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_runs(
    notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Any
) -> None:
    # No configuration of the user, no files left over, and the Python of the tests as the kernel.
    for name in [name for name in os.environ if name.startswith(("SPARKIFY_", "AWS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_PATH", str(kernel(tmp_path)))
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path / "matplotlib"))
    book = nbformat.read(notebook, as_version=4)
    began = time.monotonic()
    NotebookClient(
        book, timeout=100, kernel_name="sparkify", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    assert len(outputs) > 5
    assert [output for output in outputs if output.output_type == "error"] == []
    errors = [output.text for output in outputs if output.get("name") == "stderr"]
    assert [text for text in errors if "deactivate() undoes it" not in text] == [], (
        "no warnings and no other output on stderr"
    )
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == PLOTS[notebook.stem]
    assert all(len(picture.data["image/png"]) > 10_000 for picture in pictures)
    record_property("summary", f"{time.monotonic() - began:.1f} s, {len(pictures)} plots")


def kernel(folder: Path) -> Path:
    """A kernel with this Python, whatever other kernels are installed."""
    place = folder / "jupyter" / "kernels" / "sparkify"
    place.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (place / "kernel.json").write_text(
        json.dumps({"argv": command, "display_name": "sparkify", "language": "python"})
    )
    return folder / "jupyter"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_has_no_outputs(notebook: Path) -> None:
    book = nbformat.read(notebook, as_version=4)
    nbformat.validate(book)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert len(code) > 10
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert [cell.id for cell in book.cells] == [f"cell-{number:02d}" for number in range(len(book.cells))]
    assert set(book.metadata) == {"kernelspec", "language_info"}


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_uses_only_the_public_api(notebook: Path) -> None:
    book = nbformat.read(notebook, as_version=4)
    public = {*sparkify_lake.__all__, "session"}
    checked = 0
    for cell in book.cells:
        if cell.cell_type != "code":
            continue
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Attribute):
                assert not node.attr.startswith("_"), ast.unparse(node)
                if isinstance(node.value, ast.Name) and node.value.id in ("sparkify_lake", "session"):
                    names = public if node.value.id == "sparkify_lake" else set(session.__all__)
                    assert node.attr in names, ast.unparse(node)
                    checked += 1
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sparkify_lake"):
                assert node.module == "sparkify_lake" and [one.name for one in node.names] == ["session"]
    assert checked > 1
