"""The session: Spark's own client, connected to the Sail server, and what goes over the wire between them.

`SailSession` is a `SparkSession` of Spark Connect. Only requests of such a session are changed
(`requests.py`), so a connection to another server in the same process is not affected.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cached_property
from threading import Thread
from typing import Any

import grpc
from pyspark.sql.connect.client import DefaultChannelBuilder
from pyspark.sql.connect.dataframe import DataFrame
from pyspark.sql.connect.readwriter import DataFrameReader, DataFrameWriter
from pyspark.sql.connect.session import SparkSession
from pyspark.sql.session import SparkSession as ClassicSession

from sparkify_lake.session import frames, server
from sparkify_lake.session.context import Rows, Settings, SparkContext, rows_of_frame
from sparkify_lake.session.reader import Reader
from sparkify_lake.session.requests import Requests
from sparkify_lake.session.writer import Writer

DEFAULTS = {"spark.sql.session.timeZone": "UTC", "spark.app.name": "sparkify-lake"}


_PATHS = re.compile(r"\b(parquet|json|csv|text)\.`([^`]+)`", re.IGNORECASE)
_S3 = re.compile(r"\bs3[an]?://")


class SailSession(SparkSession, ClassicSession):
    """A session of Spark Connect on the Sail server of this process."""

    app_name = DEFAULTS["spark.app.name"]  # that of the first builder, as in Spark

    def __init__(self, context: Any = None, *_: Any, **__: Any) -> None:
        if context is not None:
            return  # SparkSession(context), which is the session of the context
        self.server = server.running()
        self._s3 = Settings()
        builder = DefaultChannelBuilder(f"sc://127.0.0.1:{self.server.port}/")
        builder.add_interceptor(_Interceptor(self.server, Requests(self._s3.take)))
        super().__init__(connection=builder)
        interrupt = self._client.interrupt_operation

        def interrupted(operation: str) -> None:
            with suppress(Exception):
                interrupt(operation)

        def interrupt_soon(operation: str) -> None:
            self.server.was_interrupted = True
            # A server that is busy with a function of the user answers late; Ctrl-C must not wait for it.
            Thread(target=interrupted, args=(operation,), daemon=True).start()

        self._client.interrupt_operation = interrupt_soon

    @property
    def read(self) -> DataFrameReader:
        """The reader, which lists files as Spark does."""
        return Reader(self)

    @cached_property
    def sparkContext(self) -> SparkContext:
        """The part of the context that notebooks use."""
        return SparkContext(self)

    def take_setting(self, key: str, value: str) -> None:
        """Keeps a setting of Hadoop if it is about S3."""
        self._s3.take(key, value)

    def s3(self) -> Any:
        """Returns pyarrow's file system for S3, after the server has the same settings."""
        access = self._s3.access()
        self.server.use_s3(access.variables())
        return access.file_system()

    @cached_property
    def catalog(self) -> frames.CatalogWithoutCache:
        """The views and tables."""
        return frames.CatalogWithoutCache(self)

    @property
    def _jsc(self) -> SparkContext:
        return self.sparkContext

    _sc = _jsc

    def createDataFrame(self, data: Any, *arguments: Any, **options: Any) -> Any:
        """Returns a frame of rows, which may be those of an RDD."""
        return super().createDataFrame(
            data.collect() if isinstance(data, Rows) else data, *arguments, **options
        )

    def sql(self, sqlQuery: str, *arguments: Any, **options: Any) -> Any:
        """Returns the result of a query or a statement; paths in it are read by this session's reader."""
        for number, (source, path) in enumerate(_PATHS.findall(sqlQuery)):
            view = f"_path_{number}"
            self.read.format(source).load(path).createOrReplaceTempView(view)
            sqlQuery = sqlQuery.replace(f"{source}.`{path}`", view)
        if _S3.search(sqlQuery):
            self.s3()
        run = super().sql
        return frames.statement(self, sqlQuery, lambda query: run(query, *arguments, **options))

    def _repr_html_(self) -> str:
        return (
            f"<p><b>SparkSession</b> {self.version} on Sail, without a JVM: {self.sparkContext.appName}</p>"
        )

    def newSession(self) -> SailSession:
        """Returns a session with its own views and settings."""
        return SailSession()

    def stop(self) -> None:
        """Ends the session; views and frames end with it."""
        if self.server.must_end_with_session or not self.server.is_alive:
            self.release_session_on_close = False
            server.close()
        super().stop()


class _Interceptor(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor,
                   grpc.StreamUnaryClientInterceptor):  # fmt: skip
    def __init__(self, running: server.Server, requests: Requests) -> None:
        self._server = running
        self._requests = requests

    def _call(self, continuation: Any, details: Any, request: Any) -> Any:
        self._server.check()
        self._requests.mend(request)
        return continuation(details, request)

    intercept_unary_unary = intercept_unary_stream = intercept_stream_unary = _call


def create(options: dict[str, Any]) -> SparkSession:
    """Returns the active session, or a new one, with the options of a builder."""
    builder = SparkSession.Builder()
    builder._options = {**options}
    with SparkSession._lock:
        session = SparkSession.getActiveSession() or SparkSession._get_default_session()
        if isinstance(session, SailSession) and not session.server.is_alive:
            session.server.check_process()
            session.stop()
            session = None
        if session is None:
            builder._options = {**DEFAULTS, **options}
            session = SailSession()
            session.app_name = str(builder._options["spark.app.name"])
            SparkSession._set_default_and_active_session(session)
        builder._apply_options(session)
    return session


def session_of_context(cls: type, *arguments: Any, **_: Any) -> Any:
    """Returns the session for `SparkSession(context)`, and a new object for a class of this module."""
    return object.__new__(cls) if issubclass(cls, SailSession) else create({})


def patched_properties() -> dict[str, Any]:
    """Returns the properties of a data frame that depend on its session."""
    write, rdd = DataFrame.write, DataFrame.__dict__.get("rdd")

    def write_of(self: DataFrame) -> DataFrameWriter:
        return Writer(self._plan, self._session) if _is_ours(self) else write.fget(self)

    def rows_of(self: DataFrame) -> Any:
        if _is_ours(self):
            return rows_of_frame(self)
        return rdd.fget(self) if rdd else DataFrame.__getattr__(self, "rdd")

    return {**frames.methods(_is_ours), "write": property(write_of), "rdd": property(rows_of)}


def _is_ours(frame: DataFrame) -> bool:
    return isinstance(frame._session, SailSession)
