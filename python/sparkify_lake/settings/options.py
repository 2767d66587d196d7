"""The table of all options: flags, environment variables, file keys and keyword arguments follow from it.

Defaults and valid values are defined in Rust (`_native.defaults()`, `src/config/`), not here.

Invariant: an option has one name. `chunk_size` is the keyword argument, `--chunk-size` the flag,
`SPARKIFY_CHUNK_SIZE` the environment variable and `CHUNK_SIZE` the key in `lake.cfg` and `dl.cfg`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from os import PathLike, fsdecode
from typing import Any, Literal, cast

from sparkify_lake.errors import UsageError
from sparkify_lake.secret import Secret
from sparkify_lake.settings.environment import ENVIRONMENT_PREFIX
from sparkify_lake.settings.keywords import StoreOptions
from sparkify_lake.settings.locations import normalized

Kind = Literal["location", "choice", "list", "size", "number", "text", "flag", "path"]
Call = Literal[
    "run", "plan", "build", "open_lake", "doctor", "check", "recover", "status", "history", "ddl",
    "program",
]  # fmt: skip
Group = Literal["locations", "store", "tables", "limits", "program"]
Source = Literal["argument", "environment", "file", "aws"]


# The groups of options, in order, with their headings in `--help` and in the documentation.
GROUPS: Mapping[Group, str] = {
    "locations": "Input and output",
    "store": "Object store",
    "tables": "Contents of the tables",
    "limits": "Limits",
    "program": "Program",
}

_WRITING: frozenset[Call] = frozenset({"run", "plan"})
_READING: frozenset[Call] = frozenset({"run", "plan", "build"})
_OPENING: frozenset[Call] = frozenset({"open_lake", "check", "recover", "status", "history", "ddl"})
_ALL_CALLS: frozenset[Call] = _READING | _OPENING | {"doctor"}
_STORING: frozenset[Call] = _WRITING | {"recover", "doctor"}
_RUN_ONLY: frozenset[Call] = frozenset({"run"})
_PROGRAM_ONLY: frozenset[Call] = frozenset({"program"})

_ALL_SOURCES: frozenset[Source] = frozenset({"argument", "environment", "file"})
_ARGUMENT_ONLY: frozenset[Source] = frozenset({"argument"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One row of the table.

    Attributes:
        name: The keyword; flag, environment variable and file key follow from it.
        kind: The form of its value.
        group: Its group in `--help`.
        help: Its description in `--help`, one line.
        metavar: The placeholder for the value in `--help`.
        choices: The valid values, if they can be listed.
        calls: The functions that accept it; the program accepts all options.
        sources: Where it may be set.
        native: Whether the engine receives it; the other options concern only the Python part.
        older_keys: Other keys with the same meaning in `lake.cfg` and `dl.cfg`.
        repeatable: Whether the flag may be given several times; the values form a list.
        section: A section of the files, each line of which is one value.
    """

    name: str
    kind: Kind
    group: Group
    help: str
    metavar: str = ""
    choices: tuple[str, ...] = ()
    calls: frozenset[Call] = _READING
    sources: frozenset[Source] = _ALL_SOURCES
    native: bool = True
    older_keys: tuple[str, ...] = ()
    repeatable: bool = False
    section: str = ""

    @property
    def flag(self) -> str:
        """The flag of the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def environment(self) -> str:
        """The environment variable."""
        return ENVIRONMENT_PREFIX + self.name.upper()

    @property
    def key(self) -> str:
        """The key in `lake.cfg` and `dl.cfg`."""
        return self.name.upper()


OPTIONS: tuple[Option, ...] = (
    Option(name="input", kind="location", group="locations", metavar="PATH", older_keys=("INPUT_DATA",),
           calls=_READING | {"status"},
           help="root folder that contains song_data/ and log_data/"),
    Option(name="output", kind="location", group="locations", metavar="PATH", older_keys=("OUTPUT_DATA",),
           calls=_WRITING | _OPENING, help="root of the lake; each table is written to a folder in it"),
    Option(name="song_data", kind="location", group="locations", metavar="PATH", calls=_READING | {"status"},
           help="song files, if elsewhere: folder, file or glob"),
    Option(name="log_data", kind="location", group="locations", metavar="PATH", calls=_READING | {"status"},
           help="log files, if elsewhere: folder, file or glob"),
    Option(name="follow_symlinks", kind="flag", group="locations", calls=_READING | {"status"},
           help="follow symlinks to files and folders below a local input"),
    Option(name="config", kind="path", group="locations", metavar="PATH", native=False,
           calls=_ALL_CALLS, sources=frozenset({"argument", "environment"}),
           help="folder that contains dl.cfg and lake.cfg, or one of these files"),
    Option(name="region", kind="text", group="store", metavar="NAME", calls=_ALL_CALLS,
           older_keys=("AWS_DEFAULT_REGION", "AWS_REGION"),
           help="region of the bucket"),
    Option(name="endpoint_url", kind="text", group="store", metavar="URL", calls=_ALL_CALLS,
           older_keys=("AWS_ENDPOINT_URL",),
           help="URL of the S3 server, if it is not AWS (for example MinIO)"),
    Option(name="addressing_style", kind="choice", group="store", metavar="STYLE", calls=_ALL_CALLS,
           choices=("auto", "virtual", "path"),
           help="where a URL has the bucket: virtual (host), path or auto"),
    Option(name="use_fips_endpoint", kind="flag", group="store", calls=_ALL_CALLS,
           help="use the FIPS endpoints of AWS"),
    Option(name="use_dualstack_endpoint", kind="flag", group="store", calls=_ALL_CALLS,
           help="use the endpoints of AWS for IPv4 and IPv6"),
    Option(name="profile", kind="text", group="store", metavar="NAME", calls=_ALL_CALLS,
           older_keys=("AWS_PROFILE",), help="profile in ~/.aws/config and ~/.aws/credentials"),
    Option(name="anonymous", kind="flag", group="store", calls=_ALL_CALLS,
           help="send unsigned requests, for public buckets"),
    Option(name="allow_http", kind="flag", group="store", calls=_ALL_CALLS,
           help="allow plain http:// in --endpoint-url"),
    Option(name="ca_file", kind="path", group="store", metavar="FILE", calls=_ALL_CALLS,
           help="additional CA certificates to trust (PEM)"),
    Option(name="store_patience", kind="text", group="store", metavar="TIME", calls=_ALL_CALLS,
           help="how long to keep retrying a failed request"),
    Option(name="requester_pays", kind="flag", group="store", calls=_ALL_CALLS,
           help="pay for requests to the buckets of others"),
    Option(name="sse", kind="choice", group="store", metavar="METHOD", calls=_STORING,
           choices=("AES256", "aws:kms", "aws:kms:dsse"),
           help="encryption of new objects, such as aws:kms"),
    Option(name="sse_kms_key_id", kind="text", group="store", metavar="KEY", calls=_STORING,
           help="key of AWS KMS for new objects: ID, ARN or alias"),
    Option(name="bucket_key_enabled", kind="flag", group="store", calls=_STORING,
           help="encrypt with a bucket key, for fewer requests to AWS KMS"),
    Option(name="storage_class", kind="choice", group="store", metavar="CLASS", calls=_STORING,
           choices=(
               "STANDARD", "INTELLIGENT_TIERING", "STANDARD_IA", "ONEZONE_IA", "GLACIER_IR",
               "REDUCED_REDUNDANCY",
           ),
           help="storage class of new objects, such as INTELLIGENT_TIERING"),
    Option(name="acl", kind="choice", group="store", metavar="ACL", calls=_STORING,
           choices=(
               "private", "bucket-owner-full-control", "bucket-owner-read", "authenticated-read",
               "aws-exec-read", "public-read", "public-read-write",
           ),
           help="canned access control list of new objects"),
    Option(name="tables", kind="list", group="tables", metavar="NAMES", calls=_READING | {"ddl"},
           choices=("songs", "artists", "users", "users_history", "time", "songplays"),
           help="only these tables; users_history must be named"),
    Option(name="match", kind="choice", group="tables", metavar="RULE",
           choices=("title_artist_duration", "title_artist"),
           help="match by title_artist_duration or title_artist"),
    Option(name="unmatched", kind="choice", group="tables", metavar="RULE", choices=("keep", "drop"),
           help="plays without a matching song: keep or drop"),
    Option(name="history_from", kind="choice", group="tables", metavar="EVENTS",
           choices=("plays", "all-pages"), help="events that users_history is made from: plays or all-pages"),
    Option(name="compression", kind="choice", group="tables", metavar="CODEC", calls=_WRITING,
           choices=("snappy", "zstd", "none"), help="compression of the Parquet files: snappy, zstd or none"),
    Option(name="table_names", kind="text", group="tables", metavar="NAMES",
           calls=_WRITING | {"open_lake", "history", "ddl"},
           help="folder names: classic, plain, or songs=tracks,users=users/users.parquet"),
    Option(name="column_names", kind="text", group="tables", metavar="NAMES",
           calls=_READING | {"open_lake", "history", "ddl"},
           help="new names of columns: artists.name=artist_name,users.user_id=userId"),
    Option(name="formats", kind="list", group="tables", metavar="NAMES", calls=_WRITING,
           choices=("parquet", "delta", "iceberg"),
           help="table formats: delta, iceberg or both; or parquet for the folders alone"),
    Option(name="iceberg_catalog", kind="text", group="tables", metavar="NAME", native=False,
           calls=_WRITING | {"recover"},
           help="also commit Iceberg tables to this catalog: NAME or NAME.NAMESPACE"),
    Option(name="retain", kind="number", group="tables", metavar="N", calls=_WRITING,
           help="keep the files of the last N versions for their readers"),
    Option(name="ts_window", kind="text", group="tables", metavar="FROM..TO",
           help="plausible event times (TO is exclusive)"),
    Option(name="since", kind="text", group="tables", metavar="DAY",
           help="add only log files of this day or later, by the day in their path"),
    Option(name="until", kind="text", group="tables", metavar="DAY",
           help="add only log files of days before this day (exclusive)"),
    Option(name="adopt", kind="flag", group="tables", calls=_WRITING,
           help="replace table folders that another program wrote"),
    Option(name="max_bad", kind="text", group="limits", metavar="N|P%",
           help="how many bad records to accept"),
    Option(name="on_bad_file", kind="choice", group="limits", metavar="ACTION",
           choices=("refuse", "quarantine"),
           help="for files that are not JSON: refuse the run, or quarantine them"),
    Option(name="expect", kind="list", group="limits", metavar="CONDITION", calls=_WRITING,
           repeatable=True, section="EXPECTATIONS",
           help="publish only if the tables meet this, such as 'songs.rows >= 100'"),
    Option(name="allow_duplicates", kind="flag", group="limits",
           help="read a log file that is a copy of another one; its plays count twice"),
    Option(name="allow_shrink", kind="flag", group="limits", calls=_WRITING,
           help="accept an input less than half as large as in the previous run"),
    Option(name="keep_gone", kind="flag", group="limits", calls=_WRITING,
           help="keep rows of deleted input files; the lake stores a copy of each file"),
    Option(name="rebuild", kind="flag", group="limits", calls=_WRITING,
           help="read all input files, not only new and changed ones"),
    Option(name="threads", kind="number", group="limits", metavar="N", help="number of worker threads"),
    Option(name="executor", kind="choice", group="limits", metavar="NAME", native=False,
           calls=_RUN_ONLY | {"doctor"}, choices=("local", "spark", "ray"),
           help="where to process the shards of a run: local (threads), spark or ray"),
    Option(name="shard_size", kind="size", group="limits", metavar="SIZE", calls=_RUN_ONLY,
           help="input per task (expert)"),
    Option(name="memory_limit", kind="size", group="limits", metavar="SIZE",
           help="memory for plays; beyond this limit, plays are spilled to disk"),
    Option(name="chunk_size", kind="size", group="limits", metavar="SIZE",
           help="input per decoding step (expert)"),
    Option(name="dry_run", kind="flag", group="program", native=False, calls=_PROGRAM_ONLY,
           sources=_ARGUMENT_ONLY, help="show what a run would read and write, then exit"),
    Option(name="sample", kind="flag", group="program", native=False, sources=_ARGUMENT_ONLY,
           help="create a sample data set and run on it"),
    Option(name="report", kind="path", group="program", metavar="FILE", native=False, calls=_RUN_ONLY,
           help="also write the report as an HTML page, with charts of the lake"),
    Option(name="metrics", kind="path", group="program", metavar="FILE", native=False, calls=_RUN_ONLY,
           help="write metrics for Prometheus to this file, such as lake.prom"),
    Option(name="json", kind="flag", group="program", native=False, calls=_PROGRAM_ONLY,
           help="print the result as JSON"),
    Option(name="no_progress", kind="flag", group="program", native=False,
           help="show no progress bar and log no progress lines"),
    Option(name="quiet", kind="flag", group="program", native=False,
           help="print only errors to stderr"),
    Option(name="verbose", kind="flag", group="program", native=False, calls=_PROGRAM_ONLY,
           help="print more messages, and a traceback for a bug"),
    Option(name="version", kind="flag", group="program", native=False, calls=_PROGRAM_ONLY,
           sources=_ARGUMENT_ONLY, help="print the version and how it was built"),
)  # fmt: skip

BY_NAME: Mapping[str, Option] = {option.name: option for option in OPTIONS}

# Keyword arguments only. A flag would show them in the process list, and the environment has AWS's own
# variables; `dl.cfg` has its own key names.
CREDENTIALS = ("access_key_id", "secret_access_key", "session_token")


def names_for(call: Call) -> list[str]:
    """Returns the keywords that a call accepts. The program accepts all options, but no credentials."""
    if call == "program":
        return list(BY_NAME)
    return [*(option.name for option in OPTIONS if call in option.calls), *CREDENTIALS]


def mask_secrets(options: StoreOptions | dict[str, Any]) -> None:
    """Replaces credentials in the keywords of a call with `Secret`, in place.

    Call this first, so that no later error can display them.
    """
    fields = cast("dict[str, Any]", options)
    for name in CREDENTIALS:
        if isinstance(fields.get(name), str):
            fields[name] = Secret(fields[name].strip())


def check_names(call: Call, names: Iterable[str]) -> None:
    """Rejects keywords that a call does not accept.

    Args:
        call: The function that was called.
        names: The given keywords.

    Raises:
        UsageError: Names the first invalid keyword, and the most similar valid one.
    """
    known = names_for(call)
    receiver = "the program" if call == "program" else f"{call}()"
    for name in names:
        if name in known:
            continue
        if name in BY_NAME:
            raise UsageError(
                f"{receiver} does not accept the option {name!r}", hint=f"it accepts {', '.join(known)}"
            )
        similar = suggestion(name, known)
        raise UsageError(
            f"unknown option {name!r}",
            hint=f"did you mean {similar!r}?" if similar else f"{receiver} accepts {', '.join(known)}",
        )


def suggestion(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Returns the known word that is most similar to a word, if any is.

    Example:
        >>> suggestion("ouput", ["input", "output"])
        'output'
    """
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, list(known), n=1, cutoff=cutoff)), None)


