"""Shards on a Ray cluster, as plain tasks.

Ray runs a lost node's shards again.

Invariant: when a run ends, however it ends, none of its tasks is waiting in the cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sparkify_lake.executors import Kernel, missing

# How often a task whose worker died is run again, and how often it is looked whether to stop.
_RETRIES = 4
_LOOK_SECONDS = 0.2


class RayExecutor:
    """Does shards on the Ray cluster that this process belongs to, or that `RAY_ADDRESS` names."""

    name = "ray"
    threads = 1

    def __init__(self) -> None:
        try:
            import ray
        except ImportError as error:
            raise missing("ray", "ray", error) from None
        self._ray: Any = ray
        if not ray.is_initialized():
            ray.init(log_to_driver=False)
        self._is_cancelled = False

    @property
    def slots(self) -> int:
        """The cores of the cluster."""
        return max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def map(self, kernel: Kernel, shards: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
        """Calls the kernel with every shard on some node."""
        task = self._ray.remote(num_cpus=self.threads, max_retries=_RETRIES)(kernel)
        self._is_cancelled = False
        waiting = {task.remote(shard): number for number, shard in enumerate(shards)}
        try:
            while waiting and not self._is_cancelled:
                done, _ = self._ray.wait(list(waiting), timeout=_LOOK_SECONDS)
                for result in done:
                    yield waiting.pop(result), self._ray.get(result)
        finally:
            for result in waiting:
                self._ray.cancel(result, force=True)

    def cancel(self) -> None:
        """Ends what is under way, soon."""
        self._is_cancelled = True
