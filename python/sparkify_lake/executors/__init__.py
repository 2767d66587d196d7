"""Where the shards of a run are processed: a Spark cluster, a Ray cluster, or threads of this process.

Each executor is a separate module and is imported only when it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkify_lake.errors import ConfigurationError
from sparkify_lake.executors.protocol import Executor, ExecutorBinding, Kernel
from sparkify_lake.executors.worker import kernel_with

if TYPE_CHECKING:
    from sparkify_lake.settings.config import Config

__all__ = ["Executor", "ExecutorBinding", "Kernel", "bind_executor", "executor_of", "kernel_with"]


def executor_of(chosen: object) -> Executor | None:
    """Returns the executor for a value of the option `executor`.

    Args:
        chosen: `local`, `spark`, `ray`, a SparkSession, an executor, or None.

    Returns:
        The executor; None for a run on the threads of this process, which needs none.

    Raises:
        ConfigurationError: If the value is none of these, or if its package is not installed.
    """
    if chosen is None or chosen == "local":
        return None
    if chosen == "spark" or _is_from(chosen, "pyspark"):
        from sparkify_lake.executors.spark import SparkExecutor

        return SparkExecutor(None if chosen == "spark" else chosen)
    if chosen == "ray":
        from sparkify_lake.executors.ray import RayExecutor

        return RayExecutor()
    if type(chosen).__module__.startswith("sparkify_lake.session"):
        from sparkify_lake.executors.spark import SparkExecutor

        return SparkExecutor(getattr(chosen, "session", chosen))
    if isinstance(chosen, str) or not isinstance(chosen, Executor):
        value = repr(chosen) if isinstance(chosen, str) else f"of type {type(chosen).__name__}"
        raise _invalid(f"executor cannot be {value}", hint="use local, spark, ray or a SparkSession")
    return chosen


def bind_executor(config: Config) -> ExecutorBinding | None:
    """Returns the executor that the settings choose, with the kernel that its workers call."""
    executor = executor_of(config.executor if config.executor is not None else config.value("executor"))
    if executor is None:
        return None
    secrets: dict[str, str] = {}
    if config.credentials and config.is_remote():
        secrets = {name: credential.value.reveal() for name, credential in config.credentials.items()}
        secrets["keys_origin"] = next(iter(config.credentials.values())).place
    return executor, kernel_with(secrets)


def _is_from(value: object, package: str) -> bool:
    return type(value).__module__.partition(".")[0] == package


def _invalid(message: str, *, hint: str) -> ConfigurationError:
    return ConfigurationError(message, hint=hint, context={"option": "executor"})
