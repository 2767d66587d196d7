"""A process that forks a child for every run of the job; the child can be paused, killed or made to fail.

It reads tasks as lines of JSON, one at a time, and answers each with the process id of the child and, later,
with its result. Forking a warm interpreter takes milliseconds, so a test can kill hundreds of runs. With
``file_faults.c`` preloaded, a fault can hit the n-th file operation; without it, only timed signals work.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import sys
import tempfile
import time
from typing import Any

import sparkify_lake
from support.system_calls import refuse_system_call

if "iceberg" in os.environ.get("SPARKIFY_FORMATS", ""):
    import sparkify_lake.iceberg.commits  # so that not every process imports PyIceberg

MODES = {"count": 0, "kill": 1, "fail": 2, "full": 3, "refuse": 4}


def child(task: dict[str, Any], answer: int, hit: int) -> int:
    """Runs the task, writes the result, and returns the exit code."""
    result: dict[str, Any]
    if "errno" in task:
        ctypes.CDLL(None).faults_refuse(task["errno"])
    if "refused_call" in task:
        refuse_system_call(task["refused_call"], task["errno"])
    if "threads" in task:
        ctypes.CDLL(None).faults_threads(ctypes.c_long(task["threads"]))
    if "clock" in task:
        ctypes.CDLL(None).faults_clock(ctypes.c_long(task["clock"]))
    if "mode" in task:
        arm = ctypes.CDLL(None).faults_arm
        at, like = ctypes.c_long(task.get("at", 1)), os.fsencode(task.get("like", ""))
        arm(os.fsencode(task["output"]), MODES[task["mode"]], at, like, hit)
    options = task.get("options", {})
    if "shard_size" in options:
        from sparkify_lake.executors.local import LocalExecutor

        options["executor"] = LocalExecutor()
    try:
        if task.get("call") == "recover":
            sparkify_lake.recover(task["output"], **options)
            result = {"code": 0}
        else:
            # The versions of the input come in any order, so a smaller input must be allowed.
            report = sparkify_lake.run(task["source"], task["output"], allow_shrink=True, **options)
            result = {"code": 0, "report": report.to_dict()}
    except sparkify_lake.SparkifyLakeError as error:
        result = {"code": error.exit_code, "error": f"{error} ({error.hint})"}
    if "mode" in task:
        result["count"] = ctypes.CDLL(None).faults_count()
    os.write(answer, json.dumps(result).encode())
    return int(result["code"])


def wait(pid: int, signals: list[tuple[float, int]]) -> int:
    """Sends the signals at their times, until the child ends."""
    begun = time.monotonic()
    watch = os.pidfd_open(pid)
    for seconds, number in signals:
        ended, _, _ = select.select([watch], [], [], max(0.0, begun + seconds - time.monotonic()))
        if ended:
            break
        signal.pidfd_send_signal(watch, number)
    _, status = os.waitpid(pid, 0)
    os.close(watch)
    return os.waitstatus_to_exitcode(status)


def read_all(pipe: int) -> bytes:
    parts = []
    while part := os.read(pipe, 1 << 16):
        parts.append(part)
    os.close(pipe)
    return b"".join(parts)


def warm_up() -> None:
    """Runs the job once, because imports and first accesses take longer than a small run."""
    with tempfile.TemporaryDirectory() as folder:
        sparkify_lake.sample(f"{folder}/input", songs=2, events=20, days=1, users=2)
        sparkify_lake.run(f"{folder}/input", f"{folder}/lake")


def main() -> None:
    warm_up()
    for line in sys.stdin:
        task = json.loads(line)
        answer, hit = os.memfd_create("answer"), os.memfd_create("hit")
        pid = os.fork()
        if pid == 0:
            signal.alarm(task.get("limit", 60))  # a run that hangs is killed by SIGALRM
            os._exit(child(task, answer, hit))
        print(pid, flush=True)
        begun = time.monotonic()
        code = wait(pid, task.get("signals", []))
        seconds = time.monotonic() - begun
        os.lseek(answer, 0, os.SEEK_SET)
        os.lseek(hit, 0, os.SEEK_SET)
        result = json.loads(read_all(answer) or b"{}")
        where = read_all(hit).decode(errors="replace").strip()
        print(json.dumps({**result, "code": code, "hit": where, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
