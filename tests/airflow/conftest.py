"""A real Airflow for these tests: a temporary home, SQLite, and the example DAGs in its folder.

Airflow reads its settings when it is imported, so they are set here, before the tests are imported.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "python"))  # for the package `support`

HOME = Path(tempfile.mkdtemp(prefix="sparkify-airflow-"))
DAGS = HOME / "dags"
RAW, LAKE = HOME / "raw", HOME / "lake"
shutil.copytree(ROOT / "examples" / "airflow", DAGS, ignore=shutil.ignore_patterns("__pycache__"))
for name in [name for name in os.environ if name.startswith(("SPARKIFY_", "AIRFLOW", "AWS_"))]:
    del os.environ[name]
os.environ |= {
    "AIRFLOW_HOME": str(HOME),
    "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(HOME / "logs"),
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME / 'airflow.db'}",
    "AIRFLOW__SECRETS__USE_CACHE": "False",
    "AWS_EC2_METADATA_DISABLED": "true",
    "SPARKIFY_RAW": str(RAW),
    "SPARKIFY_LAKE": str(LAKE),
}


def pytest_sessionstart() -> None:
    airflow = Path(sys.executable).with_name("airflow")
    subprocess.run([airflow, "db", "migrate"], check=True, stdout=subprocess.DEVNULL, timeout=300)


def pytest_sessionfinish() -> None:
    shutil.rmtree(HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def raw() -> Path:
    """A small input."""
    import sparkify_lake

    sparkify_lake.sample(RAW, songs=60, events=3_000, days=5, users=20, quiet=True)
    return RAW


@pytest.fixture(scope="session")
def many(raw: Path) -> Path:
    """A large input, on which a run takes a while."""
    import sparkify_lake

    folder = HOME / "many"
    sparkify_lake.sample(folder, songs=1_000, events=2_000_000, days=60, quiet=True)
    return folder


@pytest.fixture
def lake() -> Iterator[Path]:
    """The lake of the example DAGs, which is removed after the test."""
    yield LAKE
    shutil.rmtree(LAKE, ignore_errors=True)


@pytest.fixture(scope="session")
def dag_of() -> Callable[[Path | str], Any]:
    """``dag_of(file)`` -> the only DAG in a file of the DAG folder."""
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:  # Airflow 2
        from airflow.models.dagbag import DagBag

    def load(file: Path | str) -> Any:
        bag = DagBag(str(DAGS / file))
        assert bag.import_errors == {}
        (dag,) = bag.dags.values()
        return dag

    return load
