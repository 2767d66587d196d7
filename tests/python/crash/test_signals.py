"""Signals, forks and threads: a run stops at once, writes no partial file, and the next run completes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from support.generate_inputs import write_input, write_large
from support.generate_records import play, song
from support.lake_files import FOLDERS, Report, Snapshot, Tables, contents, data_files
from support.processes import clean_environment, holds_a_lock

pytestmark = [pytest.mark.usefixtures("isolated_module"), pytest.mark.timeout(180)]

STOPS_WITHIN = 0.5  # seconds after the signal, as documented
TEARDOWN = 0.5  # additional seconds for the interpreter to exit and the system to free its memory
MOMENTS = ("lock", "10%", "30%", "50%", "first staged file", "publishing")
EVENTS = 400_000


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An input that takes long enough to stop the run at several moments."""
    return write_large(tmp_path_factory.mktemp("large") / "in", songs=400, events=EVENTS)


def start(source: Path, output: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "sparkify_lake", str(source), str(output), "--quiet"]
    return subprocess.Popen(
        command,
        cwd=output.parent,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(process: subprocess.Popen[str], condition: Callable[[], bool]) -> bool:
    """Waits for a condition or the end of the process; returns whether the condition was met."""
    deadline = time.monotonic() + 60
    while not condition():
        if process.poll() is not None:
            return False
        assert time.monotonic() < deadline, "neither the condition nor the end of the process was reached"
        time.sleep(0.0002)
    return True


def wait_for_lock(process: subprocess.Popen[str]) -> float:
    """Waits for the lock on the output, when the engine and the signal handlers are active."""
    if not wait_until(process, lambda: holds_a_lock(process)):
        pytest.fail(f"the run took no lock and ended with {process.returncode}: {process.communicate()}")
    return time.monotonic()


def wait_for(moment: str, process: subprocess.Popen[str], output: Path, seconds: float) -> None:
    """Waits for a moment of the run."""
    roots = [output / folder for folder in FOLDERS.values()]

    def state() -> list[int]:
        return [root.stat().st_mtime_ns if root.exists() else 0 for root in roots]

    before = state()
    begun = wait_for_lock(process)
    match moment:
        case "first staged file":
            wait_until(process, lambda: next((output / "_etl").rglob("*.parquet"), None) is not None)
        case "publishing":
            wait_until(process, lambda: state() != before)
        case _ if moment.endswith("%"):
            time.sleep(max(0.0, begun + int(moment[:-1]) / 100 * seconds - time.monotonic()))


@pytest.fixture(scope="module")
def complete_run(
    tmp_path_factory: pytest.TempPathFactory,
    large: Path,
    isolated_module: Path,
    snapshot: Callable[[Path], Snapshot],
) -> tuple[float, dict[str, str]]:
    """The seconds from the lock to the end of a run, and the digests of its files."""
    output = tmp_path_factory.mktemp("complete") / "lake"
    process = start(large, output)
    begun = wait_for_lock(process)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    made = contents(snapshot(output))
    assert len(made) >= 300
    return time.monotonic() - begun, made


def assert_no_partial_file(output: Path, allowed: list[dict[str, str]], taken: Snapshot) -> int:
    """Every file of the tables is complete and either old or new; there are no other files."""
    for path, digest in contents(taken).items():
        name = Path(path).name
        assert name == "_SUCCESS" or name.endswith(".parquet"), (
            f"{path} was not removed in the folder of a table"
        )
        assert any(version.get(path) == digest for version in allowed), (
            f"{path} is neither the old nor the new file"
        )
    files = [file for folder in FOLDERS.values() for file in data_files(output / folder)]
    for file in files[:: max(1, len(files) // 200)]:
        pq.ParquetFile(file).read()
    return len(files)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fdinfo").is_dir(), reason="needs /proc to see the lock of a run")
@pytest.mark.parametrize("over_old", [False, True], ids=["new lake", "over an old lake"])
@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name
)
def test_a_run_stopped_at_any_moment(
    tmp_path: Path,
    large: Path,
    complete_run: tuple[float, dict[str, str]],
    run: Callable[..., Report],
    snapshot: Callable[[Path], Snapshot],
    number: signal.Signals,
    over_old: bool,
) -> None:
    seconds, made = complete_run
    codes = {signal.SIGINT: (130,), signal.SIGTERM: (143,), signal.SIGKILL: (-9,)}[number]
    stopped = 0
    for moment in MOMENTS:
        output = tmp_path / f"lake {moment}"
        versions = [made]
        if over_old:
            small = write_input(
                tmp_path / f"small {moment}", [song(n) for n in range(30)], [play(n) for n in range(90)], 1
            )
            run(small, output)
            versions.append(contents(snapshot(output)))
        process = start(large, output)
        wait_for(moment, process, output, seconds)
        sent = time.monotonic()
        process.send_signal(number)
        out, errors = process.communicate(timeout=60)
        took = time.monotonic() - sent
        where = f"{number.name} at {moment}"
        assert "Traceback" not in errors, where
        if not out:  # otherwise the run had already finished
            stopped += 1
            assert process.returncode in codes, f"{where}: {errors}"
            assert took <= STOPS_WITHIN + TEARDOWN, f"{where}: {took:.2f} s"
        assert_no_partial_file(output, versions, snapshot(output))
        report = run(large, output)
        assert report["state"] in ("published", "unchanged")
        assert contents(snapshot(output)) == made, f"{where}: the next run completes the lake"
    assert stopped >= 3, "the runs ended before the signals: the input is too small for this machine"


class Stop(Exception):
    """An exception of a signal handler of the caller."""


@pytest.mark.parametrize("kind", [KeyboardInterrupt, Stop])
def test_an_exception_of_a_signal_handler_stops_the_run(
    tmp_path: Path,
    large: Path,
    run: Callable[..., Report],
    snapshot: Callable[[Path], Snapshot],
    kind: type[BaseException],
) -> None:
    sent: list[float] = []

    def handler(*_: object) -> None:
        raise kind("from the handler")

    def send() -> None:
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, handler)
    timer = threading.Timer(0.25, send)
    try:
        timer.start()
        with pytest.raises(kind, match="from the handler"):
            run(large, tmp_path / "lake", chunk_size="64KiB", threads=1)
        took = time.monotonic() - sent[0]
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, before)
    assert took <= STOPS_WITHIN
    assert not snapshot(tmp_path / "lake"), "stopped before the commit, so there is no table"
    assert len(threading.enumerate()) == threading.active_count()
    run(write_input(tmp_path / "in", [song(1)], [play(1)], 1), tmp_path / "lake")


