"""Commits the Iceberg tables of a lake to a catalog of PyIceberg too.

A catalog has its own metadata files, which name the same snapshots. It follows the metadata of the lake: the
snapshot of a version that it already has is not added again, so a repeated run changes nothing.

Invariant: a table of a catalog that is not the one of this lake is never changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata, TableMetadataV2
from pyiceberg.table.update import (
    AddSnapshotUpdate,
    AssertRefSnapshotId,
    AssertTableUUID,
    RemoveSnapshotsUpdate,
    SetPropertiesUpdate,
    SetSnapshotRefUpdate,
    TableUpdate,
)

from sparkify_lake.errors import ProtocolError, RetryableError
from sparkify_lake.iceberg.commits import VERSION, PublishedTables

# The namespace of the tables, unless the option names another one.
_NAMESPACE = "sparkify"
# Attempts to commit while other runs do.
_ATTEMPTS = 5


def publish(name: str, published: PublishedTables) -> None:
    """Brings the tables in a catalog to the newest commits of a lake, and drops those that it no longer has.

    Args:
        name: The name of the catalog in PyIceberg's configuration; a namespace may follow after a dot.
        published: The tables of the lake.

    Raises:
        ProtocolError: If a table of the catalog is another one, or another program has changed it.
        RetryableError: If other runs make commits all the time.
    """
    name, _, namespace = name.partition(".")
    namespace = namespace or _NAMESPACE
    catalog = load_catalog(name)
    if published["tables"]:
        catalog.create_namespace_if_not_exists(namespace)
    for table, head in published["tables"].items():
        _publish_table(catalog, f"{namespace}.{table}", head, published["url"])
    for table in published["removed"]:
        known = _find(catalog, f"{namespace}.{table}")
        if known is not None and _is_ours(known, published["url"]):
            catalog.drop_table(f"{namespace}.{table}")


def _publish_table(catalog: Catalog, identifier: str, head: Mapping[str, Any], url: str) -> None:
    wanted = TableMetadataV2.model_validate(head["metadata"])
    for _ in range(_ATTEMPTS):
        known = _find(catalog, identifier)
        if known is None:
            catalog.register_table(identifier, head["location"])
            return
        if not _is_ours(known, url) or _version_of(known.metadata) is None:
            raise ProtocolError(
                f"cannot continue the table {identifier} in the catalog {catalog.name}",
                cause="it is not a table of this lake, or another program has added a snapshot",
                hint="choose another namespace, as in --iceberg-catalog name.namespace; or drop the table "
                "from the catalog without its files and run again, which registers it again",
            )
        if (_version_of(known.metadata) or 0) > (_version_of(wanted) or 0):
            return
        if _has_other_schema(known.metadata, wanted):
            catalog.drop_table(identifier)
            continue
        updates = _updates(known.metadata, wanted)
        if not updates:
            return
        requirements = (
            AssertTableUUID(uuid=known.metadata.table_uuid),
            AssertRefSnapshotId(ref="main", snapshot_id=known.metadata.current_snapshot_id),
        )
        try:
            catalog.commit_table(known, requirements, updates)
        except CommitFailedException:
            continue
        _remove_outdated(known)
        return
    raise RetryableError(
        f"the table {identifier} could not be committed to the catalog, because other programs commit to it",
        hint="run again; the lake is published",
    )


def _find(catalog: Catalog, identifier: str) -> Table | None:
    try:
        return catalog.load_table(identifier)
    except NoSuchTableError:
        return None


def _is_ours(table: Table, url: str) -> bool:
    return bool(table.metadata.location.startswith(f"{url}/_etl/iceberg/"))


def _version_of(metadata: TableMetadata) -> int | None:
    """The version of the lake that the current snapshot shows; None for the snapshot of another program."""
    snapshot = metadata.current_snapshot()
    version = snapshot.summary[VERSION] if snapshot and snapshot.summary else None
    return None if version is None else int(version)


def _has_other_schema(known: TableMetadata, wanted: TableMetadata) -> bool:
    return bool(
        known.table_uuid != wanted.table_uuid
        or known.location != wanted.location
        or known.schema() != wanted.schema()
    )


def _updates(known: TableMetadata, wanted: TableMetadata) -> tuple[TableUpdate, ...]:
    """The changes from one to the other; nothing if the snapshots are the same."""
    old = {snapshot.snapshot_id for snapshot in known.snapshots}
    new = {snapshot.snapshot_id for snapshot in wanted.snapshots}
    if old == new or wanted.current_snapshot_id is None:
        return ()
    removed = (RemoveSnapshotsUpdate(snapshot_ids=sorted(old - new)),) if old - new else ()
    return (
        *(AddSnapshotUpdate(snapshot=one) for one in wanted.snapshots if one.snapshot_id not in old),
        SetSnapshotRefUpdate(ref_name="main", type="branch", snapshot_id=wanted.current_snapshot_id),
        *removed,
        SetPropertiesUpdate(updates=wanted.properties),
    )


def _remove_outdated(table: Table) -> None:
    """Removes the metadata file that the catalog wrote before the one that is just replaced."""
    for entry in table.metadata.metadata_log[-1:]:
        if not entry.metadata_file.rpartition("/")[2].startswith("v"):
            with suppress(FileNotFoundError):
                table.io.delete(entry.metadata_file)
