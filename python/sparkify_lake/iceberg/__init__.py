"""Publishes the tables of a lake as Iceberg tables as well: metadata of the same files, below `_etl/iceberg`.

`commits` makes the content of a commit with PyIceberg, and `files` reads and collects its files. PyIceberg is
imported only for a commit.

The commit log of the lake decides. Each commit of an Iceberg table follows from the files of a published
version, so a run or `recover` makes up for a commit that a stopped run has left out, and a repeated run adds
none. Creating `vN.metadata.json`, which exists once, is the commit.

Invariant: a table that another program has changed is refused, before a run writes anything.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkify_lake import _engine
from sparkify_lake.errors import ConfigurationError, NoInputError, ProtocolError, RetryableError
from sparkify_lake.iceberg.files import COMMIT, VERSION, expired
from sparkify_lake.settings.locations import is_remote

if TYPE_CHECKING:
    from sparkify_lake._native import IcebergState, IcebergTable
    from sparkify_lake.settings.config import Config

_INSTALL = "install it: pip install 'sparkify-lake[iceberg]'"
# Attempts to commit while other runs do.
_ATTEMPTS = 5


def prepare(config: Config) -> bool:
    """Returns whether a run publishes Iceberg tables; checks that it can.

    Raises:
        ConfigurationError: If PyIceberg is missing, or the lake is in a bucket.
        ProtocolError: If another program has changed a table.
    """
    formats = str(config.value("formats") or "").replace(" ", "").split(",")
    output = str(config.value("output"))
    if "iceberg" in formats and (is_remote(output) or any(character in output for character in "#?")):
        raise ConfigurationError(
            "Iceberg tables cannot be published at this location",
            cause="it is in a bucket" if is_remote(output) else "in the URL of a file, # and ? end the path",
            hint="use --formats delta; or write the lake to a local folder without # and ? in its path",
            context={"option": "formats", "path": output},
        )
    if "iceberg" not in formats and not _has_folder(config):
        return False
    state = _state(config)
    tables = state["tables"] if state else {}
    continues = config.value("formats") is None and any(
        table["changed_at"] is not None for table in tables.values()
    )
    if ("iceberg" in formats or continues) and not is_installed():
        raise ConfigurationError(
            "the table format iceberg needs the package pyiceberg",
            cause="it is not installed",
            hint=f"{_INSTALL}; or choose other formats, such as --formats parquet",
            context={"option": "formats"},
        )
    for name, table in tables.items():
        if "iceberg" in formats or continues:
            _must_be_ours(name, table, config)
    return True


def is_installed() -> bool:
    """Returns true if PyIceberg can be imported."""
    return find_spec("pyiceberg") is not None


def publish(config: Config) -> None:
    """Brings the Iceberg tables to the newest published version of the lake.

    Raises:
        ProtocolError: If another program has changed a table.
        RetryableError: If other runs make commits all the time.
    """
    for attempt in range(_ATTEMPTS):
        state = _state(config)
        tables = state["tables"] if state else {}
        # If files of the newest commit are missing each time, no other run removes them: they are lost.
        is_lost = attempt > 1
        if state is None or all(
            [_publish_table(name, table, state, config, is_lost) for name, table in tables.items()]
        ):
            return
    raise RetryableError(
        "the Iceberg tables could not be published, because other runs publish them",
        hint="run again; the other tables are published",
    )


def add_problems(checkup: dict[str, Any], config: Config) -> dict[str, Any]:
    """Adds to the result of `check` what is wrong with the Iceberg tables; changes no file."""
    if not checkup["is_published"] or not _has_folder(config):
        return checkup
    state = _state(config)
    tables = state["tables"] if state else {}
    tables = {name: table for name, table in tables.items() if table["changed_at"] is not None}
    if state is None or not tables:
        return checkup
    if not is_installed():
        _engine.logger().warning(
            "the Iceberg tables were not compared: pyiceberg is not installed (%s)", _INSTALL
        )
        return checkup
    found = [
        {"path": f"_etl/iceberg/{name}/metadata/v{table['commit']}.metadata.json", "what": what}
        for name, table in tables.items()
        for what in _problems_of(name, table, state, config)
    ]
    if not found:
        return checkup
    is_late = all(problem["what"] in ("missing", "outdated") for problem in found)
    way = (
        f"run again, or run `sparkify-lake recover {checkup['location']}`, to publish the Iceberg tables"
        if is_late
        else "move the folders of these tables in _etl/iceberg away and run again, which begins new tables"
    )
    return {
        **checkup,
        "problem_count": checkup["problem_count"] + len(found),
        "problems": [*checkup["problems"], *found],
        "repair": "; ".join(filter(None, (checkup["repair"], way))),
        "exit_code": ProtocolError.exit_code,
    }


def _problems_of(name: str, table: IcebergTable, state: IcebergState, config: Config) -> Iterator[str]:
    head = _parsed(table)
    if head is None:
        yield "missing" if table["metadata"] is None else "changed"
    elif not _is_ours(head, table):
        yield "foreign"
    elif not _is_current(head, name, table, state, config):
        yield "outdated"
    else:
        from sparkify_lake.iceberg import commits

        files, _ = _files(config, state, table)
        if not commits.matches(_target(name, table, state, config), head, files):
            yield "changed"


def _publish_table(
    name: str, table: IcebergTable, state: IcebergState, config: Config, is_lost: bool
) -> bool:
    """Brings one table up to date; returns false if the state is outdated, because another run is faster."""
    if table["changed_at"] is None:
        # The hint is removed first, so that no reader begins with files that are being removed.
        paths = sorted(table["paths"], key=lambda path: (not path.endswith("version-hint.text"), path))
        _remove(config, paths)
        return True
    _must_be_ours(name, table, config)
    head = _parsed(table)
    if head is not None and _version_of(head) > state["version"]:
        return False
    if head is not None and _is_current(head, name, table, state, config):
        if table["hint"] != str(table["commit"]):
            path = f"_etl/iceberg/{name}/metadata/v{table['commit']}.metadata.json"
            return _commit(config, [(path, str(table["metadata"]).encode())])
        return True
    from sparkify_lake.iceberg import commits

    files, retained = _files(config, state, table)
    target = _target(name, table, state, config)
    try:
        made = commits.next_commit(target, head, files, retained, begins_again=is_lost)
    except FileNotFoundError:
        return False
    if not _commit(config, made.files):
        return False
    _remove(config, made.outdated)
    return True


def _target(name: str, table: IcebergTable, state: IcebergState, config: Config) -> Any:
    from sparkify_lake.iceberg.commits import Target

    if "column_names" in state["options"]:
        config = config.with_values("the lake", column_names=state["options"]["column_names"])
    else:
        config = config.without("column_names")
    return Target(
        name=name,
        root=_root(config),
        folder=table["folder"],
        schema=_engine.renamed_schema(config)[name],
        commit=table["commit"],
        changed_at=table["changed_at"] or 0,
        lake_version=state["version"],
        retain=state["retain"],
        read=lambda path: _engine.native().iceberg_read(config.native_options(), path),
    )


def _parsed(table: IcebergTable) -> dict[str, Any] | None:
    """The newest commit; None if there is none, or it is damaged."""
    try:
        head = json.loads(table["metadata"] or "null")
    except ValueError:
        return None
    return head if isinstance(head, dict) else None


def _is_ours(head: Mapping[str, Any], table: IcebergTable) -> bool:
    return bool(head.get("properties", {}).get(COMMIT) == str(table["commit"]))


def _must_be_ours(name: str, table: IcebergTable, config: Config) -> None:
    head = _parsed(table)
    if table["metadata"] is None or (head is not None and _is_ours(head, table)):
        return
    folder = f"{_root(config)}/_etl/iceberg/{name}"
    raise ProtocolError(
        f"cannot continue the Iceberg table {folder}",
        cause=f"v{table['commit']}.metadata.json is not a commit of sparkify-lake",
        hint="only sparkify-lake may write to it: stop the other program, then move the folder away and run "
        "again, which begins a new table",
        context={"path": folder},
    )


def _version_of(head: Mapping[str, Any]) -> int:
    """The version of the lake that the newest snapshot has."""
    return max((int(one["summary"][VERSION]) for one in head.get("snapshots", ())), default=0)


def _is_current(
    head: Mapping[str, Any], name: str, table: IcebergTable, state: IcebergState, config: Config
) -> bool:
    """Whether the files, the snapshots and the location are those that a new commit would have."""
    return bool(
        _version_of(head) == table["changed_at"]
        and head["location"] == f"file://{_root(config)}/_etl/iceberg/{name}"
        and not any(expired(head["snapshots"], state["version"], state["retain"]))
    )


def _has_folder(config: Config) -> bool:
    output = str(config.value("output"))
    return not is_remote(output) and Path(output.removeprefix("file:"), "_etl", "iceberg").is_dir()


def _root(config: Config) -> str:
    """The root of a local lake, as a path without symlinks."""
    return str(Path(_engine.lake_root(config)).resolve())


def _state(config: Config) -> IcebergState | None:
    try:
        state: IcebergState = _engine.call(
            config, lambda: _engine.native().iceberg_state(config.native_options())
        )
    except NoInputError:
        return None
    return state


def _files(config: Config, state: IcebergState, table: IcebergTable) -> tuple[list[Any], dict[str, int]]:
    options, folder = config.native_options(), table["folder"]
    files: tuple[list[Any], dict[str, int]] = _engine.call(
        config, lambda: _engine.native().iceberg_files(options, state["version"], folder)
    )
    return files


def _commit(config: Config, files: list[tuple[str, bytes]]) -> bool:
    made: bool = _engine.call(config, lambda: _engine.native().iceberg_commit(config.native_options(), files))
    return made


def _remove(config: Config, paths: list[str]) -> None:
    if paths:
        _engine.call(config, lambda: _engine.native().iceberg_remove(config.native_options(), paths))
