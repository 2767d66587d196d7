"""The arguments of the functions of the Spark job, in the forms that existing drivers use.

Drivers pass further positional arguments, leave out the session, or pass the folder with the songs instead of
the root. Each form has one meaning here, or is refused with a hint; nothing is dropped silently.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sparkify_lake.errors import UsageError
from sparkify_lake.session.lake_tables import is_session
from sparkify_lake.settings.locations import is_remote

Part = Literal["song", "log"]

# Other names of the two locations, as keywords.
_SYNONYMS = {
    "input": ("input_path", "input_dir", "input_folder", "input_location"),
    "output": ("output_path", "output_dir", "output_folder", "output_location"),
}
# Keywords that other jobs have, and why they have no effect. Airflow's context has none of them.
_IGNORED_KEYWORDS = {
    "mode": "a run updates the tables",
    "write_mode": "a run updates the tables",
    "run_local": "the locations say whether the input is local",
    "schema": "the columns of the input are known",
    "song_schema": "the columns of the input are known",
    "log_schema": "the columns of the input are known",
}
_MODES = ("append", "error", "errorifexists", "ignore", "overwrite")
_DATA_FOLDER = re.compile(r"(song|log)([_-])data")
_GLOB = re.compile(r"[*?\[{]")


def locations_of(
    function: str, arguments: Sequence[object], *, has_session: bool
) -> tuple[list[Any], list[str]]:
    """Separates the two locations from the other positional arguments.

    Args:
        function: The name of the function, for messages.
        arguments: Its positional arguments; None stands for an argument that was left out.
        has_session: Whether the first argument should be the session.

    Returns:
        The input and the output, and one warning for each further argument that had a meaning in Spark.

    Raises:
        UsageError: If the order of the arguments is not clear.
    """
    rest = list(arguments)
    is_session_first = bool(rest) and rest[0] is not None and not _is_location(rest[0])
    if has_session and rest and _is_location(rest[0]):
        if len(rest) > 2 and rest[2] is not None:
            raise UsageError(
                f"the first argument of {function} is not a session",
                hint=f"call {function}(spark, input_data, output_data); None is also accepted as spark",
            )
    elif has_session or (is_session_first and is_session(rest[0])):
        rest = rest[1:]
    places, others = rest[:2], rest[2:]
    warnings = [
        f"{function} ignores its argument {shown}: {reason}"
        for shown, reason in map(_meaning, others)
        if reason
    ]
    return [*places, None, None][:2], warnings


def _is_location(value: object) -> bool:
    return isinstance(value, str | os.PathLike)


def _meaning(value: object) -> tuple[str, str]:
    """Returns how to display an argument, and why it has no effect; no reason if it never had one."""
    if value is None or value is False:
        return "", ""
    if value is True:
        return "True (such as run_local)", _IGNORED_KEYWORDS["run_local"]
    if isinstance(value, str) and value.lower() in _MODES:
        return f"{value!r} (the mode)", _IGNORED_KEYWORDS["mode"]
    kind = type(value).__name__
    if kind == "StructType":
        return "of type StructType (a schema)", _IGNORED_KEYWORDS["schema"]
    if kind == "DataFrame":
        return "of type DataFrame", "it reads the songs itself"
    return f"of type {kind}", "it needs only the session, the input and the output"


def keywords_of(function: str, keywords: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Renames keywords that mean the input or the output.

    Returns:
        The keywords, and a warning for each one that had a meaning in Spark and has none here.
    """
    named = dict(keywords)
    for name, synonyms in _SYNONYMS.items():
        for synonym in synonyms:
            if synonym in named:
                value = named.pop(synonym)
                named.setdefault(name, value)
    warnings = [
        f"{function} ignores the keyword {name}: {reason}"
        for name, reason in _IGNORED_KEYWORDS.items()
        if named.pop(name, None)
    ]
    return named, warnings


def attribute_of_script(name: str, module: Mapping[str, Any]) -> Any:
    """Returns a location that a driver set as an attribute: `etl.input_data = "data"`.

    Args:
        name: `input_data` or `output_data`.
        module: The attributes of `sparkify_lake.etl`. The script `etl.py` is looked up by its module name,
            because it only imports the functions.
    """
    script = getattr(sys.modules.get("etl"), "__dict__", {})
    for attributes in (script, module):
        for spelling in (name, name.upper()):
            if attributes.get(spelling) is not None:
                return attributes[spelling]
    return None


def input_options(part: Part, value: object) -> dict[str, Any]:
    """Returns the options for an input that is the root, the data folder of one part, a file or a glob.

    Args:
        part: The files that the function is named after.
        value: The input that the caller passed.

    Raises:
        UsageError: If it is the data folder of the other part.

    Example:
        >>> input_options("song", "s3://raw")
        {'input': 's3://raw'}
        >>> input_options("song", "data/song_data/A/*.json")
        {'song_data': 'data/song_data/A/*.json'}
        >>> input_options("log", "s3://raw/log_data/*/*/*.json")
        {'log_data': 's3://raw/log_data/*/*/*.json', 'song_data': 's3://raw/song_data'}
    """
    if not _is_location(value):
        return {"input": value}
    text = os.fsdecode(value)  # type: ignore[arg-type]
    words = text.rstrip("/").split("/")
    end = next((number for number, word in enumerate(words) if _GLOB.search(word)), len(words))
    folders = [number for number, word in enumerate(words[:end]) if _DATA_FOLDER.fullmatch(word)]
    names_files = end < len(words) or words[-1].endswith((".json", ".jsonl", ".ndjson", ".gz", ".zst"))
    if not folders:
        return {f"{part}_data": value} if names_files else {"input": value}
    found = _DATA_FOLDER.fullmatch(words[folders[-1]])
    if found is None or (not names_files and _contains_data_folders(text)):
        return {"input": value}
    if found[1] != part:
        raise UsageError(
            f"process_{part}_data cannot read {text}: it contains the files of the {found[1]}s",
            hint="pass the folder that contains song_data and log_data",
        )
    if part == "song":
        return {"song_data": value}
    siblings = ["/".join([*words[: folders[-1]], f"song{mark}data"]) for mark in (found[2], "-", "_")]
    exists = (one for one in siblings if not is_remote(text) and os.path.isdir(one))
    return {"log_data": value, "song_data": next(exists, siblings[0])}


def _contains_data_folders(text: str) -> bool:
    """Returns whether a local folder is a root, although its name is that of a data folder."""
    return not is_remote(text) and any(
        os.path.isdir(os.path.join(text, name)) for name in ("song_data", "song-data", "log_data", "log-data")
    )
