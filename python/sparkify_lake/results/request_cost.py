"""The requests to an object store and what S3 charges for them, as text for run reports and dry runs.

The engine counts the requests and knows the prices.

Invariant: a cost is displayed with the date of its prices, and a cost above zero is never displayed as zero.
"""

from __future__ import annotations

from typing import TypedDict

from sparkify_lake.render.text_table import format_bytes, format_count


class Requests(TypedDict, total=False):
    """The requests of a run, or those that a run would make; a dry run has no retries and no bytes.

    Attributes:
        list: Number of list requests.
        get: Number of get requests.
        put: Number of put requests.
        delete: Number of delete requests.
        other: Number of other requests.
        put_is_at_most: Whether the number of put requests is an upper limit.
        retries: Number of requests that were repeated.
        throttled: Number of requests that the store rejected because there were too many.
        bytes_in: Bytes received.
        bytes_out: Bytes sent.
        cost_usd: What S3 charges for the requests, in US dollars.
        prices_of: Date of the price list.
    """

    list: int
    get: int
    put: int
    delete: int
    other: int
    put_is_at_most: bool
    retries: int
    throttled: int
    bytes_in: int
    bytes_out: int
    cost_usd: float
    prices_of: str


def describe_requests(requests: Requests | None) -> str:
    """Returns the requests and their cost in words.

    Example:
        >>> describe_requests(
        ...     {"list": 2, "get": 1071, "put": 90, "put_is_at_most": True, "cost_usd": 0.0009}
        ... )
        '2 list, 1,071 get, at most 90 put: at most $0.0009'
        >>> describe_requests(
        ...     {"get": 3, "retries": 1, "bytes_in": 2048, "cost_usd": 1e-6, "prices_of": "2026-11"}
        ... )
        '3 get, 1 retries, 2.0 KiB in: less than $0.0001 at the list prices of 2026-11'
        >>> describe_requests(None)
        ''
    """
    if requests is None:
        return ""
    at_most = "at most " if requests.get("put_is_at_most") else ""
    counts = {
        "list": requests.get("list"),
        "get": requests.get("get"),
        "put": requests.get("put"),
        "delete": requests.get("delete"),
        "other": requests.get("other"),
        "retries": requests.get("retries"),
        "throttled": requests.get("throttled"),
    }
    parts = [
        f"{at_most if name == 'put' else ''}{format_count(number)} {name}"
        for name, number in counts.items()
        if number
    ]
    traffic = {"in": requests.get("bytes_in"), "out": requests.get("bytes_out")}
    parts += [f"{format_bytes(number)} {direction}" for direction, number in traffic.items() if number]
    text = ", ".join(parts) or "none"
    if "cost_usd" in requests:
        text += f": {at_most}{_format_dollars(requests['cost_usd'])}"
        text += f" at the list prices of {requests['prices_of']}" if requests.get("prices_of") else ""
    return text


def _format_dollars(amount: float) -> str:
    if 0 < amount < 0.0001:
        return "less than $0.0001"
    return f"${amount:,.2f}" if amount >= 1 else f"${amount:.4f}"
