"""Where the shards of a run are worked on: a Spark cluster, a Ray cluster, or threads that play one.

An executor carries bytes to workers and back; it knows nothing of songs and logs. Each is a file of its own,
and none is imported before it is asked for.

Invariant: what is shipped to a worker needs nothing there but Python itself to say that the package is
missing, and holds credentials only where nothing shows them: inside the pickled function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from sparkify_lake.errors import ConfigurationError

if TYPE_CHECKING:
    from sparkify_lake.settings.resolve import Config

Kernel = Callable[[bytes], bytes]


@runtime_checkable
class Executor(Protocol):
    """What `run(..., executor=...)` takes: anything that can do shards."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def slots(self) -> int:
        """How many shards are done at the same time."""

    @property
    def threads(self) -> int:
        """How many threads a shard has to itself."""

    def map(self, kernel: Kernel, shards: Sequence[bytes]) -> Iterable[tuple[int, bytes]]:
        """Calls the kernel with every shard, somewhere, on a thread that is not the main one.

        A shard may be done more than once, and results may come in any order. cloudpickle pickles the
        kernel.

        Args:
            kernel: What to do with a shard.
            shards: The shards.

        Returns:
            The number of each shard with what the kernel returned.
        """

    def cancel(self) -> None:
        """Ends what is under way, from another thread."""


def executor_of(chosen: object) -> Executor | None:
    """Finds the executor that is meant.

    Args:
        chosen: `local`, `spark` or `ray`; a SparkSession; an executor; None.

    Returns:
        The executor; None where the threads of this process are meant, which need none.

    Raises:
        ConfigurationError: If it is none of these, or needs a package that is not installed.
    """
    if chosen is None or chosen == "local":
        return None
    if chosen == "spark" or _is_of(chosen, "pyspark"):
        from sparkify_lake.executors.spark import SparkExecutor

        return SparkExecutor(None if chosen == "spark" else chosen)
    if chosen == "ray":
        from sparkify_lake.executors.ray import RayExecutor

        return RayExecutor()
    if _is_of(chosen, "sparkify_lake") and not isinstance(chosen, Executor):
        raise _refused(
            "the session without Spark is no executor",
            "leave out the executor, or pass a SparkSession of PySpark",
        )
    if isinstance(chosen, str) or not isinstance(chosen, Executor):
        told = repr(chosen) if isinstance(chosen, str) else f"of type {type(chosen).__name__}"
        raise _refused(f"an executor cannot be {told}", "it takes local, spark, ray or a SparkSession")
    return chosen


def crew_of(config: Config) -> tuple[Executor, Kernel] | None:
    """Returns the executor that the settings name, with the kernel that its workers call."""
    executor = executor_of(config.executor if config.executor is not None else config.value("executor"))
    if executor is None:
        return None
    secrets: dict[str, str] = {}
    if config.credentials and config.is_remote():
        secrets = {name: one.value.reveal() for name, one in config.credentials.items()}
        secrets["keys_origin"] = next(iter(config.credentials.values())).place
    return executor, kernel_with(secrets)


def kernel_with(secrets: dict[str, str]) -> Kernel:
    """Returns the function that workers call: a closure, because that is pickled with all it needs.

    Args:
        secrets: Credentials for the store; without, a worker looks for its own.
    """

    def kernel(shard: bytes) -> bytes:
        try:
            from sparkify_lake._native import kernel as work
        except ImportError as error:
            import json
            import platform

            failure = {
                "exit_code": 78,
                "message": f"sparkify-lake cannot be loaded on the worker {platform.node()}",
                "cause": str(error),
                "hint": "install the same version of the package for the Python of every worker",
            }
            head = json.dumps([{"Failed": failure}, []]).encode()
            return len(head).to_bytes(8, "little") + head
        result: bytes = work(shard, secrets)
        return result

    return kernel


def missing(package: str, extra: str, error: ImportError) -> ConfigurationError:
    """Returns the error for an executor whose package is not there."""
    return ConfigurationError(
        f"the executor {extra} needs {package}",
        cause=str(error),
        hint=f"pip install 'sparkify-lake[{extra}]'",
        context={"option": "executor"},
    )


def _is_of(chosen: object, package: str) -> bool:
    return type(chosen).__module__.partition(".")[0] == package


def _refused(message: str, hint: str) -> ConfigurationError:
    return ConfigurationError(message, hint=hint, context={"option": "executor"})
