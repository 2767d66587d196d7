"""The native module: Rust's side of the boundary. Only `_engine.py` imports it.

Plain mappings go in and out; frames cross as Polars DataFrames. Credentials go in as `Secret`. Errors are the
classes of `sparkify_lake.errors`. A call may be interrupted by any exception that a Python signal handler
raises.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypedDict

from polars import DataFrame

from sparkify_lake.executors import Executor, Kernel

class Tick(TypedDict):
    """How far a call has come; sent about every 100 ms, on the calling thread."""

    stage: str
    done: int
    total: int | None
    unit: str  # "bytes" or "files"
    elapsed: float  # seconds since the call began

class Sight(TypedDict):
    """What a look at a lake shows."""

    tables: dict[str, bool]
    region: str | None  # of the bucket; None for a local lake

OnTick = Callable[[Tick], object]
Crew = tuple[Executor, Kernel]

def run(
    options: Mapping[str, object], on_tick: OnTick | None, executor: Crew | None = None
) -> dict[str, Any]:
    """Reads, builds and writes, its shards on the executor if one is given; returns the report."""

def kernel(shard: bytes, secrets: Mapping[str, object]) -> bytes:
    """Works on a shard of a run that another process leads; returns what became of it."""

def plan(options: Mapping[str, object], on_tick: OnTick | None) -> dict[str, Any]:
    """Looks at input and output; returns what `run` would read and write."""

def build(
    options: Mapping[str, object], on_tick: OnTick | None
) -> tuple[dict[str, DataFrame], dict[str, Any]]:
    """Reads and builds, writes nothing; returns the five tables by name, and the report."""

def doctor(
    location: str, options: Mapping[str, object], on_tick: OnTick | None, executor: Crew | None = None
) -> dict[str, Any]:
    """Examines a place that a job would read or write, from workers, too; returns the checks."""

def check(options: Mapping[str, object], on_tick: OnTick | None) -> dict[str, Any]:
    """Compares the lake at `output` with its log; returns what was found, and changes nothing."""

def status(options: Mapping[str, object]) -> dict[str, Any]:
    """Tells the newest version of the lake at `output`, and what has arrived at an input that is named."""

def recover(options: Mapping[str, object], on_tick: OnTick | None) -> dict[str, Any]:
    """Publishes what an earlier run committed and did not finish; returns what the lake is then."""

def sample(directory: str, options: Mapping[str, int], on_tick: OnTick | None) -> dict[str, Any]:
    """Makes the sample data set: songs, events, days, users and seed are its options."""

def defaults() -> dict[str, str]:
    """Returns the default of each option and of each of the sample's numbers, as text."""

def build_info() -> dict[str, str]:
    """Returns the version and how the module was compiled."""

def lake_layout(options: Mapping[str, object]) -> dict[str, str]:
    """Returns the folder of each table below `output`, by table name: a path, or an s3:// URL."""

def look(options: Mapping[str, object]) -> Sight:
    """Looks which tables are there below `output`."""
