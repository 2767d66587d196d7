"""How a call of Spark that this session does not support is refused: by its name, with an alternative.

Invariant: the error is an AttributeError, too, so that `hasattr` and IPython's completion keep working.
"""

from __future__ import annotations

from sparkify_lake.errors import ConfigurationError, UsageError

ALTERNATIVE = (
    "use data frames (select, groupBy, collect, toPandas), read the lake with "
    "sparkify_lake.open_lake(output), or run this cell on a real Spark"
)


class UnsupportedCallError(UsageError, AttributeError, NotImplementedError):
    """A call of Spark's API that this session does not support; the message names it."""


class QueryError(UsageError):
    """The session cannot answer a query, for example because its server has ended."""


def not_covered(call: str, *, cause: str | None = None, hint: str = ALTERNATIVE) -> UnsupportedCallError:
    """Returns the error for a call, such as `df.rdd.map`."""
    return UnsupportedCallError(
        f"{call} is not supported by the session without Spark",
        cause=cause,
        hint=hint,
        context={"call": call},
    )


def missing_extra(call: str, reason: str) -> ConfigurationError:
    """Returns the error for a call that needs libraries which are not installed."""
    return ConfigurationError(
        f"{call} needs Sail and Spark's client, which the plain package does not bring",
        cause=reason,
        hint="pip install 'sparkify-lake[notebook]'",
        context={"call": call},
    )
