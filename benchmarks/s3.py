"""The job on S3 compared with other engines: the same server, in turns, medians, one table.

    python benchmarks/s3.py --songs 15000 --events 100000 --days 60 --delays 0,30 --runs 3

The server is the in-memory S3 server of ``tests/servers`` (built with cargo). If a delay is given, a proxy
delays every request. The input is generated once and uploaded once per server. Every run writes
below its own prefix. The engines run in turns, as in ``against_peers.py``.

The results include the time that the requests alone would take: their number times the delay, divided by the
maximum number of concurrent requests.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from measurement import HERE, ROOT, WORK, Engine, Measure, environment, machine, median

KEYS = {"AWS_ACCESS_KEY_ID": "AKIABENCH00000000001", "AWS_SECRET_ACCESS_KEY": "bench-secret"}
BUCKET = "lake"
MAX_CONCURRENT_REQUESTS = 512  # the limit of the engine


def server_program() -> Path:
    """Builds ``tests/servers``; returns the path of the program."""
    folder = Path(os.environ.get("CARGO_TARGET_DIR", Path.home() / ".cache/sparkify-lake/target")) / "servers"
    manifest = ROOT / "tests" / "servers" / "Cargo.toml"
    command = ["cargo", "build", "--release", "--locked", "--quiet", "--manifest-path", str(manifest)]
    subprocess.run(command, env={**os.environ, "CARGO_TARGET_DIR": str(folder)}, check=True)
    return folder / "release" / "servers"


@contextmanager
def listening(program: Path, *words: str) -> Iterator[str]:
    """Starts a server and yields its address; closing its standard input stops it."""
    child = subprocess.Popen(
        [program, *words],
        env={**os.environ, **KEYS},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None and child.stdout is not None
    try:
        yield child.stdout.readline().removeprefix("listening on ").strip()
    finally:
        child.stdin.close()
        child.wait(10)


def client(address: str) -> Any:
    """A boto3 client for the server."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=f"http://{address}",
        region_name="us-east-1",
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        config=Config(max_pool_connections=16),
    )


def data(songs: int, events: int, days: int) -> Path:
    """The generated input."""
    folder = WORK / "data" / f"s3-{songs}-{events}-{days}"
    if not (folder / "complete").exists():
        import sparkify_lake

        sparkify_lake.sample(folder / "input", songs=songs, events=events, days=days, quiet=True)
        (folder / "complete").touch()
    return folder / "input"


def upload(address: str, source: Path) -> int:
    """Uploads the input below ``in``; returns the number of objects."""
    s3 = client(address)
    files = [path for path in source.rglob("*") if path.is_file()]

    def put(path: Path) -> None:
        s3.put_object(Bucket=BUCKET, Key=f"in/{path.relative_to(source).as_posix()}", Body=path.read_bytes())

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(put, files))
    return len(files)


def rows(address: str, prefix: str) -> dict[str, int]:
    """The number of rows in each table below a prefix."""
    import polars as pl

    options = {f"{name.lower()}": value for name, value in KEYS.items()}
    options |= {"aws_endpoint_url": f"http://{address}", "aws_region": "us-east-1", "aws_allow_http": "true"}
    found = {}
    for table in ("songs", "artists", "users", "time", "songplays"):
        scanned = pl.scan_parquet(f"s3://{BUCKET}/{prefix}/{table}/**/*.parquet", storage_options=options)
        found[table] = int(scanned.select(pl.len()).collect().item())
    return found


def engines(report: Path) -> list[Engine]:
    """This job, which writes its report to a file, and the other engines."""
    ours = (
        f"{sys.executable} {ROOT / 'etl.py'} {{input}} {{output}} --quiet --json --table-names plain "
        f"--endpoint-url $AWS_ENDPOINT_URL --allow-http --region us-east-1 > {report}"
    )
    peer = str(HERE / "peer_polars.py")
    polars = (sys.executable, peer, "{input}", "{output}")
    return [
        Engine(name="sparkify-lake", package="sparkify-lake", command=("sh", "-c", f"exec {ours}")),
        Engine(name="Polars, tuned", package="polars", command=(*polars, "--tuned")),
        Engine(name="Polars, idiomatic", package="polars", command=polars),
    ]


