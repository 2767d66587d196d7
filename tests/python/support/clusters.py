"""Clusters in separate processes: Spark, Spark Connect and Ray with two workers each, and Sail."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from support.processes import clean_environment

HERE = Path(__file__).parent
NEEDS = {
    "spark": ("pyspark", "pyarrow", "pandas"),
    "connect": ("pyspark", "pyarrow", "pandas", "grpc"),
    "ray": ("ray",),
    "sail": ("pysail", "pyspark", "pyarrow", "pandas", "grpc"),
}


class Cluster:
    """A cluster that runs jobs, and whose processes can be killed."""

    def __init__(self, kind: str, log: Path, *address: str) -> None:
        self.kind = kind
        self.log = log
        with log.open("a") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, str(HERE / "cluster_program.py"), kind, *address],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=clean_environment({"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}),
                text=True,
                start_new_session=True,
            )
        self.ready = self.answer()

    def ask(self, do: str, **task: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": do, **task}, default=str) + "\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"{self.kind} ended:\n{self.log.read_text()[-2_000:]}"
        parsed: dict[str, Any] = json.loads(line)
        return parsed

    def run(self, source: Path, lake: Path | str, **options: Any) -> dict[str, Any]:
        self.ask("run", input=source, output=lake, **options)
        return self.answer()

    def workers(self) -> list[psutil.Process]:
        """The processes that run shards: the executors of Spark, the workers of both Ray nodes."""
        is_worker = {
            "spark": lambda line: "CoarseGrainedExecutorBackend" in line,
            "ray": lambda line: line.startswith("ray::") and "Agent" not in line,
            "sail": lambda line: "sparkify_lake.session.serve" in line,
        }[self.kind]
        found = []
        for child in psutil.Process(self.process.pid).children(recursive=True):
            try:
                if is_worker(" ".join(child.cmdline())):
                    found.append(child)
            except psutil.Error:
                continue
        return found

    def kill(self) -> None:
        """Kills only the process that leads the runs."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        started = [psutil.Process(self.process.pid)] if self.process.poll() is None else []
        started += [child for one in started for child in one.children(recursive=True)]
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.process.stdout.close()
        for left in psutil.wait_procs(started, timeout=5)[1]:
            left.kill()


def start(kind: str, folder: Path, *address: str) -> Cluster:
    """Starts a cluster, or skips the test."""
    for module in NEEDS[kind]:
        extra = {"ray": "ray", "sail": "notebook"}.get(kind, "spark")
        pytest.importorskip(module, reason=f"{module} is missing: pip install 'sparkify-lake[{extra}]'")
    if kind in ("spark", "connect") and shutil.which("java") is None:
        pytest.skip("no Java runtime for Spark")
    return Cluster(kind, folder / f"{kind}.log", *address)


def tables(lake: Path) -> dict[str, str]:
    """The SHA-256 of every data file of the tables."""
    return {
        path.relative_to(lake).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in lake.rglob("*")
        if path.is_file() and "_etl" not in path.parts and path.name != "_SUCCESS"
    }


def kill(process: psutil.Process) -> None:
    """Kills a process without warning, as a failing machine does."""
    os.kill(process.pid, signal.SIGKILL)
