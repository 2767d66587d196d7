"""Shards on a Spark cluster: a DataFrame with one row per shard, processed by `mapInArrow`.

Classic sessions and Spark Connect work the same way. Spark repeats the tasks of an executor that is lost.

Invariant: each shard is a separate partition, so that Spark schedules and retries single shards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sparkify_lake.errors import ConfigurationError
from sparkify_lake.executors.protocol import Kernel, missing_package
from sparkify_lake.settings.environment import names_spark_python

if TYPE_CHECKING:
    from pyarrow import RecordBatch

_RESULT_SCHEMA = "number long, result binary"
# Spark sends the function to every task, and the function holds all shards of its job.
_MAX_SHARDS_PER_JOB = 2_000


class SparkExecutor:
    """Processes shards on a Spark cluster.

    Args:
        session: A SparkSession. By default the active session, or a new one with the usual configuration
            (`spark-submit`, `spark-defaults.conf`, `SPARK_REMOTE`).
    """

    name = "spark"

    def __init__(self, session: Any = None) -> None:
        self.session = session or _session()
        if int(self.session.version.partition(".")[0]) < 4:
            raise ConfigurationError(
                f"the executor does not support Spark {self.session.version}",
                hint="use Spark 4 or newer",
                context={"option": "executor"},
            )
        self._tag = f"sparkify-lake-{uuid4()}"

    @cached_property
    def slots(self) -> int:
        """How many tasks run at the same time."""
        context = _context(self.session)
        if context is not None:
            return max(1, int(context.defaultParallelism))
        # Spark Connect does not expose the number; a range has that many partitions by default.
        ids = self.session.range(100_000).selectExpr("spark_partition_id() AS id").distinct()
        return max(1, int(ids.count()))

    @cached_property
    def threads(self) -> int:
        """The number of CPU cores per task."""
        return int(self.session.conf.get("spark.task.cpus", "1"))

    def map(self, kernel: Kernel, shards: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
        """Calls the kernel with each shard on an executor; results come when a job ends."""
        for first in range(0, len(shards), _MAX_SHARDS_PER_JOB):
            for index, result in self._job(kernel, shards[first : first + _MAX_SHARDS_PER_JOB]):
                yield first + index, result

    def _job(self, kernel: Kernel, shards: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
        def process(batches: Iterator[RecordBatch]) -> Iterator[RecordBatch]:
            import pyarrow

            for batch in batches:
                for number in batch.column(0).to_pylist():
                    results = pyarrow.array([kernel(shards[number])], pyarrow.binary())
                    columns = [pyarrow.array([number], pyarrow.int64()), results]
                    yield pyarrow.RecordBatch.from_arrays(columns, names=["number", "result"])

        # A range has exactly the given number of partitions and no preferred executors. Rows from a shuffle
        # would pull their tasks to the executor that holds them.
        frame = self.session.range(0, len(shards), 1, len(shards)).mapInArrow(process, _RESULT_SCHEMA)
        self.session.addTag(self._tag)
        try:
            results = frame.collect()
        finally:
            self.session.removeTag(self._tag)
        for row in results:
            yield int(row[0]), bytes(row[1])

    def cancel(self) -> None:
        """Stops the running job."""
        self.session.interruptTag(self._tag)


def _session() -> Any:
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise missing_package("pyspark", "spark", error) from None
    session = SparkSession.builder.appName("sparkify-lake").getOrCreate()
    _use_this_python(session)
    return session


def _use_this_python(session: Any) -> None:
    """Lets workers on this machine run the Python interpreter of this process."""
    import sys

    context = _context(session)
    if context is not None and not names_spark_python() and context.master.startswith("local"):
        context.pythonExec = sys.executable


def _context(session: Any) -> Any:
    """Returns the context of a classic session; Spark Connect has none."""
    return getattr(session, "_sc", None)
