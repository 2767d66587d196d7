"""Shards on threads of this process: what a cluster does, without one.

A run without an executor is faster, as nothing passes through files between its threads. This one is for
trying out what a cluster would do, and the model of an executor of your own.

Invariant: no thread outlives `map`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from sparkify_lake.executors import Kernel


class LocalExecutor:
    """Does shards on threads.

    Args:
        slots: How many at the same time.
        threads: How many threads each has.
    """

    name = "threads"

    def __init__(self, slots: int = 2, threads: int = 1) -> None:
        self.slots = slots
        self.threads = threads
        self._is_cancelled = False

    def map(self, kernel: Kernel, shards: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
        """Calls the kernel with every shard, as threads become free."""
        self._is_cancelled = False
        with ThreadPoolExecutor(self.slots) as pool:
            waiting = {pool.submit(kernel, shard): number for number, shard in enumerate(shards)}
            try:
                for done in as_completed(waiting):
                    if self._is_cancelled:
                        return
                    yield waiting[done], done.result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def cancel(self) -> None:
        """Lets the threads end with the shard that each has."""
        self._is_cancelled = True
