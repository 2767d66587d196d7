"""The engines that the benchmarks compare: this job, and fair versions of it on other libraries.

Every peer has its own environment below ``.venv-peers`` with the newest versions of its packages, because
Sail and Spark need different versions of PySpark.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass

from measurement import HERE, ROOT, Engine

ENVIRONMENTS = ROOT / ".venv-peers"


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A library to compare with: its packages, the first of which names the version, and its programs."""

    packages: tuple[str, ...]
    programs: dict[str, tuple[str, ...]]
    needs: str = ""
    """A command that must exist."""
    about: str = ""


PEERS = {
    "polars": Peer(
        packages=("polars",),
        programs={
            "Polars, tuned": ("peer_polars.py", "{input}", "{output}", "--tuned"),
            "Polars, idiomatic": ("peer_polars.py", "{input}", "{output}"),
        },
    ),
    "duckdb": Peer(packages=("duckdb",), programs={"DuckDB": ("peer_duckdb.py", "{input}", "{output}")}),
    "chdb": Peer(
        packages=("chdb",),
        programs={"chDB": ("peer_chdb.py", "{input}", "{output}")},
        about="year, month and artist_id are also columns of the files: file() cannot leave them out",
    ),
    "datafusion": Peer(
        packages=("datafusion", "pyarrow"),
        programs={"DataFusion": ("peer_datafusion.py", "{input}", "{output}")},
        about="PyArrow reads the JSON, because DataFusion fails for numbers in columns of text",
    ),
    "sail": Peer(
        packages=("pysail", "pyspark-client"),
        programs={"Sail": ("peer_spark.py", "{input}", "{output}", "--sail")},
        about="the program of Spark, with from_json for JSON and scratch Parquet files for cache()",
    ),
    "spark": Peer(
        packages=("pyspark",),
        programs={"Spark": ("peer_spark.py", "{input}", "{output}")},
        needs="java",
    ),
}


def ours() -> Engine:
    """This job."""
    job = (str(ROOT / "etl.py"), "{input}", "{output}", "--quiet", "--table-names", "plain")
    return Engine(name="sparkify-lake", package="sparkify-lake", command=(sys.executable, *job))


def prepare(name: str) -> list[Engine] | str:
    """Installs the newest packages of a peer; returns its engines, or the reason why it cannot run."""
    peer = PEERS[name]
    if peer.needs and not shutil.which(peer.needs):
        return f"the command {peer.needs} is not installed"
    folder = ENVIRONMENTS / name
    python = folder / "bin" / "python"
    pip = (str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade")
    commands = [(*pip, *peer.packages)]
    if not python.exists():
        commands.insert(0, (sys.executable, "-m", "venv", str(folder)))
    print(f"install {' and '.join(peer.packages)}", file=sys.stderr)
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            lines = f"{done.stdout}\n{done.stderr}".split("\n")
            reason = next((line for line in reversed(lines) if "error" in line.lower()), "unknown error")
            return f"{' and '.join(peer.packages)} cannot be installed: {reason.strip()}"
    return [
        Engine(
            name=engine,
            package=peer.packages[0],
            command=(str(python), str(HERE / program), *words),
            about=peer.about,
        )
        for engine, (program, *words) in peer.programs.items()
    ]
