"""The import of the package is cheap: Airflow imports DAG files repeatedly."""

from __future__ import annotations

import ast
import json
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

import sparkify_lake

ROOT = Path(__file__).resolve().parents[3]
IMPORTS = [
    "import sparkify_lake",
    "import etl",
    "from sparkify_lake.etl import main",
    "from sparkify_lake.etl import create_spark_session; create_spark_session().sparkContext",
    "import sparkify_lake.errors",
]

# Runs in a separate process; prints how long the import took and its side effects.
MEASURE_IMPORT = """
import json, sys, time
sys.path.insert(0, sys.argv[2])
opened, events = [], []

def watch(event, arguments):
    if event == "open" and isinstance(arguments[0], str):
        opened.append(arguments[0])
    elif event.startswith(("socket.", "subprocess.", "os.fork", "os.exec", "os.putenv", "_thread.start")):
        events.append(event)

before = set(sys.modules)
if sys.argv[3] == "watch":
    sys.addaudithook(watch)
began = time.perf_counter()
exec(sys.argv[1])
took = time.perf_counter() - began
modules = sorted(set(sys.modules) - before)
import threading
print(json.dumps({"seconds": took, "modules": modules, "opened": opened, "events": events,
                  "threads": threading.active_count()}))
"""


def imported(statement: str, mode: str = "watch") -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", MEASURE_IMPORT, statement, str(ROOT), mode],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    result: dict[str, object] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("statement", IMPORTS)
def test_import_takes_less_than_40_ms(statement: str) -> None:
    imported(statement)  # writes the byte code
    times = [imported(statement, "measure")["seconds"] for _ in range(7)]
    assert statistics.median(float(str(time)) for time in times) < 0.040


@pytest.mark.parametrize("statement", IMPORTS)
def test_import_has_no_side_effects(statement: str) -> None:
    seen = imported(statement)
    assert isinstance(seen["modules"], list) and isinstance(seen["opened"], list)
    assert any(name.startswith("sparkify_lake") for name in seen["modules"]), "the audit hook saw the import"
    assert any(path.endswith((".py", ".pyc")) for path in seen["opened"]), (
        "the audit hook saw the opened files"
    )
    assert [path for path in seen["opened"] if ".py" not in Path(path).name] == []
    assert seen["events"] == []
    assert seen["threads"] == 1


@pytest.mark.parametrize("statement", IMPORTS)
def test_import_imports_nothing_heavy(statement: str) -> None:
    heavy = {
        "sparkify_lake._native", "polars", "rich", "pyarrow", "airflow", "pyspark",
        "duckdb", "pysail", "grpc", "pandas", "ray", "sparkify_lake.executors",
        "argparse", "logging", "dataclasses", "inspect",
        "sparkify_lake.settings.resolve", "sparkify_lake.jobs",
    }  # fmt: skip
    modules = imported(statement)["modules"]
    assert isinstance(modules, list)
    assert heavy.intersection(modules) == set()


def test_every_public_name_exists() -> None:
    assert len(sparkify_lake.__all__) > 20
    for name in sparkify_lake.__all__:
        assert getattr(sparkify_lake, name) is not None, name
    assert set(sparkify_lake.__all__) <= set(dir(sparkify_lake))
    assert sorted(sparkify_lake.__all__) == sparkify_lake.__all__


def test_an_unknown_name_raises_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = sparkify_lake.nothing


def test_only_one_module_imports_the_native_module() -> None:
    package = Path(sparkify_lake.__file__).parent
    modules = sorted(package.rglob("*.py"))
    assert len(modules) > 25
    importers = []
    for module in modules:
        tree = ast.parse(module.read_text())
        for_types = {
            inner
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
            for inner in ast.walk(node)
        }
        imports = [
            ast.unparse(one)
            for one in ast.walk(tree)
            if isinstance(one, ast.Import | ast.ImportFrom) and one not in for_types
        ]
        if any("import _native" in line or "sparkify_lake._native import" in line for line in imports):
            importers.append(module.relative_to(package).as_posix())
    # The second one runs on a worker; the third one comes before `_engine` in the order of imports.
    assert importers == ["_engine.py", "executors/worker.py", "settings/aws.py"]
    assert "from sparkify_lake import _native" in (package / "_engine.py").read_text()


def test_errors_imports_no_other_module_of_the_package() -> None:
    modules = imported("import sparkify_lake.errors")["modules"]
    assert isinstance(modules, list)
    assert {name for name in modules if name.startswith("sparkify_lake")} == {
        "sparkify_lake",
        "sparkify_lake.errors",
    }


def test_the_package_is_typed() -> None:
    package = Path(sparkify_lake.__file__).parent
    assert (package / "py.typed").is_file()
    assert (package / "_native.pyi").is_file()
