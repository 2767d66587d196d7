"""What `create_spark_session` returns: the calls that Sparkify notebooks make on Spark, without a JVM.

    from sparkify_lake import session

    session.activate()                       # from now on `import pyspark.sql` finds this session
    from pyspark.sql import SparkSession, functions as F
    spark = SparkSession.builder.appName("sparkify").getOrCreate()

SQLFrame turns the calls into SQL and DuckDB runs it; both are loaded by the first call that needs them
(`spark.read`, `spark.sql`, …). What is not covered raises an error that names the call and the way out.

Invariant: making a session and passing it on is free: this module loads nothing but the errors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from sparkify_lake.session.refusal import missing_extra, not_covered

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["SparklessContext", "SparklessSession", "activate", "deactivate"]

MARK = "__sparkify_lake__"  # what the modules have that stand in the place of pyspark
ZONE = "spark.sql.session.timeZone"
_UTC = ("UTC", "GMT", "Z", "+00:00", "Etc/UTC", "Etc/GMT")
_DEFAULTS = {
    "spark.app.name": "sparkify-lake",
    "spark.master": "local[*]",
    "spark.sql.shuffle.partitions": "200",
    "spark.sql.sources.partitionOverwriteMode": "STATIC",
    ZONE: "UTC",
}
# Settings that would change results and that have one value only here.
_FIXED = {ZONE: _UTC, "spark.sql.caseSensitive": ("false",)}

# What a session has beside the methods below; the engine answers these.
_COVERED = ("createDataFrame", "range", "read", "sql", "table", "udf")


def activate() -> None:
    """Makes `import pyspark.sql` find this session, so that cells written for Spark run unchanged.

    Says so on stderr. Nothing that is installed is changed, and `deactivate` undoes it.

    Raises:
        UsageError: If the real pyspark is imported already: objects of both do not mix.
        ConfigurationError: If SQLFrame or DuckDB are not installed.
    """
    _engine("sparkify_lake.session.activate()")
    from sparkify_lake.session.pyspark import activate as put_in_place

    put_in_place()


def deactivate() -> None:
    """Undoes `activate`: `import pyspark` finds again what is installed, or nothing."""
    import sys

    if not hasattr(sys.modules.get("pyspark"), MARK):
        return
    for name in [one for one in sys.modules if one == "pyspark" or one.startswith("pyspark.")]:
        del sys.modules[name]


class RuntimeConfig:
    """What `spark.conf` returns: settings are kept and given back; there is no cluster to tune with them."""

    # One for the process, as the session is.
    _settings: ClassVar[dict[str, str]] = dict(_DEFAULTS)

    def set(self, key: str, value: str | int | bool) -> None:
        """Keeps a setting; one that would change results and cannot be had here is refused by name."""
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if key in _FIXED and text not in _FIXED[key]:
            raise not_covered(
                f"spark.conf.set({key!r}, {text!r})",
                cause=f"the session knows {_FIXED[key][0]} only",
                hint="times: shift them in the query, as in start_time + INTERVAL 1 HOUR"
                if key == ZONE
                else "give columns names that differ by more than case",
            )
        self._settings[key] = text

    def get(self, key: str, *default: str | None) -> str | None:
        """Returns a setting, or the default where one is given."""
        if key in self._settings:
            return self._settings[key]
        if default:
            return default[0]
        raise not_covered(
            f"spark.conf.get({key!r})",
            cause="nobody has set it",
            hint=f"set it first, or give a default: spark.conf.get({key!r}, '…')",
        )

    def unset(self, key: str) -> None:
        """Forgets a setting."""
        self._settings.pop(key, None)
        if key in _DEFAULTS:
            self._settings[key] = _DEFAULTS[key]

    def __getattr__(self, name: str) -> NoReturn:
        raise _refused(type(self).__name__, f"spark.conf.{name}", name)


class Builder:
    """What `SparkSession.builder` returns; where it would run is taken and means nothing."""

    def appName(self, name: str) -> Builder:  # Spark's name
        """Names the session."""
        return self.config("spark.app.name", name)

    def master(self, master: str) -> Builder:
        """Takes where Spark would run; this session runs here."""
        return self.config("spark.master", master)

    def enableHiveSupport(self) -> Builder:  # Spark's name
        """Does nothing; temporary views need no metastore."""
        return self

    def config(
        self, key: str | None = None, value: Any = None, *, map: dict[str, Any] | None = None
    ) -> Builder:
        """Keeps settings, as `spark.conf.set` does."""
        settings = dict(map or {})
        if key is not None:
            settings[key] = value
        for name, given in settings.items():
            RuntimeConfig().set(name, given)
        return self

    def getOrCreate(self) -> SparklessSession:  # Spark's name
        """Returns the session."""
        return SparklessSession()

    def __getattr__(self, name: str) -> NoReturn:
        raise _refused(type(self).__name__, f"SparkSession.builder.{name}", name)


class SparklessSession:
    """A session without Spark: reads, queries and writes with DuckDB when asked to; starts nothing before.

    Example:
        >>> from sparkify_lake.etl import create_spark_session
        >>> spark = create_spark_session()
        >>> spark.sparkContext.setLogLevel("ERROR")
        >>> spark.stop()
        >>> spark
        <SparklessSession: sparkify-lake runs without Spark>
    """

    builder = Builder()

    @property
    def sparkContext(self) -> SparklessContext:  # Spark's name
        """The part that takes a log level."""
        return SparklessContext()

    @property
    def conf(self) -> RuntimeConfig:
        """The settings."""
        return RuntimeConfig()

    def stop(self) -> None:
        """Closes the database in memory, if there is one; views and frames of this session end with it."""
        import sys

        if engine := sys.modules.get("sparkify_lake.session.engine"):
            engine.close()

    def __enter__(self) -> SparklessSession:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def __getattr__(self, name: str) -> Any:
        if name not in _COVERED:
            raise _refused(type(self).__name__, f"spark.{name}", name)
        return getattr(_engine(f"spark.{name}").current(), name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *_COVERED})

    def __repr__(self) -> str:
        return "<SparklessSession: sparkify-lake runs without Spark>"


class SparklessContext:
    """What `spark.sparkContext` returns: takes a log level and ignores it."""

    def setLogLevel(self, logLevel: str) -> None:  # Spark's names
        """Does nothing; there is no JVM that would log."""

    def __getattr__(self, name: str) -> NoReturn:
        raise _refused(type(self).__name__, f"spark.sparkContext.{name}", name)

    def __repr__(self) -> str:
        return "<SparklessContext: sparkify-lake runs without Spark>"


def _engine(call: str) -> ModuleType:
    from importlib import import_module

    try:
        return import_module("sparkify_lake.session.engine")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("sparkify_lake"):
            raise
        reason = f"there is no module {error.name}"
    raise missing_extra(call, reason)


def _refused(owner: str, call: str, name: str) -> AttributeError:
    if name.startswith("_"):  # IPython, copy and pickle ask for many of these
        return AttributeError(f"{owner!r} object has no attribute {name!r}")
    return not_covered(call)
