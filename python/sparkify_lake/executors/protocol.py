"""The protocol of executors: an executor carries shards to workers and their results back.

An executor moves bytes; it knows nothing of songs and logs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, runtime_checkable

from sparkify_lake.errors import ConfigurationError

Kernel = Callable[[bytes], bytes]


@runtime_checkable
class Executor(Protocol):
    """The type that `run(..., executor=...)` accepts: an object that processes shards.

    The property `name` appears in the report.
    """

    @property
    def name(self) -> str:
        """The name in reports and error messages."""

    @property
    def slots(self) -> int:
        """How many shards are processed at the same time."""

    @property
    def threads(self) -> int:
        """How many threads each shard may use."""

    def map(self, kernel: Kernel, shards: Sequence[bytes]) -> Iterable[tuple[int, bytes]]:
        """Calls the kernel once for each shard, on a worker.

        The engine calls this on a thread that is not the main thread. A shard may be processed more than
        once, and results may come in any order. The kernel must be pickled with cloudpickle.

        Args:
            kernel: Processes one shard.
            shards: The shards.

        Returns:
            The index of each shard, with the bytes that the kernel returned.
        """

    def cancel(self) -> None:
        """Stops the work in progress; called from another thread."""


ExecutorBinding = tuple[Executor, Kernel]
"""An executor with the kernel that its workers call."""


def missing_package(package: str, extra: str, error: ImportError) -> ConfigurationError:
    """Returns the error for an executor whose package is not installed."""
    return ConfigurationError(
        f"the executor {extra} needs the package {package}",
        cause=str(error),
        hint=f"install it: pip install 'sparkify-lake[{extra}]'",
        context={"option": "executor"},
    )
