"""The life of the Sail server: several sessions, two processes, forks, kills, the end of the process.

Each test runs a separate program, because a fork or a kill would disturb the session of other tests.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

BEGIN = """
import os, signal, sys, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts jobs in the background without it

from sparkify_lake.etl import create_spark_session
from sparkify_lake.session import server
spark = create_spark_session()
"""
FORK = """
frame = spark.range(3)
assert frame.count() == 3
child = os.fork()
if child == 0:
    began = time.monotonic()
    for call in (frame.count, lambda: create_spark_session().range(3).count()):
        try:
            call()
        except Exception as error:
            print(type(error).__name__, str(error).splitlines()[0], flush=True)
    assert time.monotonic() - began < 5
    sys.exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), frame.count())
"""
KILLED = """
frame = spark.range(3)
assert frame.count() == 3
pid = server.running()._process.pid
os.kill(pid, signal.SIGKILL)
time.sleep(0.2)
began = time.monotonic()
for _ in range(2):
    try:
        frame.count()
    except Exception as error:
        print(type(error).__name__, error.message)
assert time.monotonic() - began < 5
spark.stop()
print(create_spark_session().range(4).count())
"""
KILLED_IN_A_QUERY = """
assert spark.range(3).count() == 3
pid = server.running()._process.pid
threading.Timer(1, os.kill, (pid, signal.SIGKILL)).start()
began = time.monotonic()
try:
    numbers = "range(3000000)"
    spark.sql(f"SELECT count(*) FROM {numbers} a CROSS JOIN {numbers} b WHERE a.id * b.id % 7 = 3").collect()
except Exception as error:
    print(type(error).__name__, error.message)
assert time.monotonic() - began < 20
"""
TEN = """
pids = set()
for number in range(10):
    with create_spark_session() as spark:
        spark.createDataFrame([(number,)], ["a"]).createOrReplaceTempView("a")
        assert spark.table("a").collect() == [(number,)]
        pids.add(server.running()._process.pid)
    try:
        create_spark_session().table("a").count()
    except Exception as error:
        assert "TABLE_OR_VIEW_NOT_FOUND" in str(error)
print(len(pids))
"""
WAITING = """
assert spark.range(3).count() == 3
print(server.running()._process.pid, flush=True)
for _ in range(600):  # in steps: a signal that arrives just before a sleep is handled only after it
    time.sleep(0.1)
"""
ENDED = "the Sail server of the Spark session has ended"
FORKED = "QueryError a forked process cannot use the Spark session of its parent"


def finished(program: str, seconds: float = 60) -> list[str]:
    """Runs a program until it ends; returns the printed lines. Stderr may only contain notes of gRPC."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + program], capture_output=True, text=True, timeout=seconds, check=False
    )
    unexpected = [line for line in done.stderr.splitlines() if "fork_posix.cc" not in line]
    assert (done.returncode, unexpected) == (0, [])
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("program", "lines"),
    [
        pytest.param(FORK, [FORKED, FORKED, "7 3"], id="fork"),
        pytest.param(KILLED, [f"QueryError {ENDED}", f"QueryError {ENDED}", "4"], id="killed"),
        pytest.param(KILLED_IN_A_QUERY, [f"QueryError {ENDED}"], id="killed in a query"),
        pytest.param(TEN, ["1"], id="ten sessions on one server"),
    ],
)
def test_the_life_of_a_server(program: str, lines: list[str]) -> None:
    assert finished(program) == lines


def test_two_processes_have_two_servers() -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", BEGIN + WAITING], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        pids = [int(process.stdout.readline()) for process in processes if process.stdout]
        assert len(set(pids)) == 2
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert all(has_ended(pid) for pid in pids)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_server_ends_with_its_process(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BEGIN + WAITING],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        began = time.monotonic()
        os.killpg(process.pid, number)  # as a kernel is restarted or interrupted: the group gets the signal
        process.communicate(timeout=10)
    assert has_ended(pid)
    assert time.monotonic() - began < 5


def test_the_end_of_a_process_does_not_wait_for_a_query() -> None:
    program = """
from pyspark.sql.functions import udf
assert spark.range(3).count() == 3
def slow(number):
    time.sleep(30)
query = spark.range(3).select(udf(slow)("id"))
def collect():
    try:
        query.collect()
    except Exception:
        pass
threading.Thread(target=collect, daemon=True).start()
time.sleep(1)
print(time.time())
"""
    lines = finished(program)
    assert time.time() - float(lines[-1]) < 5


def test_keys_in_hadoop_settings_are_in_no_environment() -> None:
    program = """
spark.sparkContext._jsc.hadoopConfiguration().set("fs.s3a.secret.key", "canary-secret")
spark.conf.set("spark.hadoop.fs.s3a.access.key", "canary-key")
try:
    spark.read.parquet("s3a://bucket/x")
except Exception as error:
    assert "canary" not in str(error)
pid = server.running()._process.pid
for place in ("self/environ", f"{pid}/environ", f"{pid}/cmdline"):
    assert b"canary" not in open(f"/proc/{place}", "rb").read()
assert not any("canary" in value for value in os.environ.values())
assert "canary" not in str(spark.conf.getAll) + repr(spark) + str(spark.sparkContext.getConf().getAll())
print("clean")
"""
    hosts = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + program],
        env={**os.environ, **hosts}, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert done.stdout == "clean\n", done.stderr
    assert "canary" not in done.stderr


def has_ended(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def test_what_python_writes_to_stderr_at_its_end(tmp_path: Path) -> None:
    assert finished("print(spark.sql('SELECT 1 AS a').collect())") == ["[Row(a=1)]"]