def measure(engine: Engine, source: str, output: str, log: Path) -> Measure:
    """Runs an engine once in a separate process, without waiting for the servers, which are also children."""
    command = [word.format(input=source, output=output) for word in engine.command]
    with log.open("wb") as out:
        begun = time.perf_counter()
        child = subprocess.Popen(command, cwd=log.parent, env=environment(), stdout=out, stderr=out)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - begun
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{engine.name} failed with {child.returncode}:\n{log.read_text(errors='replace')[-3000:]}")
    cpu = usage.ru_utime + usage.ru_stime
    return Measure(wall_s=wall, cpu_s=cpu, peak_rss_mib=usage.ru_maxrss / 1024)


def compare(program: Path, source: Path, delay: int, runs: int, chosen: list[str]) -> list[str]:
    """Measures all engines with one delay; returns the lines of the table."""
    with ExitStack() as stack:
        memory = stack.enter_context(listening(program, "memory", "--bucket", BUCKET))
        objects = upload(memory, source)
        late = memory
        if delay:
            words = ["delay", "--to", memory, "--delay-ms", str(delay)]
            late = stack.enter_context(listening(program, *words))
        os.environ |= {**KEYS, "AWS_ENDPOINT_URL": f"http://{late}", "AWS_REGION": "us-east-1"}
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        report = folder / "report.json"
        wanted = [one for one in engines(report) if any(part in one.name.lower() for part in chosen)]
        taken: dict[str, list[Measure]] = {engine.name: [] for engine in wanted}
        requests: dict[str, Any] = {}
        counted: dict[str, dict[str, int]] = {}
        for turn in range(runs):
            for place in range(len(wanted)):
                number = (place + turn) % len(wanted)
                engine, prefix = wanted[number], f"out/{turn}-{number}"
                places = (f"s3://{BUCKET}/in", f"s3://{BUCKET}/{prefix}")
                one = measure(engine, *places, folder / f"{turn}-{number}.log")
                taken[engine.name].append(one)
                counted[engine.name] = rows(memory, prefix)
                if engine.name == "sparkify-lake":
                    requests = json.loads(report.read_text())["requests"]
                print(f"{delay} ms: {engine.name}: {one}", file=sys.stderr)
    if any(found != counted[wanted[0].name] for found in counted.values()):
        sys.exit(f"the engines have different results: {counted}")
    lines = []
    ours = median(taken[wanted[0].name])
    for engine in wanted:
        one = median(taken[engine.name])
        cells = [
            f"{delay} ms",
            engine.name,
            f"{one.wall_s:.2f}",
            f"{one.cpu_s:.2f}",
            f"{one.peak_rss_mib:.0f}",
        ]
        cells.append(f"{one.wall_s / ours.wall_s:.2f}" if engine is not wanted[0] else "")
        lines.append("| " + " | ".join(cells) + " |")
    if requests:
        total = sum(requests[kind] for kind in ("list", "get", "put", "delete"))
        bound = total * delay / 1000 / MAX_CONCURRENT_REQUESTS
        counts = ", ".join(f"{requests[kind]:,} {kind.upper()}" for kind in ("list", "get", "put", "delete"))
        spread = sorted(one.wall_s for one in taken["sparkify-lake"])
        lines.append(
            f"\n{objects:,} objects; this job sent {counts}: x {delay} ms / {MAX_CONCURRENT_REQUESTS} = "
            f"{bound:.2f} s. "
            f"It took {statistics.median(spread):.2f} s ({spread[0]:.2f} to {spread[-1]:.2f}).\n"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--songs", type=int, default=15_000)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--delays", default="0,30", help="delays of every request in milliseconds")
    parser.add_argument("--runs", type=int, default=3, help="timed runs of each engine and delay")
    parser.add_argument(
        "--only", default="", help="engines whose names contain one of these words: sparkify,idiomatic"
    )
    given = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    source = data(given.songs, given.events, given.days)
    program = server_program()
    head = "| delay | engine | wall s | CPU s | peak RSS MiB | times ours |\n|---|---|--:|--:|--:|--:|"
    lines = [f"{machine()} {given.songs:,} songs, {given.events:,} events, {given.days} days.\n", head]
    for delay in map(int, given.delays.split(",")):
        lines += compare(program, source, delay, given.runs, given.only.lower().split(","))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
