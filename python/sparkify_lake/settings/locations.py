"""Locations as text: local paths and URLs of object stores."""

from __future__ import annotations

from sparkify_lake.secret import MASK

REMOTE_SCHEMES = ("s3", "s3a", "s3n")


def normalized(text: str) -> str:
    """Restores a URL that pathlib shortened (`s3:/b`), and expands a home folder (`~/x`)."""
    scheme, separator, rest = text.partition(":/")
    if separator and scheme in (*REMOTE_SCHEMES, "file") and not rest.startswith("/"):
        return f"{scheme}://{'/' if scheme == 'file' else ''}{rest}"
    if text == "~" or text.startswith("~/"):
        from os.path import expanduser

        return expanduser(text)
    return text


def is_remote(location: str) -> bool:
    """Returns whether a location is in an object store, according to its scheme.

    Example:
        >>> is_remote("s3a://bucket/lake"), is_remote("s3/lake")
        (True, False)
    """
    scheme, separator, _ = location.partition("://")
    return bool(separator) and scheme in REMOTE_SCHEMES


def without_userinfo(text: str) -> str:
    """Masks a URL that has user information, because it may contain a secret.

    Example:
        >>> without_userinfo("s3a://AKIAX:se/cret@bucket/lake")
        's3a://***'
        >>> without_userinfo("http://localhost:9000")
        'http://localhost:9000'
    """
    scheme, separator, rest = text.partition("://")
    host = rest.partition("/")[0]
    if separator and ("@" in host or (scheme in REMOTE_SCHEMES and ":" in host)):
        return f"{scheme}://{MASK}"
    return text
