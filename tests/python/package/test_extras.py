"""Dependencies: the plain package needs polars and rich; the extras match the imports."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sparkify_lake

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = Path(sparkify_lake.__file__).parent
# The distribution of a module, where the names differ.
DISTRIBUTIONS = {
    "grpc": "pyspark-client",
    "openlineage": "openlineage-python",
    "prometheus_client": "prometheus-client",
}
# Not imported here: the kernel, and the package that Spark's client needs.
NOT_IMPORTED = {"ipykernel", "pandas"}


def declared(name: str) -> set[str]:
    """The distributions in a list of pyproject.toml."""
    text = subprocess.run(
        [sys.executable, ROOT / "scripts" / "requirements.py", *([] if name == "dependencies" else [name])],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return {re.split(r"[^\w-]", one)[0] for one in text.splitlines()}


def imported(files: list[Path]) -> set[str]:
    """The top-level modules that files import at run time, except the standard library and this package."""
    found = set()
    for file in files:
        tree = ast.parse(file.read_text())
        typing_only = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
            for inner in ast.walk(node)
        }
        for node in ast.walk(tree):
            if id(node) in typing_only:
                continue
            if isinstance(node, ast.Import):
                found |= {one.name.partition(".")[0] for one in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    ours = {"sparkify_lake", "pyspark"}
    return {DISTRIBUTIONS.get(name, name) for name in found - set(sys.stdlib_module_names) - ours}


def notebook_code(folder: Path) -> list[Path]:
    """The code cells of the notebooks as Python files."""
    files = []
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(notebook.read_text())["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        files.append(folder / f"{notebook.stem}.py")
        files[-1].write_text("\n".join(code))
    return files


def test_dependencies_match_the_imports_of_the_package() -> None:
    files = [file for file in PACKAGE.rglob("*.py") if "session" not in file.relative_to(PACKAGE).parts]
    assert len(files) > 12
    # zoneinfo of the standard library imports tzdata, if the system has no time zones.
    assert declared("dependencies") == {"polars", "rich", "sqlglot", "tzdata"}
    airflow = [file for file in files if file.name in ("airflow.py", "airflow_lineage.py")]
    clusters = [PACKAGE / "executors" / "spark.py", PACKAGE / "executors" / "ray.py"]
    iceberg = [PACKAGE / "iceberg" / f"{name}.py" for name in ("catalog", "commits", "files")]
    lineage = list((PACKAGE / "lineage").glob("*.py"))
    metrics = PACKAGE / "metrics.py"
    always = [file for file in files if file not in (*airflow, *clusters, *iceberg, *lineage, metrics)]
    assert imported(always) - {"typing_extensions"} <= {"polars", "rich", "sqlglot"}
    assert imported(iceberg) == declared("iceberg") - declared("dependencies") == {"pyiceberg"}
    # The Airflow module is imported only with Airflow; the extra adds the provider for connections.
    assert imported(airflow) == {"airflow"}
    assert declared("airflow") - {"polars", "rich", "sqlglot", "tzdata"} == {
        "apache-airflow",
        "apache-airflow-providers-amazon",
    }
    assert imported(lineage) == {"openlineage-python"}
    assert declared("openlineage") - declared("dependencies") == {"openlineage-python"}
    # The executors import their libraries only when they are used; mapInArrow of PySpark imports pandas.
    assert [imported([file]) for file in clusters] == [{"pyarrow"}, {"ray"}]
    assert declared("spark") - {"polars", "rich", "sqlglot", "tzdata"} == {"pandas", "pyarrow", "pyspark"}
    assert imported([metrics]) == {"prometheus-client"}
    assert declared("metrics") - declared("dependencies") == {"prometheus-client"}
    assert declared("ray") - {"polars", "rich", "sqlglot", "tzdata"} == {"ray"}


def test_the_notebook_extra_matches_the_imports_of_session_and_notebooks(tmp_path: Path) -> None:
    files = [*(PACKAGE / "session").glob("*.py"), *notebook_code(tmp_path)]
    assert len(files) > 12
    extra = (declared("notebook") | declared("iceberg")) - declared("dependencies")  # one reads table formats
    assert imported(files) - {"polars"} == extra - NOT_IMPORTED


# A process with the plain package only: no finder finds other packages.
PLAIN = """
import pickle, sys

class WithoutExtras:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"duckdb", "pysail", "grpc", "pandas", "pyarrow", "numpy", "matplotlib",
                                      "IPython", "pyspark"}:
            return None
        return self.finder.find_spec(name, path, target)
    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = map(WithoutExtras, sys.meta_path)
import sparkify_lake
from sparkify_lake.etl import create_spark_session, process_log_data, process_song_data

sparkify_lake.sample("data", songs=20, events=200, days=3, users=5, quiet=True)
report = sparkify_lake.run("data", "lake", quiet=True)
assert report.tables["songplays"].rows > 0
assert sparkify_lake.open_lake("lake").songplays.collect().height == report.tables["songplays"].rows

with create_spark_session() as spark:
    spark.sparkContext.setLogLevel("ERROR")
    spark.conf.set("spark.sql.shuffle.partitions", 4)
    assert repr(pickle.loads(pickle.dumps(spark))) == repr(spark)
    process_song_data(spark, "data", "lake", quiet=True)
    for call in ("read", "sql", "createDataFrame", "table", "udf"):
        try:
            getattr(spark, call)
        except sparkify_lake.ConfigurationError as error:
            print(f"{error.message} | {error.hint}")
from sparkify_lake import session
try:
    session.activate()
except sparkify_lake.ConfigurationError as error:
    print(f"{error.message} | {error.hint}")
session.deactivate()
"""


def test_a_plain_install_runs_and_names_the_missing_extra(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PLAIN],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 6
    for line in lines:
        assert line.startswith(
            ("the Spark session needs Sail", "sparkify_lake.session.activate() needs Sail")
        )
        assert line.endswith("| pip install 'sparkify-lake[notebook]'")


@pytest.mark.parametrize("call", ["create_spark_session()", "create_spark_session().sparkContext"])
def test_a_session_imports_nothing_heavy(call: str) -> None:
    code = f"import sys\nfrom sparkify_lake.etl import create_spark_session\n{call}\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert {"sparkify_lake"} <= loaded
    assert loaded & {"duckdb", "pysail", "pyspark", "grpc", "pandas", "polars", "rich", "numpy"} == set()
