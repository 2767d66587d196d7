"""Requests to an S3 server, and the faults that `s3_proxy` can inject into them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["LIST", "GET", "PUT", "DELETE", "HEAD", "POST", "other"]

KINDS: tuple[Kind, ...] = ("LIST", "GET", "PUT", "DELETE", "HEAD", "POST", "other")

ERRORS = {
    "error 500": (500, "InternalError", "We encountered an internal error. Please try again."),
    "slow down": (503, "SlowDown", "Please reduce your request rate."),
    "too many": (429, "TooManyRequests", "Too many requests."),
    "request timeout": (
        400,
        "RequestTimeout",
        "Your socket connection was not read from or written to in time.",
    ),
    "expired token": (400, "ExpiredToken", "The provided token has expired."),
    "access denied": (403, "AccessDenied", "Access Denied"),
    "clock skew": (
        403,
        "RequestTimeTooSkewed",
        "The difference between the request time and the server's time is too large.",
    ),
    "wrong region": (
        400,
        "AuthorizationHeaderMalformed",
        "the region 'us-east-1' is wrong; expecting 'eu-north-1'",
    ),
    "archived": (403, "InvalidObjectState", "The operation is not valid for the object's storage class"),
    "kms denied": (400, "KMS.DisabledException", "The key is disabled."),
    "not implemented": (
        501,
        "NotImplemented",
        "A header you provided implies functionality that is missing.",
    ),
    "invalid request": (400, "InvalidRequest", "The condition is not supported."),
    "refused": (412, "PreconditionFailed", "At least one of the preconditions did not hold."),
    "error in 200": (200, "InternalError", "We encountered an internal error. Please try again."),
}
"""Answers of the proxy in place of the server, which does not get the request."""

FAULTS = (
    "error 500",
    "slow down",
    "too many",
    "request timeout",
    "error in 200",
    "error 500 after",  # the server succeeds, but the client gets a 500
    "reset before",
    "reset after",  # the server succeeds, but the answer is lost
    "hang",  # no answer, ever
    "cut body",  # half of the answer, then the connection is closed
    "cut page",  # half of the answer, which looks complete
    "wrong length",  # the answer claims to be a byte shorter
    "wrong tag",  # the answer has a wrong ETag
)
"""Faults that can happen to any request; the others in `Fault` are configuration errors or hooks of tests."""

Fault = Literal[
    "error 500", "slow down", "too many", "request timeout", "expired token", "access denied", "error in 200",
    "error 500 after", "reset before", "reset after", "hang", "cut body", "cut page", "wrong length",
    "wrong tag", "clock skew", "wrong region", "archived", "kms denied", "call", "call after", "call held",
]  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Request:
    """A request that the proxy received.

    Attributes:
        kind: LIST is a GET of a bucket; POST covers multipart uploads and deletes of many.
        bucket: The first part of the path, decoded.
        key: The rest of the path, decoded; the prefix for LIST.
        is_look: A LIST of the commit log after a version, by which a writer looks for a newer one.
        number: The number of the request within its kind, from 1, since the last `clear`.
        status: The status of the answer to the client; 0 without an answer.
    """

    kind: Kind
    bucket: str
    key: str
    number: int
    status: int
    body: int
    conditional: bool
    signed: bool
    headers: dict[str, str]
    query: str
    is_look: bool = False


@dataclass(slots=True, kw_only=True)
class Injection:
    """A fault, and the requests that it hits.

    Attributes:
        fault: The fault; "call" and "call after" run a function before and after the server gets the request;
            "call held" runs it, and keeps the request until `Proxy.release`. "ignore condition" removes the
            condition (for a server that checks no signatures), "no tags" removes the ETags from a listing.
        kind: The kind of request; None for any.
        first: The number of the first request that is hit, from 1.
        count: The number of requests that are hit.
        key: A regular expression that is searched in the key.
        header: The request has this header.
        call: The function for the three kinds of "call", called on the thread of the proxy.
        hits: The number of requests that were hit.
    """

    fault: Fault
    kind: Kind | None = None
    first: int = 1
    count: int = 1
    key: str = ""
    header: str = ""
    call: Callable[[], None] | None = None
    seen: int = 0
    hits: int = 0

    def strikes(self, kind: Kind, key: str, headers: Mapping[str, str]) -> bool:
        """Whether this request is hit; counts it."""
        if self.kind not in (None, kind) or not re.search(self.key, key):
            return False
        if self.header and self.header not in headers:
            return False
        self.seen += 1
        if not self.first <= self.seen < self.first + self.count:
            return False
        self.hits += 1
        return True
