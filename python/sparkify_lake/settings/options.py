"""Every option, once: the one table that drives flags, environment names, file keys and keyword arguments.

Not the place of defaults or of what a value may look like: those live in Rust (`_native.defaults()`,
`src/config.rs`).

Invariant: an option has one name. `chunk_size` is the keyword, `--chunk-size` the flag,
`SPARKIFY_CHUNK_SIZE` the environment variable and `CHUNK_SIZE` the key in `lake.cfg` and `dl.cfg`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from os import PathLike, fsdecode
from typing import Any, Literal, TypedDict, cast

from sparkify_lake.errors import UsageError
from sparkify_lake.secret import MASK, Secret

Kind = Literal["location", "choice", "list", "size", "number", "text", "flag", "path"]
Call = Literal["run", "plan", "build", "open_lake", "doctor", "check", "recover", "status", "program"]
Group = Literal["Where", "Store", "What", "Limits", "Program"]
Source = Literal["argument", "environment", "file"]

ENVIRONMENT_PREFIX = "SPARKIFY_"
REMOTE = ("s3", "s3a", "s3n")

_WRITES: frozenset[Call] = frozenset({"run", "plan"})
_READS: frozenset[Call] = frozenset({"run", "plan", "build"})
_LOOKS: frozenset[Call] = frozenset({"open_lake", "check", "recover", "status"})
_STORES: frozenset[Call] = _READS | _LOOKS | {"doctor"}
_PROGRAM: frozenset[Call] = frozenset({"program"})
_RUNS: frozenset[Call] = frozenset({"run"})

_ANYWHERE: frozenset[Source] = frozenset({"argument", "environment", "file"})
_ONCE: frozenset[Source] = frozenset({"argument"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One row of the table.

    Attributes:
        name: The keyword; flag, environment variable and file key follow from it.
        kind: The form of its value.
        group: The heading of `--help` it stands under.
        help: One line.
        metavar: What stands for the value in `--help`.
        choices: The values it takes, where they can be listed.
        calls: The functions that take it; the program takes all.
        sources: Where it may be set.
        native: Whether the engine takes it (the others concern the front only).
        older_keys: Keys that mean the same in `lake.cfg` and `dl.cfg`.
    """

    name: str
    kind: Kind
    group: Group
    help: str
    metavar: str = ""
    choices: tuple[str, ...] = ()
    calls: frozenset[Call] = _READS
    sources: frozenset[Source] = _ANYWHERE
    native: bool = True
    older_keys: tuple[str, ...] = ()

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
    Option(name="input", kind="location", group="Where", metavar="PATH", older_keys=("INPUT_DATA",),
           calls=_READS | {"status"},
           help="root that holds song_data/ and log_data/"),
    Option(name="output", kind="location", group="Where", metavar="PATH", older_keys=("OUTPUT_DATA",),
           calls=_WRITES | _LOOKS, help="root of the lake; a folder per table is written below it"),
    Option(name="song_data", kind="location", group="Where", metavar="PATH", calls=_READS | {"status"},
           help="songs, if they lie elsewhere: folder, file or glob"),
    Option(name="log_data", kind="location", group="Where", metavar="PATH", calls=_READS | {"status"},
           help="logs, if they lie elsewhere: folder, file or glob"),
    Option(name="config", kind="path", group="Where", metavar="PATH", native=False,
           calls=_STORES, sources=frozenset({"argument", "environment"}),
           help="folder with dl.cfg and lake.cfg, or one of them"),
    Option(name="region", kind="text", group="Store", metavar="NAME", calls=_STORES,
           older_keys=("AWS_DEFAULT_REGION", "AWS_REGION"),
           help="the bucket's region"),
    Option(name="endpoint_url", kind="text", group="Store", metavar="URL", calls=_STORES,
           older_keys=("AWS_ENDPOINT_URL",), help="the server, if it is not AWS: MinIO, for example"),
    Option(name="profile", kind="text", group="Store", metavar="NAME", calls=_STORES,
           older_keys=("AWS_PROFILE",), help="profile of ~/.aws/config and ~/.aws/credentials"),
    Option(name="anonymous", kind="flag", group="Store", calls=_STORES,
           help="unsigned requests, for public buckets"),
    Option(name="allow_http", kind="flag", group="Store", calls=_STORES,
           help="let --endpoint-url be plain http://"),
    Option(name="ca_file", kind="path", group="Store", metavar="FILE", calls=_STORES,
           help="more certificates to trust, as PEM"),
    Option(name="store_patience", kind="text", group="Store", metavar="TIME", calls=_STORES,
           help="how long a request that fails is tried again"),
    Option(name="tables", kind="list", group="What", metavar="NAMES", calls=_WRITES,
           choices=("songs", "artists", "users", "time", "songplays"),
           help="tables to write, separated by commas"),
    Option(name="match", kind="choice", group="What", metavar="RULE",
           choices=("title_artist_duration", "title_artist"),
           help="how a play finds its song: title_artist_duration, or title_artist"),
    Option(name="unmatched", kind="choice", group="What", metavar="RULE", choices=("keep", "drop"),
           help="plays without a song: keep or drop"),
    Option(name="compression", kind="choice", group="What", metavar="CODEC", calls=_WRITES,
           choices=("snappy", "zstd", "none"), help="of the Parquet files: snappy, zstd or none"),
    Option(name="table_names", kind="text", group="What", metavar="NAMES", calls=_WRITES | {"open_lake"},
           help="of the folders: classic, plain, or songs=tracks,users=people"),
    Option(name="ts_window", kind="text", group="What", metavar="FROM..TO",
           help="plausible event times, TO exclusive"),
    Option(name="since", kind="text", group="What", metavar="DAY",
           help="of new log files only those of this day or later, by the day in their path"),
    Option(name="until", kind="text", group="What", metavar="DAY",
           help="of new log files only those of days before this one"),
    Option(name="adopt", kind="flag", group="What", calls=_WRITES,
           help="take over table folders that another program wrote"),
    Option(name="max_bad", kind="text", group="Limits", metavar="N|P%",
           help="bad records tolerated"),
    Option(name="on_bad_file", kind="choice", group="Limits", metavar="ACTION",
           choices=("refuse", "quarantine"),
           help="a file that is not JSON: refuse the run, or leave it out (quarantine)"),
    Option(name="allow_duplicates", kind="flag", group="Limits",
           help="read a log file that is the same as another; its plays count twice"),
    Option(name="allow_shrink", kind="flag", group="Limits", calls=_WRITES,
           help="accept an input that is less than half of the lake's last one"),
    Option(name="keep_gone", kind="flag", group="Limits", calls=_WRITES,
           help="keep the rows of files that are gone: the lake keeps a copy of each file"),
    Option(name="rebuild", kind="flag", group="Limits", calls=_WRITES,
           help="read everything, not only what has changed"),
    Option(name="threads", kind="number", group="Limits", metavar="N", help="worker threads"),
    Option(name="executor", kind="choice", group="Limits", metavar="NAME", native=False,
           calls=_RUNS | {"doctor"}, choices=("local", "spark", "ray"),
           help="where a run's shards are worked on: local (threads), spark or ray"),
    Option(name="shard_size", kind="size", group="Limits", metavar="SIZE", calls=_RUNS,
           help="input of one task of an executor (expert)"),
    Option(name="memory_limit", kind="size", group="Limits", metavar="SIZE",
           help="bounds the plays kept in memory; the rest goes to disk"),
    Option(name="chunk_size", kind="size", group="Limits", metavar="SIZE",
           help="input handed to one decoding step (expert)"),
    Option(name="dry_run", kind="flag", group="Program", native=False, calls=_PROGRAM, sources=_ONCE,
           help="show what would be read and written, and stop"),
    Option(name="sample", kind="flag", group="Program", native=False, sources=_ONCE,
           help="make the sample data set and run on it"),
    Option(name="report", kind="path", group="Program", metavar="FILE", native=False, calls=_RUNS,
           help="write the report as a page, too: HTML, with plots of what the lake holds"),
    Option(name="json", kind="flag", group="Program", native=False, calls=_PROGRAM,
           help="print the result as JSON"),
    Option(name="no_progress", kind="flag", group="Program", native=False,
           help="no progress bar and no progress lines"),
    Option(name="quiet", kind="flag", group="Program", native=False,
           help="nothing but errors on stderr"),
    Option(name="verbose", kind="flag", group="Program", native=False, calls=_PROGRAM,
           help="more notes; a traceback when it is a bug"),
    Option(name="version", kind="flag", group="Program", native=False, calls=_PROGRAM, sources=_ONCE,
           help="print the version and how it was built"),
)  # fmt: skip

