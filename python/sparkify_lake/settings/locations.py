"""Locations as text: local paths and URLs of object stores."""

from __future__ import annotations

import os
from pathlib import Path

from sparkify_lake.errors import ConfigurationError, OutputError
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


def as_unicode(name: str, text: str) -> str:
    """Returns the text of an option as the engine reads it: its bytes as UTF-8, in every locale.

    Under the C locale, Python passes bytes that are not ASCII as lone surrogates.

    Raises:
        ConfigurationError: If the bytes are not UTF-8.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        pass
    else:
        return text
    try:
        return os.fsencode(text).decode()
    except UnicodeError:
        shown = text.encode("ascii", "backslashreplace").decode()
    raise ConfigurationError(
        f"{name} is not UTF-8: {shown}",
        cause="the names of the lake and of its input are stored as text",
        hint="rename the folder, or make a symlink to it whose name is UTF-8 and use the symlink",
        context={"option": name},
    )


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


def writable_file(option: str, file: str, what: str | None = None) -> Path:
    """Returns the path of a file to be written after the run, after checking that it can be written.

    Args:
        option: The option that names it.
        file: The file.
        what: What it contains, by default the name of the option.

    Raises:
        OutputError: If it cannot be written.
    """
    path = Path(file)
    problem = None
    if is_remote(file):
        problem = "it can only be a local file"
    elif path.is_dir():
        problem = f"{file} is a folder"
    elif not path.parent.is_dir():
        problem = f"the folder {path.parent} does not exist"
    elif not os.access(path.parent, os.W_OK):
        problem = f"the folder {path.parent} is not writable"
    if problem is None:
        return path
    raise OutputError(
        f"the {what or option} cannot be written",
        cause=problem,
        hint="name a file in an existing folder",
        context={"option": option, "path": file},
    )
