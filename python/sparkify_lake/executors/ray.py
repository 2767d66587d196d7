"""Shards on a Ray cluster, as plain tasks. Ray repeats the tasks of a node that is lost.

Invariant: when a run ends for any reason, none of its tasks remains in the cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sparkify_lake.executors.protocol import Kernel, missing_package

# How often Ray repeats a task whose worker died.
_MAX_RETRIES = 4
_POLL_INTERVAL_SECONDS = 0.2


class RayExecutor:
    """Processes shards on the Ray cluster of this process, or on the one that `RAY_ADDRESS` names."""

    name = "ray"
    threads = 1

    def __init__(self) -> None:
        try:
            import ray
        except ImportError as error:
            raise missing_package("ray", "ray", error) from None
        self._ray: Any = ray
        if not ray.is_initialized():
            ray.init(log_to_driver=False)
        self._is_cancelled = False

    @property
    def slots(self) -> int:
        """The number of CPU cores in the cluster."""
        return max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def map(self, kernel: Kernel, shards: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
        """Calls the kernel with each shard on a node of the cluster."""
        task = self._ray.remote(num_cpus=self.threads, max_retries=_MAX_RETRIES)(kernel)
        self._is_cancelled = False
        pending = {task.remote(shard): index for index, shard in enumerate(shards)}
        try:
            while pending and not self._is_cancelled:
                done, _ = self._ray.wait(list(pending), timeout=_POLL_INTERVAL_SECONDS)
                for result in done:
                    yield pending.pop(result), self._ray.get(result)
        finally:
            for result in pending:
                self._ray.cancel(result, force=True)

    def cancel(self) -> None:
        """Stops at the next poll."""
        self._is_cancelled = True