BY_NAME: Mapping[str, Option] = {option.name: option for option in OPTIONS}

# Keywords only: no flag (a process list shows those) and no variable of ours. `dl.cfg` has its own spellings.
CREDENTIALS = ("access_key_id", "secret_access_key", "session_token")

Location = str | PathLike[str]


class StoreOptions(TypedDict, total=False):
    """Keyword arguments of every call that may reach an object store; None means "not set" everywhere."""

    config: Location | None
    region: str | None
    endpoint_url: str | None
    profile: str | None
    anonymous: bool | None
    allow_http: bool | None
    ca_file: Location | None
    store_patience: str | None
    access_key_id: str | Secret | None
    secret_access_key: str | Secret | None
    session_token: str | Secret | None


class ReadOptions(StoreOptions, total=False):
    """Keyword arguments of `build`, which writes nothing."""

    song_data: Location | None
    log_data: Location | None
    match: str | None
    unmatched: str | None
    ts_window: str | tuple[object, object] | None
    since: str | date | None
    until: str | date | None
    max_bad: int | str | None
    on_bad_file: str | None
    allow_duplicates: bool | None
    threads: int | None
    memory_limit: int | str | None
    chunk_size: int | str | None
    sample: bool | None
    no_progress: bool | None
    quiet: bool | None