def test_ctrl_c_raises_in_the_calling_thread(tmp_path: Path, large: Path, run: Callable[..., Report]) -> None:
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        pytest.skip("SIGINT does not raise KeyboardInterrupt in this process")
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            run(large, tmp_path / "lake", chunk_size="64KiB", threads=1)
    finally:
        timer.join()


FORKED = """
import os, signal, sys
import sparkify_lake
source, output, parent_runs = sys.argv[1], sys.argv[2], sys.argv[3] == "True"
if parent_runs:
    sparkify_lake.run(source, output + "-parent")
child = os.fork()
if child == 0:
    signal.alarm(30)  # a run that hangs is killed
    try:
        sparkify_lake.run(source, output)
    except sparkify_lake.SparkifyLakeError as error:
        print("refused:", error, flush=True)
        os._exit(1 if error.hint else 2)
    except BaseException as error:
        print("failed:", repr(error), flush=True)
        os._exit(3)
    os._exit(0)
_, status = os.waitpid(child, 0)
if parent_runs:
    sparkify_lake.run(source, output + "-parent")  # runs in the parent still work
sys.exit(os.waitstatus_to_exitcode(status) % 256)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.parametrize("parent_runs", [False, True], ids=["fresh parent", "parent that has run"])
def test_a_run_in_a_forked_process(
    tmp_path: Path, read_back: Callable[[Path], Tables], parent_runs: bool
) -> None:
    source = write_input(tmp_path / "in", [song(n) for n in range(30)], [play(n) for n in range(90)], 1)
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-c",
        FORKED,
        str(source),
        str(tmp_path / "lake"),
        str(parent_runs),
    ]
    finished = subprocess.run(
        command,
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    if finished.returncode == 1 and parent_runs:
        assert "fork" in finished.stdout, "the run is refused with the reason"
        return
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert len(read_back(tmp_path / "lake")["songplays"]) == 90


def test_two_runs_in_two_threads(
    tmp_path: Path, run: Callable[..., Report], read_back: Callable[[Path], Tables]
) -> None:
    inputs = [
        write_input(
            tmp_path / f"in-{n}",
            [song(n * 50 + k) for k in range(50)],
            [play(n * 99 + k) for k in range(99)],
            n,
        )
        for n in range(2)
    ]
    problems: list[BaseException] = []

    def work(n: int) -> None:
        try:
            for _ in range(3):
                run(inputs[n], tmp_path / f"lake-{n}")
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a run hangs next to another run"
    assert not problems, problems
    for n in range(2):
        run(inputs[n], tmp_path / f"single-{n}")
        assert read_back(tmp_path / f"lake-{n}") == read_back(tmp_path / f"single-{n}")