def plain_value(option: Option, value: object) -> str | int | bool:
    """Converts an argument of a Python caller to a value for the engine: text, a number or a boolean.

    Example:
        >>> plain_value(BY_NAME["tables"], ["songs", "users"])
        'songs,users'
        >>> plain_value(BY_NAME["table_names"], {"songs": "tracks"})
        'songs=tracks'
        >>> plain_value(BY_NAME["column_names"], {"artists.name": "artist_name"})
        'artists.name=artist_name'
    """
    if isinstance(value, bool | int):
        return value
    if isinstance(value, PathLike):
        return normalized(fsdecode(value))
    if isinstance(value, str):
        return normalized(value) if option.kind in ("location", "path") else value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return ",".join(f"{name}={chosen}" for name, chosen in value.items())
    if option.name == "ts_window" and isinstance(value, tuple) and len(value) == 2:
        return f"{value[0]}..{value[1]}"
    if option.kind == "list" and isinstance(value, Iterable) and not isinstance(value, bytes):
        return ",".join(str(item) for item in value)
    raise UsageError(
        f"{option.name} cannot be of type {type(value).__name__}",
        hint=f"pass {_ACCEPTED.get(option.kind, 'a string')}",
    )


_ACCEPTED: Mapping[Kind, str] = {
    "location": "a string or a path",
    "path": "a string or a path",
    "list": "a string or a list of strings",
    "number": "a number",
    "size": "a string or a number",
    "flag": "True or False",
}


def as_bool(value: object) -> bool | None:
    """Parses a boolean as the engine does; returns None if the value is not one."""
    if isinstance(value, bool | int):
        return bool(value)
    text = str(value).strip().lower()
    if text in ("true", "yes", "on", "1"):
        return True
    return False if text in ("false", "no", "off", "0") else None
