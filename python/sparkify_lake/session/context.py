"""The parts of SparkContext, SQLContext and `df.rdd` that notebooks use; Spark Connect has none of them.

Rows of `rdd` are read and mapped in this process, one by one; there is no cluster.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from itertools import islice
from typing import Any, NoReturn

from sparkify_lake.session.refusal import not_covered
from sparkify_lake.session.s3 import Access, hadoop_setting, is_setting


def active_session() -> Any:
    """Returns the active session, or the default one."""
    from pyspark.sql.connect.session import SparkSession

    return SparkSession.getActiveSession() or SparkSession._get_default_session()


class SparkContext:
    """The context of a session: names, settings for Hadoop, and lists of rows."""

    def __init__(self, session: Any = None, *_: Any, **__: Any) -> None:
        from pyspark.sql import SparkSession

        is_session = hasattr(session, "_client")  # the other argument is a master or a SparkConf
        self._session = session if is_session else SparkSession.builder.getOrCreate()

    @classmethod
    def getOrCreate(cls, conf: Any = None) -> SparkContext:
        """Returns the context of the active session."""
        return SparkContext(conf)._session.sparkContext  # type: ignore[no-any-return]

    @property
    def appName(self) -> str:
        """The name of the application."""
        return str(self._session.app_name)

    @property
    def version(self) -> str:
        """The version of Spark's API."""
        return str(self._session.version)

    master = "local[*]"
    applicationId = "local-sail"
    uiWebUrl = None

    @property
    def defaultParallelism(self) -> int:
        """The number of processors."""
        return os.cpu_count() or 1

    def setLogLevel(self, logLevel: str) -> None:
        """Does nothing: the server logs nothing unless the logger of this package does."""

    def getConf(self) -> Any:
        """Returns the settings of the session."""
        from pyspark import SparkConf

        return SparkConf().setAll(list(self._session.conf.getAll.items())).setAppName(self.appName)

    def hadoopConfiguration(self) -> SparkContext:
        """Returns an object whose `set` takes the settings for S3."""
        return self

    _jsc = property(lambda self: self)
    _conf = property(getConf)

    def set(self, key: str, value: str) -> None:
        """Takes a setting of Hadoop; those that are not about S3 have no effect."""
        self._session.take_setting(key, value)

    def textFile(self, name: str, minPartitions: int | None = None) -> Rows:
        """Returns the lines of text files."""
        return Rows(
            self._session, lambda: (row[0] for row in self._session.read.text(name).toLocalIterator())
        )

    def parallelize(self, c: Iterable[Any], numSlices: int | None = None) -> Rows:
        """Returns the elements of a collection."""
        elements = list(c)
        return Rows(self._session, lambda: iter(elements))

    def stop(self) -> None:
        """Stops the session."""
        self._session.stop()

    def __getattr__(self, name: str) -> NoReturn:
        raise _refused("spark.sparkContext", name)


class SQLContext:
    """The entry point of Spark 1, as a view of the session."""

    def __init__(self, sparkContext: Any = None, sparkSession: Any = None, *_: Any) -> None:
        from pyspark.sql import SparkSession

        self.sparkSession = sparkSession or SparkSession.builder.getOrCreate()

    getOrCreate = classmethod(lambda cls, sc=None: cls(sc))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sparkSession, name)


class HiveContext(SQLContext):
    """The entry point with Hive; temporary views need no metastore."""


def _combined(rows: Iterator[Any], func: Callable[[Any, Any], Any], *_: Any, **__: Any) -> Iterable[Any]:
    totals: dict[Any, Any] = {}
    for key, value in rows:
        totals[key] = func(totals[key], value) if key in totals else value
    return totals.items()


def _first(rows: Iterator[Any]) -> Any:
    for one in rows:
        return one
    raise ValueError("RDD is empty")


def _foreach(rows: Iterator[Any], f: Callable[[Any], None]) -> None:
    for row in rows:
        f(row)


# The forms of an RDD. Further arguments are about partitions, which do not exist here.
_RDDS: dict[str, Callable[..., Iterable[Any]]] = {
    "map": lambda rows, f, *_, **__: map(f, rows),
    "flatMap": lambda rows, f, *_, **__: (one for row in rows for one in f(row)),
    "filter": lambda rows, f: filter(f, rows),
    "distinct": lambda rows, *_, **__: dict.fromkeys(rows),
    "zipWithIndex": lambda rows: ((row, number) for number, row in enumerate(rows)),
    "reduceByKey": _combined,
    "keys": lambda rows: (pair[0] for pair in rows),
    "values": lambda rows: (pair[1] for pair in rows),
    "cache": lambda rows: rows,
}
_VALUES: dict[str, Callable[..., Any]] = {
    "collect": list,
    "take": lambda rows, num: list(islice(rows, num)),
    "first": _first,
    "count": lambda rows: sum(1 for _ in rows),
    "isEmpty": lambda rows: not list(islice(rows, 1)),
    "reduce": lambda rows, f: reduce(f, rows),
    "foreach": _foreach,
    "getNumPartitions": lambda rows: 1,
}


class Rows:
    """The forms of an RDD that notebooks use, evaluated lazily in this process."""

    def __init__(self, session: Any, rows: Callable[[], Iterator[Any]]) -> None:
        self._session = session
        self._rows = rows

    def toDF(self, schema: Any = None, sampleRatio: float | None = None) -> Any:
        """Returns a data frame."""
        return self._session.createDataFrame(self.collect(), schema)

    def __dir__(self) -> Iterable[str]:
        return [*_RDDS, *_VALUES, "toDF"]

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name in _RDDS:
            return lambda *args, **kwargs: Rows(
                self._session, lambda: iter(_RDDS[name](self._rows(), *args, **kwargs))
            )
        if name in _VALUES:
            return lambda *args, **kwargs: _VALUES[name](self._rows(), *args, **kwargs)
        raise _refused("rdd", name)


def rows_of_frame(frame: Any) -> Rows:
    """Returns the rows of a data frame."""
    return Rows(frame._session, frame.toLocalIterator)


def _refused(owner: str, name: str) -> AttributeError:
    if name.startswith("_"):  # IPython, copy and pickle ask for many of these
        return AttributeError(f"{owner} has no attribute {name!r}")
    return not_covered(f"{owner}.{name}")


_FIXED = {
    "spark.sql.session.timeZone": ("UTC", "GMT", "Z", "+00:00", "Etc/UTC", "Etc/GMT"),
    "spark.sql.caseSensitive": ("false",),
}
_INSTEAD = {
    "spark.sql.session.timeZone": "use from_utc_timestamp(column, 'Europe/Berlin')",
    "spark.sql.caseSensitive": "give columns names that differ in more than upper and lower case",
}


class Settings:
    """The settings for S3 that a notebook makes, and the access that follows from them."""

    def __init__(self) -> None:
        self._hadoop: dict[str, Any] = {}

    def take(self, key: str, value: str) -> bool:
        """Keeps a setting if it is about S3; returns whether it is."""
        if key in _FIXED and value not in _FIXED[key]:
            raise not_covered(
                f"the setting {key} = {value}",
                cause=f"Sail applies it to some functions only; the session has {_FIXED[key][0]}",
                hint=_INSTEAD[key],
            )
        if not is_setting(key):
            return False
        if setting := hadoop_setting(key, value):
            self._hadoop[setting[0]] = setting[1]
        return True

    def access(self) -> Access:
        """Returns what the notebook and the package set."""
        return Access(self._hadoop)
