"""How a call of Spark that is not covered is refused: by its name, with the way out.

Invariant: it is an AttributeError, too, so that `hasattr` and IPython's completion keep working.
"""

from __future__ import annotations

from sparkify_lake.errors import ConfigurationError, UsageError

WAY_OUT = (
    "read the lake with sparkify_lake.open_lake(output), whose tables are Polars LazyFrames, "
    "or run this cell on a real Spark: process_song_data takes its session too"
)


class UnsupportedCallError(UsageError, AttributeError, NotImplementedError):
    """A call of Spark's API that this session does not cover; the message names it."""


class UnsupportedImportError(UsageError, ImportError):
    """A name of pyspark that `activate` does not provide; the message names it."""


class QueryError(UsageError):
    """DuckDB refused a query or failed on it; the cause is its own words."""


def not_covered(call: str, *, cause: str | None = None, hint: str = WAY_OUT) -> UnsupportedCallError:
    """Returns the error for a call, such as `df.rdd`."""
    return UnsupportedCallError(
        f"{call} is not covered by the session without Spark", cause=cause, hint=hint, context={"call": call}
    )


def no_such_import(module: str, name: str) -> UnsupportedImportError:
    """Returns the error for a name that a module of pyspark has, or may have, and ours does not."""
    call = f"{module}.{name}"
    return UnsupportedImportError(
        f"{call} is not covered by the session without Spark", hint=WAY_OUT, context={"call": call}
    )


def missing_extra(call: str, reason: str) -> ConfigurationError:
    """Returns the error for a call that needs libraries which are not installed."""
    return ConfigurationError(
        f"{call} needs SQLFrame, DuckDB and pandas, which the plain package does not bring",
        cause=reason,
        hint="pip install 'sparkify-lake[notebook]'",
        context={"call": call},
    )
