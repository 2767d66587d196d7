"""How the benchmarks measure: generated inputs, whole processes, and medians over turns.

Processes are measured with ``wait4`` from start to end, including the interpreter and imports: wall clock,
CPU (user and system, all threads and children), and the largest resident set of any process. Data and outputs
are stored below ``target/bench``. Ratios are comparable between machines, seconds are not.
"""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
WORK = ROOT / "target" / "bench"
SIZES = {
    "small": {"songs": 71, "events": 8_056, "days": 30, "users": 96},
    "M": {"songs": 15_000, "events": 500_000, "days": 60, "users": 5_000},
    "L": {"songs": 15_000, "events": 5_000_000, "days": 60, "users": 20_000},
}
PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True, kw_only=True)
class Engine:
    name: str
    package: str
    command: tuple[str, ...]
    about: str = ""
    """How its program or its files differ from the others, for the table."""

    @cached_property
    def version(self) -> str:
        """The version of the package in the environment of the command; empty without a package."""
        if not self.package:
            return ""
        code = f"from importlib.metadata import version; print(version({self.package!r}))"
        return subprocess.check_output([self.command[0], "-c", code], text=True).strip()


class EngineFailed(SystemExit):
    """An engine ended with an error; ends the benchmark with the message, unless it is caught."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """The resources of a process and its children."""

    wall_s: float
    cpu_s: float
    peak_rss_mib: float


def data(size: str) -> Path:
    """The generated input of that size."""
    folder = WORK / "data" / size
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        numbers = [word for name, number in SIZES[size].items() for word in (f"--{name}", str(number))]
        command = [
            sys.executable,
            "-m",
            "sparkify_lake",
            "sample",
            str(folder / "input"),
            "--quiet",
            *numbers,
        ]
        subprocess.run(command, cwd=WORK, env=environment(), stdout=subprocess.DEVNULL, check=True)
        (folder / "complete").touch()
    return folder / "input"


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("SPARKIFY_")}


def adopt_orphans() -> None:
    """Makes this process the parent of orphaned grandchildren, such as the JVM of Spark."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "prctl") or libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        print("warning: grandchildren are not measured on this system", file=sys.stderr)


def measure(engine: Engine, source: Path, output: Path) -> Measure:
    """Runs an engine once in a separate process and a new folder."""
    command = [word.format(input=source, output=output) for word in engine.command]
    output.parent.mkdir(parents=True, exist_ok=True)
    log = output.with_suffix(".log")
    os.sync()  # so that this run does not wait for dirty pages of the previous one
    cpu = peak = 0.0
    with log.open("wb") as out:
        begun = time.perf_counter()
        child = subprocess.Popen(command, cwd=output.parent, env=environment(), stdout=out, stderr=out)
        wall, status = 0.0, 0
        while True:
            try:
                pid, code, usage = os.wait4(-1, 0)
            except ChildProcessError:
                break
            if pid == child.pid:
                wall, status = time.perf_counter() - begun, code
                child.returncode = os.waitstatus_to_exitcode(code)
            cpu += usage.ru_utime + usage.ru_stime
            peak = max(peak, usage.ru_maxrss / 1024)
    if status != 0:
        raise EngineFailed(
            f"{engine.name} failed with {child.returncode}:\n{log.read_text(errors='replace')[-3000:]}"
        )
    return Measure(wall_s=wall, cpu_s=cpu, peak_rss_mib=peak)


def median(measures: Sequence[Measure]) -> Measure:
    return Measure(
        wall_s=statistics.median(one.wall_s for one in measures),
        cpu_s=statistics.median(one.cpu_s for one in measures),
        peak_rss_mib=statistics.median(one.peak_rss_mib for one in measures),
    )


def ratio(ours: Sequence[Measure], theirs: Sequence[Measure]) -> Measure:
    """The median of the ratios of all turns; both runs of a turn had the same conditions."""
    turns = [
        Measure(
            wall_s=one.wall_s / other.wall_s,
            cpu_s=one.cpu_s / other.cpu_s,
            peak_rss_mib=one.peak_rss_mib / other.peak_rss_mib,
        )
        for one, other in zip(ours, theirs, strict=True)
    ]
    return median(turns)


def machine() -> str:
    """The date, the machine and the Python version of the measurement."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{datetime.now(tz=timezone.utc):%Y-%m-%d}, {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}."
    )