class PlanOptions(ReadOptions, total=False):
    """Keyword arguments of `plan`, beside input and output."""

    tables: str | Sequence[str] | None
    compression: str | None
    table_names: str | Mapping[str, str] | None
    adopt: bool | None
    allow_shrink: bool | None
    keep_gone: bool | None
    rebuild: bool | None


class RunOptions(PlanOptions, total=False):
    """Keyword arguments of `run`, beside input and output."""

    report: Location | None
    executor: object
    shard_size: int | str | None


class DoctorOptions(StoreOptions, total=False):
    """Keyword arguments of `doctor`, beside the location."""

    executor: object


class StatusOptions(StoreOptions, total=False):
    """Keyword arguments of `status`, beside output and input."""

    song_data: Location | None
    log_data: Location | None


class LakeOptions(StoreOptions, total=False):
    """Keyword arguments of `open_lake`."""

    table_names: str | Mapping[str, str] | None


def names_for(call: Call) -> list[str]:
    """Returns the keywords that a call takes; the program takes every option, but no credentials."""
    if call == "program":
        return list(BY_NAME)
    return [*(option.name for option in OPTIONS if call in option.calls), *CREDENTIALS]


def hide(options: StoreOptions | dict[str, Any]) -> None:
    """Puts credentials among a call's keywords out of sight, before anything can fail and show them."""
    fields = cast("dict[str, Any]", options)
    for name in CREDENTIALS:
        if isinstance(fields.get(name), str):
            fields[name] = Secret(fields[name].strip())


def check_names(call: Call, names: Iterable[str]) -> None:
    """Refuses keywords that a call does not take.

    Args:
        call: The function that was called.
        names: The keywords it was given.

    Raises:
        UsageError: Names the first of them, and what was probably meant.
    """
    known = names_for(call)
    for name in names:
        if name in known:
            continue
        if name in BY_NAME:
            raise UsageError(f"{call}() does not take {name!r}", hint=f"it takes {', '.join(known)}")
        meant = suggestion(name, known)
        raise UsageError(
            f"there is no option {name!r}",
            hint=f"did you mean {meant!r}?" if meant else f"{call}() takes {', '.join(known)}",
        )


def suggestion(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Returns the known word that was probably meant.

    Example:
        >>> suggestion("ouput", ["input", "output"])
        'output'
    """
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, list(known), n=1, cutoff=cutoff)), None)


def plain_value(option: Option, value: object) -> str | int | bool:
    """Turns what a Python caller may pass into what the engine reads: text, a number or a truth value.

    Example:
        >>> plain_value(BY_NAME["tables"], ["songs", "users"])
        'songs,users'
        >>> plain_value(BY_NAME["table_names"], {"songs": "tracks"})
        'songs=tracks'
    """
    if isinstance(value, bool | int):
        return value
    if isinstance(value, PathLike):
        return _location(fsdecode(value))
    if isinstance(value, str):
        return _location(value) if option.kind in ("location", "path") else value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return ",".join(f"{name}={folder}" for name, folder in value.items())
    if option.name == "ts_window" and isinstance(value, tuple) and len(value) == 2:
        return f"{value[0]}..{value[1]}"
    if option.kind == "list" and isinstance(value, Iterable) and not isinstance(value, bytes):
        return ",".join(str(item) for item in value)
    raise UsageError(f"{option.name} cannot be of type {type(value).__name__}")


def _location(text: str) -> str:
    """Undoes what pathlib does to a URL, and what no shell did for a file: `s3:/b` and `~/x`."""
    scheme, separator, rest = text.partition(":/")
    if separator and scheme in (*REMOTE, "file") and not rest.startswith("/"):
        return f"{scheme}://{'/' if scheme == 'file' else ''}{rest}"
    if text == "~" or text.startswith("~/"):
        from os.path import expanduser

        return expanduser(text)
    return text


def is_remote(location: str) -> bool:
    """Returns whether a location lies in an object store, by its scheme alone.

    Example:
        >>> is_remote("s3a://bucket/lake"), is_remote("s3/lake")
        (True, False)
    """
    scheme, separator, _ = location.partition("://")
    return bool(separator) and scheme in REMOTE


def without_userinfo(text: str) -> str:
    """Masks what stands before a host or a bucket's name in a URL: people have put secrets there.

    Example:
        >>> without_userinfo("s3a://AKIAX:se/cret@bucket/lake")
        's3a://***'
        >>> without_userinfo("http://localhost:9000")
        'http://localhost:9000'
    """
    scheme, separator, rest = text.partition("://")
    host = rest.partition("/")[0]
    if separator and ("@" in host or (scheme in REMOTE and ":" in host)):
        return f"{scheme}://{MASK}"
    return text


def truth(value: object) -> bool | None:
    """Reads a truth value as the engine does; None when it is none."""
    if isinstance(value, bool | int):
        return bool(value)
    text = str(value).strip().lower()
    if text in ("true", "yes", "on", "1"):
        return True
    return False if text in ("false", "no", "off", "0") else None
