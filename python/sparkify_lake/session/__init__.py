"""The session that `create_spark_session` returns: Spark's own client on Sail, a server in Rust.

    from sparkify_lake import session

    session.activate()                       # SparkSession.builder.getOrCreate() now returns this session
    from pyspark.sql import SparkSession, functions as F
    spark = SparkSession.builder.appName("sparkify").getOrCreate()

The classes, functions and errors are those of `pyspark`. The server starts with the first call that needs it.

Invariant: importing this module and creating a `SparklessSession` load nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["SparklessContext", "SparklessSession", "activate", "deactivate"]


def activate() -> None:
    """Lets `SparkSession.builder…getOrCreate()` return this session, so that cells for Spark run unchanged.

    Prints a note on stderr. It changes nothing on disk, and `deactivate` undoes it.

    Raises:
        UsageError: If a session of Spark with a JVM is active in this process.
        ConfigurationError: If Sail or Spark's client is not installed.
    """
    import sys

    from sparkify_lake.session.activation import activate as put_in_place

    if put_in_place():
        print(
            "SparkSession.builder.getOrCreate() now returns a session on Sail, without a JVM; "
            "sparkify_lake.session.deactivate() undoes it",
            file=sys.stderr,
        )


def deactivate() -> None:
    """Undoes `activate`, and stops the session."""
    import sys

    if "sparkify_lake.session.activation" in sys.modules:
        from sparkify_lake.session.activation import deactivate as restore

        restore()


_STARTING = {
    "active", "addArtifact", "addArtifacts", "addTag", "builder", "catalog", "clearTags", "client",
    "cloneSession", "createDataFrame", "dataSource", "emptyDataFrame", "getActiveSession", "getTags",
    "interruptAll", "interruptOperation", "interruptTag", "is_stopped", "newSession", "profile",
    "range", "read", "readStream", "removeTag", "session_id", "sql", "streams", "table", "tvf", "udf",
    "udtf", "version",
}  # fmt: skip
"""The names of a session that start it."""


class SparklessSession:
    """A session that starts with the first call that needs it, and passes its calls to a `SparkSession`.

    Example:
        >>> from sparkify_lake.etl import create_spark_session
        >>> spark = create_spark_session()
        >>> spark.sparkContext.setLogLevel("ERROR")
        >>> spark.stop()
        >>> spark
        <SparklessSession: not started>
    """

    def __init__(self) -> None:
        self._options: dict[str, Any] = {}

    @property
    def session(self) -> SparkSession:
        """The session of Spark Connect; starts the server if it does not run."""
        from sparkify_lake.session.activation import activate as put_in_place

        put_in_place()
        from sparkify_lake.session.connection import create

        return create(self._options)

    @property
    def sparkContext(self) -> SparklessContext:
        """The part that takes a log level."""
        return SparklessContext(self)

    @property
    def conf(self) -> SparklessConf:
        """The settings; setting one does not start the session."""
        return SparklessConf(self)

    @property
    def _started(self) -> Any:
        """The active session, or None."""
        import sys

        context = sys.modules.get("sparkify_lake.session.context")
        return context.active_session() if context else None

    def stop(self) -> None:
        """Stops the session if it was started."""
        if (started := self._started) is not None:
            started.stop()

    def __enter__(self) -> SparklessSession:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def __getattr__(self, name: str) -> Any:
        # Programs ask any object for names such as `resolve` (Airflow's templates), without wanting a server.
        hidden = ("_options", "_started", "_repr_html_", "_ipython_display_")
        is_hidden = name.startswith("__") or name in hidden
        if is_hidden or (name not in _STARTING and self._started is None):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.session, name)

    def __repr__(self) -> str:
        return "<SparklessSession: not started>"


class _Part:
    """A part of the session, such as `spark.conf`, which starts the session for most calls."""

    _name: str

    def __init__(self, owner: SparklessSession) -> None:
        self._owner = owner

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_owner":
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(getattr(self._owner.session, self._name), name)


class SparklessContext(_Part):
    """The value of `spark.sparkContext`: takes a log level without starting the session."""

    _name = "sparkContext"

    def setLogLevel(self, logLevel: str) -> None:
        """Does nothing: the server logs nothing unless the logger of this package does."""


class SparklessConf(_Part):
    """The value of `spark.conf`: keeps settings until the session starts."""

    _name = "conf"

    def set(self, key: str, value: Any) -> None:
        """Keeps a setting."""
        self._owner._options[key] = value
        if (started := self._owner._started) is not None:
            started.conf.set(key, value)
