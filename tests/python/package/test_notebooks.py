"""The notebooks: they run headless, are stored without outputs, and use only the public API.

The notebook about table formats needs more engines, so it is stored with its outputs. ``make formats`` runs
it and compares them; with ``WRITE_NOTEBOOK=1`` it stores them.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
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
ALL_NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
FORMATS = FOLDER / "04_table_formats.ipynb"
NOTEBOOKS = [notebook for notebook in ALL_NOTEBOOKS if notebook != FORMATS]
PLOTS = {"01_run_the_etl": 0, "02_explore_the_lake": 5, "03_from_spark": 0}

pytestmark = pytest.mark.slow


def test_there_are_four_notebooks() -> None:
    assert [notebook.stem for notebook in ALL_NOTEBOOKS] == [*PLOTS, FORMATS.stem]


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No configuration of the user, and no files left over."""
    for name in [name for name in os.environ if name.startswith(("SPARKIFY_", "AWS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path / "matplotlib"))
    return tmp_path


def execute(book: nbformat.NotebookNode, folder: Path, timeout: int) -> None:
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(
        book, timeout=timeout, kernel_name="sparkify", resources=resources, coalesce_streams=True
    ).execute()


@pytest.mark.timeout(120)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_runs(
    notebook: Path, bare: Path, monkeypatch: pytest.MonkeyPatch, record_property: Any
) -> None:
    monkeypatch.setenv("JUPYTER_PATH", str(kernel(bare, sys.executable)))
    book = nbformat.read(notebook, as_version=4)
    began = time.monotonic()
    execute(book, bare, 100)
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


def kernel(folder: Path, python: str) -> Path:
    """A kernel with a Python, independent of installed kernels; output of child processes is not in it."""
    place = folder / "jupyter" / "kernels" / "sparkify"
    place.mkdir(parents=True)
    command = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    command.append("--IPKernelApp.capture_fd_output=False")
    (place / "kernel.json").write_text(
        json.dumps({"argv": command, "display_name": "sparkify", "language": "python"})
    )
    return folder / "jupyter"


@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
def test_the_notebook_of_table_formats_has_the_outputs_of_its_cells(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = os.environ.get("FORMATS_PYTHON")
    if python is None:
        pytest.skip("needs engines with table formats: make formats")
    monkeypatch.setenv("JUPYTER_PATH", str(kernel(bare, python)))
    # DuckDB finds its extensions in the home folder, and need not download them.
    monkeypatch.setenv("HOME", str(bare))
    version = "import duckdb; print(duckdb.__version__)"
    found = subprocess.run([python, "-c", version], capture_output=True, text=True, check=True).stdout.strip()
    for extension in Path(python).parents[1].rglob("*.duckdb_extension"):
        place = bare / ".duckdb" / "extensions" / f"v{found}" / "linux_amd64"
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(extension, place)
    stored = nbformat.read(FORMATS, as_version=4)
    book = nbformat.read(FORMATS, as_version=4)
    execute(book, bare, 800)
    for cell in book.cells:
        cell.metadata = {}  # the times of the execution
    book.metadata = stored.metadata
    if os.environ.get("WRITE_NOTEBOOK"):
        nbformat.write(book, FORMATS)
        stored = book
    outputs = [[cell.get("outputs") for cell in one.cells] for one in (stored, book)]
    assert outputs[0] == outputs[1], "WRITE_NOTEBOOK=1 make formats stores the outputs"


def test_the_notebook_of_table_formats_is_stored_with_outputs() -> None:
    book = nbformat.read(FORMATS, as_version=4)
    nbformat.validate(book)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    texts = ""
    for cell in code:
        shows = isinstance(ast.parse(cell.source).body[-1], ast.Expr) and cell.source != "spark.stop()"
        assert bool(cell.outputs) == shows, cell.source
        for output in cell.outputs:
            assert output.output_type == "execute_result" or output.get("name") == "stdout", cell.source
            texts += output.get("text") or output.data["text/plain"]
    assert "sparkify-" not in texts and str(Path.home()) not in texts, "no path of a machine"
    assert [cell.id for cell in book.cells] == [f"cell-{number:02d}" for number in range(len(book.cells))]
    assert set(book.metadata) == {"kernelspec", "language_info"}
    sources = "\n".join(cell.source for cell in code)
    for call in (
        "scan_delta(",
        "scan_iceberg(",
        "delta_scan(",
        "iceberg_scan(",
        "delta.`",
        '"lake.songplays"',
    ):
        assert call in sources, "both formats with each engine"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_has_no_outputs(notebook: Path) -> None:
    book = nbformat.read(notebook, as_version=4)
    nbformat.validate(book)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert len(code) > 10
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert [cell.id for cell in book.cells] == [f"cell-{number:02d}" for number in range(len(book.cells))]
    assert set(book.metadata) == {"kernelspec", "language_info"}


@pytest.mark.parametrize("notebook", ALL_NOTEBOOKS, ids=lambda path: path.stem)
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
