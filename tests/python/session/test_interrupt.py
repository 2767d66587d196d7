"""Ctrl-C ends a query within seconds in any kind of query, and the session answers the next one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from session.test_server import BEGIN

QUERIES = {
    "a cross join": 'spark.sql("SELECT count(*) FROM range(3000000) a CROSS JOIN range(3000000) b '
    'WHERE a.id * b.id % 7 = 3")',
    "a join": 'spark.sql("SELECT sum(a.id * b.id) FROM range(2000000) a JOIN range(2000000) b '
    'ON a.id % 3 = b.id % 3")',
    "an aggregation": 'spark.sql("SELECT sum(id * id) FROM range(90000000000)")',
    "a function": "spark.range(3).select(udf(slow)('id'))",
}
PROGRAM = """
from pyspark.sql.functions import udf
def slow(number):
    time.sleep(40)
assert spark.range(3).count() == 3
pid = server.running()._process.pid
def interrupt():
    os.killpg(0, signal.SIGINT)  # the whole group, as a terminal and a notebook do
query = QUERY
threading.Timer(1.5, interrupt).start()
began = time.monotonic()
try:
    query.collect()
except KeyboardInterrupt:
    print("interrupted", time.monotonic() - began < 15)
print(spark.range(5).count(), server.running()._process.pid == pid)
"""
IDLE = """
assert spark.range(3).count() == 3
pid = server.running()._process.pid
for _ in range(3):
    try:
        threading.Timer(0.2, lambda: os.killpg(0, signal.SIGINT)).start()
        time.sleep(5)
    except KeyboardInterrupt:
        pass
print(spark.range(5).count(), server.running()._process.pid == pid)
spark.stop()
print(create_spark_session().range(6).count())
"""


def finished(program: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + program],
        capture_output=True, text=True, timeout=110, start_new_session=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("query", QUERIES)
def test_ctrl_c_in_a_query(query: str) -> None:
    after = "spark.stop()\nprint(create_spark_session().range(6).count())\n"
    lines = finished(PROGRAM.replace("QUERY", QUERIES[query]) + after)
    assert lines == ["interrupted True", "5 True", "6"]


def test_ctrl_c_without_a_query() -> None:
    assert finished(IDLE) == ["5 True", "6"]
    assert os.getpid() > 0
