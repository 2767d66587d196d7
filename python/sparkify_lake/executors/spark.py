"""Shards on a Spark cluster: one row each of a frame of numbers, worked on by `mapInArrow`.

Classic sessions and Spark Connect are the same here. Spark runs a lost executor's shards again.

Invariant: each shard is a partition of its own, so Spark places, retries and speculates with shards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sparkify_lake.errors import ConfigurationError
from sparkify_lake.executors import Kernel, missing

if TYPE_CHECKING:
    from pyarrow import RecordBatch

_RESULTS = "number long, result binary"
# So many shards make a job: what they say rides in the function that each task of it is sent.
_WAVE = 2_000


class SparkExecutor:
    """Does shards on a Spark cluster.

    Args:
        session: A SparkSession; unless given, the active one, or a new one of the usual configuration
            (`spark-submit`, `spark-defaults.conf`, `SPARK_REMOTE`).
    """

    name = "spark"

    def __init__(self, session: Any = None) -> None:
        self.session = session or _session()
        if int(self.session.version.partition(".")[0]) < 4:
            raise ConfigurationError(
                f"the Spark session is of release {self.session.version}",
                hint="the executor needs Spark 4 or newer",
                context={"option": "executor"},
            )
        self._tag = f"sparkify-lake-{uuid4()}"

    @cached_property
    def slots(self) -> int:
        """How many tasks run at the same time."""
        context = _context(self.session)
        if context is not None:
            return max(1, int(context.defaultParallelism))
        # What Spark takes for a frame of no particular origin is the same number.
        ids = self.session.range(100_000).selectExpr("spark_partition_id() AS id").distinct()
        return max(1, int(ids.count()))

    @cached_property
    def threads(self) -> int:
        """The cores of a task."""
        return int(self.session.conf.get("spark.task.cpus", "1"))

    def map(self, kernel: Kernel, shards: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
        """Calls the kernel with every shard on some executor; results come at the end of a job."""
        for first in range(0, len(shards), _WAVE):
            for number, result in self._job(kernel, shards[first : first + _WAVE]):
                yield first + number, result

    def _job(self, kernel: Kernel, shards: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
        def work(batches: Iterator[RecordBatch]) -> Iterator[RecordBatch]:
            import pyarrow

            for batch in batches:
                for number in batch.column(0).to_pylist():
                    results = pyarrow.array([kernel(shards[number])], pyarrow.binary())
                    columns = [pyarrow.array([number], pyarrow.int64()), results]
                    yield pyarrow.RecordBatch.from_arrays(columns, names=["number", "result"])

        # A range has the partitions it is given and comes from nowhere: rows that were shuffled there would
        # draw their tasks to the executor that they came from.
        frame = self.session.range(0, len(shards), 1, len(shards)).mapInArrow(work, _RESULTS)
        self.session.addTag(self._tag)
        try:
            results = frame.collect()
        finally:
            self.session.removeTag(self._tag)
        for row in results:
            yield int(row[0]), bytes(row[1])

    def cancel(self) -> None:
        """Ends the job that is under way."""
        self.session.interruptTag(self._tag)


def _session() -> Any:
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise missing("pyspark", "spark", error) from None
    session = SparkSession.builder.appName("sparkify-lake").getOrCreate()
    _use_this_python(session)
    return session


def _use_this_python(session: Any) -> None:
    """Makes workers on this machine the Python that runs this."""
    import os
    import sys

    context = _context(session)
    if context is not None and "PYSPARK_PYTHON" not in os.environ and context.master.startswith("local"):
        context.pythonExec = sys.executable


def _context(session: Any) -> Any:
    """Returns the context of a classic session; with Spark Connect, workers are the server's business."""
    return getattr(session, "_sc", None)
