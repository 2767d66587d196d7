"""How the benchmarks measure: generated inputs, whole processes, and medians over turns.

A process is measured from its start to its end, interpreter and imports included, by ``wait4``: wall clock,
CPU (user and system, all threads and children), and the largest resident set of any one process. Data and
outputs are stored below ``target/bench``. Ratios are comparable between machines, seconds are not.
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


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What one process and its children took."""

    wall_s: float
    cpu_s: float
    peak_rss_mib: float


def data(size: str) -> Path:
    """The generated input of that size, made once."""
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
    """Makes children of finished children ours to wait for: Spark's JVM is one."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "prctl") or libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        print("warning: grandchildren are not measured on this system", file=sys.stderr)


def measure(engine: Engine, source: Path, output: Path) -> Measure:
    """Runs an engine once, as a process of its own, in a fresh folder."""
    command = [word.format(input=source, output=output) for word in engine.command]
    output.parent.mkdir(parents=True, exist_ok=True)
    log = output.with_suffix(".log")
    os.sync()  # what the engine before left in the page cache is not written at this one's expense
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
        sys.exit(f"{engine.name} failed with {child.returncode}:\n{log.read_text(errors='replace')[-3000:]}")
    return Measure(wall_s=wall, cpu_s=cpu, peak_rss_mib=peak)


def median(measures: Sequence[Measure]) -> Measure:
    return Measure(
        wall_s=statistics.median(one.wall_s for one in measures),
        cpu_s=statistics.median(one.cpu_s for one in measures),
        peak_rss_mib=statistics.median(one.peak_rss_mib for one in measures),
    )


def ratio(ours: Sequence[Measure], theirs: Sequence[Measure]) -> Measure:
    """The median over the turns of how one compares to the other: both had the same minute of the machine."""
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
    """What was measured on, and when."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{datetime.now(tz=timezone.utc):%Y-%m-%d}, {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}."
    )
