"""Fixtures for all tests: the shared data set, calls of the package, and reading a lake back.

The lake is read back without the package's own reader (see ``support/lake_files.py``).
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, settings

from support.generate_inputs import write_input
from support.generate_records import play, song
from support.lake_files import (
    ALL_FOLDERS,
    FOLDERS,
    Report,
    Snapshot,
    Tables,
    column_values,
    data_files,
    partition_value,
    sorted_rows,
)
from support.oracle import COLUMNS, PARTITIONED_BY, Row, order
from support.processes import ROOT, Finished, clean_environment
from support.rounds import Rounds

_COMMON: dict[str, Any] = {
    "deadline": None,
    "print_blob": True,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}
settings.register_profile("ci", derandomize=True, max_examples=150, **_COMMON)
settings.register_profile("quick", derandomize=True, max_examples=20, phases=[Phase.generate], **_COMMON)
settings.register_profile("nightly", max_examples=5_000, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--large", action="store_true", help="run tests that take minutes: 15,000 songs in a bucket"
    )
    parser.addoption(
        "--stores", action="store_true", help="run the tests on S3 servers of other makes: make stores"
    )
    group = parser.getgroup("random rounds")
    group.addoption(
        "--long", action="store_true", help="run random tests with all their rounds: minutes each"
    )
    group.addoption("--seed", type=int, default=None, help="seed of the random tests")


@pytest.fixture(scope="session")
def rounds(request: pytest.FixtureRequest) -> Rounds:
    """A few rounds from a fixed seed; with ``--long`` many rounds from a new seed."""
    is_long = bool(request.config.getoption("long"))
    given = request.config.getoption("seed")
    return Rounds(is_long, given if given is not None else time.time_ns() % 10**9 if is_long else 1)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "spark: needs pyspark and a Java runtime; skipped without them")
    config.addinivalue_line("markers", "slow: takes more than about five seconds")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Prints the summaries that tests record: how many things they checked."""
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            if name == "summary":
                terminalreporter.write_line(f"{report.nodeid.rpartition('/')[2]}: {value}")


def pytest_report_header(config: pytest.Config) -> str:
    now = settings()
    seed = config.getoption("hypothesis_seed", default=None)
    chosen = (
        "derandomized"
        if now.derandomize
        else f"seed {seed}"
        if seed is not None
        else "random seed, printed on failure"
    )
    return f"generated cases: {now.max_examples} per test, {chosen}"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the real small data set and its expected tables, next to the project."""
    folder = ROOT.parent / "shared"
    if not (folder / "data" / "sparkify").is_dir():
        pytest.skip("the shared data set (../shared/data) is not next to the project")
    return folder


@pytest.fixture(scope="module")
def isolated_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty working directory and an environment without settings, for a whole module."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("SPARKIFY_", "AWS_")):
                patch.delenv(name)
        folder = tmp_path_factory.mktemp("isolated")
        patch.chdir(folder)
        yield folder


# --- calling the package ----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def run() -> Callable[..., Report]:
    """``run(input, output, **options)`` -> the report as a dict."""

    def call(source: Path, output: Path, **options: Any) -> Report:
        import sparkify_lake

        report: Report = sparkify_lake.run(str(source), str(output), **options).to_dict()
        return report

    return call


@pytest.fixture(scope="session")
def build() -> Callable[..., tuple[Tables, Report]]:
    """``build(input, **options)`` -> (rows of the tables, the report as a dict), columns checked."""

    def call(source: Path, **options: Any) -> tuple[Tables, Report]:
        import sparkify_lake

        star = sparkify_lake.build(str(source), **options)
        tables: Tables = {}
        for name in star:
            frame = getattr(star, name).to_arrow()
            assert frame.schema.names == list(COLUMNS[name]), f"{name}: columns and their order"
            tables[name] = sorted_rows(name, frame)
        report: Report = star.report.to_dict()
        return tables, report

    return call


@pytest.fixture(scope="session")
def program() -> Callable[..., Finished]:
    """``program(*arguments, cwd=…, env=…, under=…)`` -> the finished ``python -m sparkify_lake``.

    ``under`` is a command that starts it (``["setpriv", …]``).
    """

    def call(
        *arguments: str | Path,
        cwd: Path,
        env: dict[str, str] | None = None,
        under: tuple[str, ...] = (),
        timeout: float = 60,
    ) -> Finished:
        command = [*under, sys.executable, "-m", "sparkify_lake", *map(str, arguments)]
        return subprocess.run(
            command,
            cwd=cwd,
            env=clean_environment(env),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return call


# --- reading a lake back ----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def read_back() -> Callable[[Path], Tables]:
    """``read_back(output)`` -> the rows of the tables, from the files on disk."""

    def call(output: Path) -> Tables:
        tables: Tables = {}
        for table, folder in ALL_FOLDERS.items():
            if table not in FOLDERS and not (output / folder).exists():
                continue
            rows: list[Row] = []
            for file in data_files(output / folder):
                frame = pq.ParquetFile(file).read()
                parts = file.relative_to(output / folder).parts[:-1]
                values = dict(partition_value(table, part) for part in parts)
                assert tuple(values) == PARTITIONED_BY[table], f"{file}: partition folders"
                for row in zip(*(column_values(column) for column in frame.columns), strict=True):
                    whole = {**dict(zip(frame.schema.names, row, strict=True)), **values}
                    rows.append(tuple(whole[name] for name in COLUMNS[table]))
            tables[table] = sorted(rows, key=lambda row: order(*row))
        return tables

    return call


@pytest.fixture(scope="session")
def snapshot() -> Callable[[Path], Snapshot]:
    """``snapshot(output)`` -> {relative path: (inode, mtime, sha256)} of all files in the table folders."""

    def call(output: Path) -> Snapshot:
        found: Snapshot = {}
        for folder in sorted(FOLDERS.values()):
            for path in sorted((output / folder).rglob("*")):
                if path.is_file():
                    status = path.stat()
                    digest = hashlib.sha256(path.read_bytes()).hexdigest()
                    found[str(path.relative_to(output))] = (status.st_ino, status.st_mtime_ns, digest)
        return found

    return call


@pytest.fixture
def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working directory and an environment without settings of the package, for one test."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("SPARKIFY_", "AWS_")) or name == "REQUESTS_CA_BUNDLE":
            monkeypatch.delenv(name)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small input: 30 songs, 60 plays."""
    return write_input(tmp_path / "in", [song(n) for n in range(30)], [play(n) for n in range(60)], 3)


@pytest.fixture
def lake(tmp_path: Path, source: Path, run: Callable[..., Report]) -> Path:
    """An existing lake."""
    run(source, tmp_path / "lake")
    return tmp_path / "lake"
