"""A process that forks: every child calls the job once, and may be stopped, killed or failed on the way.

It reads tasks as lines of JSON, one at a time, and answers each with the child's id and, later, its end.
Forking a warm interpreter takes milliseconds, so hundreds of runs can be killed in a test. ``file_faults.c``,
when it is loaded, tells the n-th operation on files apart; without it only signals by the clock are possible.
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

MODES = {"count": 0, "kill": 1, "fail": 2, "full": 3}


def child(task: dict[str, Any], answer: int, hit: int) -> int:
    """Does the task; tells what came of it and returns the exit code."""
    told: dict[str, Any]
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
            told = {"code": 0}
        else:
            # Versions of the input come in any order here, also from large to small.
            report = sparkify_lake.run(task["source"], task["output"], allow_shrink=True, **options)
            told = {"code": 0, "report": report.to_dict()}
    except sparkify_lake.SparkifyLakeError as error:
        told = {"code": error.exit_code, "error": f"{error} ({error.hint})"}
    if "mode" in task:
        told["count"] = ctypes.CDLL(None).faults_count()
    os.write(answer, json.dumps(told).encode())
    return int(told["code"])


def wait(pid: int, signals: list[tuple[float, int]]) -> int:
    """Sends the signals when their seconds come, until the child ends."""
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


def drained(pipe: int) -> bytes:
    parts = []
    while part := os.read(pipe, 1 << 16):
        parts.append(part)
    os.close(pipe)
    return b"".join(parts)


def warm_up() -> None:
    """Does the job once: what is imported and touched for the first time takes longer than a small run."""
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
            signal.alarm(task.get("limit", 60))  # a hang becomes a death by SIGALRM
            os._exit(child(task, answer, hit))
        print(pid, flush=True)
        begun = time.monotonic()
        code = wait(pid, task.get("signals", []))
        seconds = time.monotonic() - begun
        os.lseek(answer, 0, os.SEEK_SET)
        os.lseek(hit, 0, os.SEEK_SET)
        told = json.loads(drained(answer) or b"{}")
        where = drained(hit).decode(errors="replace").strip()
        print(json.dumps({**told, "code": code, "hit": where, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
