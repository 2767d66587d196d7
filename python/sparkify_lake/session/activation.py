"""`SparkSession.builder…getOrCreate()` of the installed pyspark returns the session on Sail.

Nothing on disk is changed. `deactivate` restores every attribute that `activate` replaces.
"""

from __future__ import annotations

import sys
import warnings
from importlib.util import find_spec
from typing import Any

from sparkify_lake.errors import ConfigurationError, UsageError
from sparkify_lake.session.refusal import missing_extra
from sparkify_lake.settings.environment import connect_mode

_SUPPORTED = "4.2."  # of those that Sail 0.7 accepts, the version that the tests use
_MISSING = object()
_replaced: list[tuple[Any, str, Any]] = []


def activate() -> bool:
    """Replaces the attributes; returns False if they are replaced already."""
    if _replaced:
        return False
    classic = sys.modules.get("pyspark.core.context")
    if classic is not None and classic.SparkContext._active_spark_context is not None:
        raise UsageError(
            "a session of Spark with a JVM is active in this process",
            hint="stop it with spark.stop(), or restart the kernel, and call activate() before it is created",
        )
    for module in ("pysail", "pyspark", "grpc", "pandas", "pyarrow"):
        if find_spec(module) is None:
            raise missing_extra("the Spark session", f"there is no module {module}")
    _prepare()
    import pyspark

    if not pyspark.__version__.startswith(_SUPPORTED):
        raise ConfigurationError(
            f"Sail does not support pyspark {pyspark.__version__}",
            cause=f"it supports the versions {_SUPPORTED}x",
            hint="in another environment: pip install 'sparkify-lake[notebook]', which brings version 4.2",
        )
    from pyspark.sql import session as classic_session
    from pyspark.sql.connect.client import core as client
    from pyspark.sql.connect.dataframe import DataFrame

    from sparkify_lake.session import connection, context, frames

    connect_mode(True)
    convert = client.convert_exception

    def get_or_create(builder: Any) -> Any:
        if "spark.remote" in builder._options:
            return original(builder)
        return connection.create(builder._options)

    original = classic_session.SparkSession.Builder.getOrCreate
    _replace(classic_session.SparkSession.Builder, "getOrCreate", get_or_create)
    _replace(classic_session.SparkSession.Builder, "enableHiveSupport", lambda builder: builder)
    _replace(classic_session.SparkSession, "getActiveSession", staticmethod(context.active_session))
    _replace(classic_session.SparkSession, "__new__", staticmethod(connection.session_of_context))
    _replace(
        client,
        "convert_exception",
        lambda *args, **kwargs: frames.named_as_in_spark(convert(*args, **kwargs)),
    )
    for name, value in connection.patched_properties().items():
        _replace(DataFrame, name, value)
    _replace(pyspark, "SparkContext", context.SparkContext)
    for module in ("pyspark.sql", "pyspark.sql.context"):
        for one in (context.SQLContext, context.HiveContext):
            _replace(sys.modules[module], one.__name__, one)
    return True


def _prepare() -> None:
    # Without a file, pyspark 4.2 takes the program for its own tests, and ends it (python -c).
    main = sys.modules["__main__"]
    if not hasattr(main, "__file__"):
        main.__file__ = "<string>"
    warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas >= 3")


def deactivate() -> None:
    """Restores what `activate` replaced, and stops the active session."""
    if not _replaced:
        return
    from sparkify_lake.session import context

    session = context.active_session()
    if session is not None:
        session.stop()
    while _replaced:
        owner, name, value = _replaced.pop()
        if value is _MISSING:
            delattr(owner, name)
        else:
            setattr(owner, name, value)
    connect_mode(False)


def _replace(owner: Any, name: str, value: Any) -> None:
    _replaced.append((owner, name, vars(owner).get(name, _MISSING)))
    setattr(owner, name, value)
