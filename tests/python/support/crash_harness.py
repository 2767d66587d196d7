"""Victims to run the job in, versions of an input, and what both together must come to."""

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


class Victim:
    """A warm process in which the job is run again and again, each time in a child of its own."""

    def __init__(self, faults: Path | None = None, env: dict[str, str] | None = None) -> None:
        self.child = 0
        preload = {"LD_PRELOAD": str(faults)} if faults else {}
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore::DeprecationWarning", str(HERE / "fork_server.py")],
            env=clean_environment({**preload, **(env or {})}),
            cwd=HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Victim:
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
        """Ends the child at work; only for one who knows that it is (it waits for an answer)."""
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
def scratch() -> Iterator[Path]:
    """A folder, in memory where that can be had: a commit waits for the disk, and so for all its writers."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


def build_faults(folder: Path) -> Path:
    """Compiles the library that makes files fail."""
    made = folder / "faults.so"
    compiler = os.environ.get("CC", "cc")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", made, HERE / "file_faults.c", "-ldl"], check=True
    )
    return made


@dataclass(frozen=True)
class Versions:
    """Inputs that differ, and what a lake made of each of them holds."""

    sources: list[Path]
    lakes: list[Path]
    held: list[Contents] = field(default_factory=list)

    @classmethod
    def make(cls, folder: Path, victim: Victim, count: int, songs: int = 8, plays: int = 24) -> Versions:
        """Versions of which each changes, adds and removes partitions of the one before."""
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
            ended = victim.run(source, lake)
            assert ended["code"] == 0, ended
            made.held.append(contents(lake))
            assert check(lake, versions=[made.held[number]], settled=True, report=ended["report"]) == []
        assert len({json.dumps(held, sort_keys=True) for held in made.held}) == count
        return made

    def copy(self, number: int, output: Path) -> None:
        """A lake that holds that version, in place of what was there."""
        shutil.rmtree(output, ignore_errors=True)
        shutil.copytree(self.lakes[number], output)


def step(hit: str) -> str:
    """In which step of the protocol an operation lies, for the table of what was hit."""
    _, _, path = hit.partition(" ")
    control = re.match(r"/_etl(?:/(\w+))?", path)
    if control:
        return {"log": "committing", "done": "marking as done", "stage": "staging"}.get(
            control[1] or "", "opening the lake"
        )
    return f"publishing {path.split('/')[1]}" if path.strip("/") else "opening the lake"


def told(title: str, counts: Counter[str]) -> None:
    """Prints what was hit how often; ``pytest -s`` or a failure shows it."""
    print(f"\n{title}: {counts.total()} in all")
    for name, count in sorted(counts.items(), key=lambda item: -item[1]):
        print(f"  {count:5} {name}")


def moments(random: Random, seconds: float, count: int) -> list[float]:
    """Times within a run that takes so long, a little more at its end: there it publishes."""
    return [
        seconds * (random.random() if number % 2 else random.uniform(0.6, 1.1)) for number in range(count)
    ]
