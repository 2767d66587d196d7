"""What is asked of an object store, and what S3 charges for it: for plans and for reports.

Counts and prices are the engine's; here they are put into words.

Invariant: an amount is shown with the date of its prices, and never as nothing when it is something.
"""

from __future__ import annotations

from typing import TypedDict

from sparkify_lake.render.text_table import count, size


class Requests(TypedDict, total=False):
    """What was asked of the store, or would be. A plan knows no retries and no bytes."""

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


def described(requests: Requests | None) -> str:
    """Says in words what is asked of a store.

    Example:
        >>> described({"list": 2, "get": 1071, "put": 90, "put_is_at_most": True, "cost_usd": 0.0009})
        '2 list, 1,071 get, at most 90 put: at most $0.0009'
        >>> described({"get": 3, "retries": 1, "bytes_in": 2048, "cost_usd": 1e-6, "prices_of": "2026-11"})
        '3 get, 1 retries, 2.0 KiB in: less than $0.0001 at the list prices of 2026-11'
        >>> described(None)
        ''
    """
    if requests is None:
        return ""
    most = "at most " if requests.get("put_is_at_most") else ""
    kinds = {
        "list": requests.get("list"),
        "get": requests.get("get"),
        "put": requests.get("put"),
        "delete": requests.get("delete"),
        "other": requests.get("other"),
        "retries": requests.get("retries"),
        "throttled": requests.get("throttled"),
    }
    parts = [f"{most if name == 'put' else ''}{count(n)} {name}" for name, n in kinds.items() if n]
    ways = {"in": requests.get("bytes_in"), "out": requests.get("bytes_out")}
    parts += [f"{size(n)} {way}" for way, n in ways.items() if n]
    text = ", ".join(parts) or "none"
    if "cost_usd" in requests:
        text += f": {most}{_dollars(requests['cost_usd'])}"
        text += f" at the list prices of {requests['prices_of']}" if requests.get("prices_of") else ""
    return text


def _dollars(amount: float) -> str:
    if 0 < amount < 0.0001:
        return "less than $0.0001"
    return f"${amount:,.2f}" if amount >= 1 else f"${amount:.4f}"
