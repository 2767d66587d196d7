"""Shards on threads of this process: the way a cluster works, without a cluster.

A run without an executor is faster, because its threads do not exchange data through files. Use this
executor to try out what a run on a cluster does, and as a model for an executor of your own.

Invariant: no thread outlives `map`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from sparkify_lake.executors.protocol import Kernel


class LocalExecutor:
    """Processes shards on threads.

    Args:
        slots: How many shards are processed at the same time.
        threads: How many threads each shard may use.
    """

    name = "threads"

    def __init__(self, slots: int = 2, threads: int = 1) -> None:
        self.slots = slots
        self.threads = threads
        self._is_cancelled = False

    def map(self, kernel: Kernel, shards: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
        """Calls the kernel with each shard as threads become free."""
        self._is_cancelled = False
        with ThreadPoolExecutor(self.slots) as pool:
            pending = {pool.submit(kernel, shard): index for index, shard in enumerate(shards)}
            try:
                for done in as_completed(pending):
                    if self._is_cancelled:
                        return
                    yield pending[done], done.result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def cancel(self) -> None:
        """Stops after the shards that are being processed."""
        self._is_cancelled = True
