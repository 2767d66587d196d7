"""The harness of crash tests: processes that run the job and can be killed, and versions of an input."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from support.generate_inputs import write_input
from support.generate_records import play, song
from support.lake_checker import Contents, check, contents
from support.processes import clean_environment

HERE = Path(__file__).parent
KILLED = -9


class ForkServer:
    """The client of ``fork_server.py``: a warm process that runs the job in a new child process each time."""

    def __init__(self, faults: Path | None = None, env: dict[str, str] | None = None) -> None:
        self.child = 0
        preload = {"LD_PRELOAD": str(faults)} if faults else {}
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore::DeprecationWarning", "-m", "support.fork_server"],
            env=clean_environment({**preload, **(env or {})}),
            cwd=HERE.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> ForkServer:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(timeout=60)

    def start(self, source: Path, output: Path | str, **task: Any) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        line = json.dumps({"source": str(source), "output": str(output), **task})
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        self.child = int(self.process.stdout.readline())

    def kill(self) -> None:
        """Kills the running child; the caller must know that it is running."""
        os.kill(self.child, signal.SIGKILL)

    def end(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def run(self, source: Path, output: Path | str, **task: Any) -> dict[str, Any]:
        """Runs the job; returns ``code`` (below 0: a signal), ``error``, ``report``, ``hit``, ``seconds``."""
        self.start(source, output, **task)
        return self.end()


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A temporary folder, in memory if possible, because commits wait for the disk."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


def build_fault_library(folder: Path) -> Path:
    """Compiles the library that injects faults into file operations."""
    made = folder / "faults.so"
    compiler = os.environ.get("CC", "cc")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", made, HERE / "file_faults.c", "-ldl"], check=True
    )
    return made


@dataclass(frozen=True)
class Versions:
    """Different inputs, a lake of each, and the contents of these lakes."""

    sources: list[Path]
    lakes: list[Path]
    held: list[Contents] = field(default_factory=list)

    @classmethod
    def make(
        cls, folder: Path, fork_server: ForkServer, count: int, songs: int = 8, plays: int = 24
    ) -> Versions:
        """Versions that each change, add and remove partitions of the previous one."""
        made = cls(
            [folder / f"input-{number}" for number in range(count)],
            [folder / f"lake-{number}" for number in range(count)],
        )
        for number, (source, lake) in enumerate(zip(made.sources, made.lakes, strict=True)):
            first = number * songs // 2
            write_input(
                source,
                [song(seed) for seed in range(first, first + songs)],
                [play(seed) for seed in range(number * plays // 2, number * plays // 2 + plays)],
                number,
            )
            ended = fork_server.run(source, lake)
            assert ended["code"] == 0, ended
            made.held.append(contents(lake))
            assert check(lake, versions=[made.held[number]], settled=True, report=ended["report"]) == []
        assert len({json.dumps(held, sort_keys=True) for held in made.held}) == count
        return made

    def copy(self, number: int, output: Path) -> None:
        """Replaces a lake by the lake of that version."""
        shutil.rmtree(output, ignore_errors=True)
        shutil.copytree(self.lakes[number], output)


def protocol_step(hit: str) -> str:
    """The step of the commit protocol that a file operation belongs to."""
    # The path below the lake follows the name of the operation, such as "fsync folder"; the lake has none.
    path = f"/{hit.partition('/')[2]}"
    control = re.match(r"/_etl(?:/(\w+))?", path)
    if control:
        return {
            "log": "committing",
            "done": "marking as done",
            "stage": "staging",
            "iceberg": "publishing Iceberg",
        }.get(control[1] or "", "opening the lake")
    # The folder of a table may be nested.
    table = re.search(r"/(\w+_table)\b", path)
    return (
        f"publishing {table[1] if table else path.split('/')[1]}" if path.strip("/") else "opening the lake"
    )


def print_counts(title: str, counts: Counter[str]) -> None:
    """Prints counts; ``pytest -s`` or a failure shows them."""
    print(f"\n{title}: {counts.total()} in total")
    for name, count in sorted(counts.items(), key=lambda item: -item[1]):
        print(f"  {count:5} {name}")


def kill_times(random: Random, seconds: float, count: int) -> list[float]:
    """Random times within a run, more of them near its end, when it publishes."""
    return [
        seconds * (random.random() if number % 2 else random.uniform(0.6, 1.1)) for number in range(count)
    ]
