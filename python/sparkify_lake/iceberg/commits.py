"""The content of a commit of an Iceberg table: manifests, the manifest list and `vN.metadata.json`.

The files of a table are divided into manifests by a hash of their folders. The name of a manifest begins with
a digest of the paths in it, so a commit finds the manifests to keep without reading them, and one changed
file means one new manifest.

Invariant: the live entries of the manifests of a commit are exactly the files of the version of the lake.
"""

from __future__ import annotations

import hashlib
import secrets
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyiceberg.conversions import to_bytes
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestFile,
    read_manifest_list,
    write_manifest,
    write_manifest_list,
)
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table.metadata import TableMetadataV2
from pyiceberg.table.name_mapping import create_mapping_from_schema
from pyiceberg.table.refs import SnapshotRef, SnapshotRefType
from pyiceberg.table.snapshots import Operation, Snapshot, SnapshotLogEntry, Summary
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER
from pyiceberg.transforms import IdentityTransform
from pyiceberg.typedef import Record
from pyiceberg.types import DoubleType, IntegerType, LongType, NestedField, StringType, TimestamptzType

from sparkify_lake.iceberg.files import COMMIT, LEFT_AT, VERSION, MetadataFiles, expired, path_of

if TYPE_CHECKING:
    from sparkify_lake._native import IcebergFile, TableSchema

# Entries of a manifest. Fewer mean more files to read, more mean a slower commit.
_ENTRIES = 1000
# Earlier commits whose `vN.metadata.json` stay for programs that have read the hint.
_KEPT_COMMITS = 20
_TYPES = {
    "int32": (IntegerType(), int),
    "int64": (LongType(), int),
    "float64": (DoubleType(), float),
    "text": (StringType(), str),
    "timestamp": (TimestamptzType(), int),
}
# A version before all others: files of the snapshot have been removed.
_GONE = -100


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A table at a version of the lake.

    Attributes:
        name: Its name in the schema.
        root: The root of the lake, an absolute path.
        folder: The folder of its files below the root.
        schema: Its columns.
        commit: The number of its newest commit.
        changed_at: The version of the lake that last changed it.
        lake_version: The version of the lake.
        retain: The number of earlier versions whose files stay.
        read: Reads a file of the metadata by its path below the root.
    """

    name: str
    root: str
    folder: str
    schema: TableSchema
    commit: int
    changed_at: int
    lake_version: int
    retain: int
    read: Callable[[str], bytes | None]

    @property
    def location(self) -> str:
        """The URL of the table's metadata."""
        return f"file://{self.root}/_etl/iceberg/{self.name}"

    @property
    def data(self) -> str:
        """The URL of the table's files, with a slash at the end."""
        return f"file://{self.root}/{self.folder}/"

    def files(self) -> MetadataFiles:
        """Returns the files of the metadata."""
        return MetadataFiles(self.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """The files of a commit by path, of which the last is the commit, and the files to remove after it."""

    files: list[tuple[str, bytes]]
    outdated: list[str]


def next_commit(
    target: Target,
    head: Mapping[str, Any] | None,
    files: Sequence[IcebergFile],
    retained: Mapping[str, int],
    *,
    begins_again: bool = False,
) -> Commit:
    """Makes the commit that brings a table to the files of a version.

    Args:
        target: The table.
        head: The newest commit, if there is one.
        files: The files.
        retained: The files of earlier versions that stay in place, with the version that no longer has them.
        begins_again: Whether files of the newest commit are lost, so that none of its snapshots stays.

    Raises:
        FileNotFoundError: If a file of the newest commit is missing.
    """
    io = target.files()
    schema, spec = _schema(target)
    before = TableMetadataV2.model_validate(head) if head is not None else None
    # Files of tables with other names of columns, or at another place, have nothing in common with these.
    is_new = before is None or (
        begins_again
        or before.location != target.location
        or before.schema() != schema
        or before.spec() != spec
    )
    snapshots = [] if before is None or is_new else list(before.snapshots)
    now = max(int(time.time() * 1000), before.last_updated_ms + 1 if before else 0)
    number = target.commit + 1
    sequence = (before.last_sequence_number if before else 0) + 1
    if not snapshots or int(snapshots[-1].summary[VERSION]) != target.changed_at:
        parent = snapshots[-1] if snapshots else None
        writer = _SnapshotWriter(target, io, schema, spec, parent, sequence)
        snapshots.append(writer.write(files, retained, now))
    else:
        sequence -= 1
    flags = expired([_plain(one) for one in snapshots], target.lake_version, target.retain)
    kept = [one for one, is_expired in zip(snapshots, flags, strict=True) if not is_expired]
    newest = kept[-1]
    metadata = TableMetadataV2(
        location=target.location,
        **({"table_uuid": before.table_uuid} if before else {}),
        last_updated_ms=now,
        last_column_id=schema.highest_field_id,
        schemas=[schema],
        current_schema_id=0,
        partition_specs=[spec],
        default_spec_id=0,
        last_partition_id=spec.last_assigned_field_id,
        properties={
            "schema.name-mapping.default": create_mapping_from_schema(schema).model_dump_json(),
            "gc.enabled": "false",  # no other program may remove files of the lake
            COMMIT: str(number),
        },
        current_snapshot_id=newest.snapshot_id,
        snapshots=kept,
        snapshot_log=[
            SnapshotLogEntry(snapshot_id=one.snapshot_id, timestamp_ms=one.timestamp_ms) for one in kept
        ],
        sort_orders=[UNSORTED_SORT_ORDER],
        default_sort_order_id=UNSORTED_SORT_ORDER.order_id,
        refs={"main": SnapshotRef(snapshot_id=newest.snapshot_id, snapshot_ref_type=SnapshotRefType.BRANCH)},
        last_sequence_number=sequence,
    )
    path = f"_etl/iceberg/{target.name}/metadata/v{number}.metadata.json"
    made = [(path_of(location), content) for location, content in io.written.items()]
    made.append((path, metadata.model_dump_json(exclude_none=True, by_alias=True).encode()))
    outdated = _outdated(io, [] if before is None else before.snapshots, kept)
    if number > _KEPT_COMMITS:
        outdated.append(path.replace(f"v{number}.", f"v{number - _KEPT_COMMITS}."))
    return Commit(files=made, outdated=outdated)


def matches(target: Target, head: Mapping[str, Any], files: Sequence[IcebergFile]) -> bool:
    """Returns true if the newest snapshot has exactly these files."""
    io = target.files()
    try:
        snapshot = TableMetadataV2.model_validate(head).current_snapshot()
        found = {
            entry.data_file.file_path: entry.data_file.file_size_in_bytes
            for manifest in _manifests(io, snapshot)
            for entry in manifest.fetch_manifest_entry(io)
        }
    except (OSError, ValueError, TypeError, EOFError, AttributeError):
        return False
    return found == {f"{target.data}{file['path']}": file["size"] for file in files}


class _SnapshotWriter:
    """Writes one snapshot: the manifests that differ from those of its parent, and the list of all."""

    def __init__(
        self,
        target: Target,
        io: MetadataFiles,
        schema: Schema,
        spec: PartitionSpec,
        parent: Snapshot | None,
        sequence: int,
    ) -> None:
        self._target, self._io, self._schema, self._spec = target, io, schema, spec
        self._parent, self._sequence = parent, sequence
        self._id = secrets.randbits(62) + 1
        in_folders = target.schema["partition_columns"]
        self._file_fields = [field for field in schema.fields if field.name not in in_folders]
        self._keys = [_TYPES[target.schema["columns"][name]][1] for name in in_folders]

    def write(self, files: Sequence[IcebergFile], retained: Mapping[str, int], now: int) -> Snapshot:
        wanted = {file["path"]: file for file in files}
        known = _manifests(self._io, self._parent) if self._parent else []
        by_digest = {_digest_of(manifest): manifest for manifest in known}
        count = 1
        while len(wanted) > count * _ENTRIES:
            count *= 2
        groups: dict[int, list[str]] = {}
        for path in sorted(wanted):
            groups.setdefault(_group(path, count), []).append(path)
        digests = {group: _digest(paths) for group, paths in groups.items()}
        kept = [by_digest[digest] for digest in digests.values() if digest in by_digest]
        replaced = [manifest for digest, manifest in by_digest.items() if digest not in digests.values()]
        old = {
            entry.data_file.file_path.removeprefix(self._target.data): entry
            for manifest in replaced
            for entry in manifest.fetch_manifest_entry(self._io)
        }
        removed: dict[int, list[ManifestEntry]] = {}
        for path, entry in old.items():
            if path not in wanted:
                removed.setdefault(_group(path, count), []).append(entry)
        added: list[IcebergFile] = []
        written = []
        for group in sorted(groups.keys() | removed.keys()):
            digest, gone = digests.get(group, "0"), removed.get(group, [])
            if digest in by_digest and not gone:
                continue
            paths = [] if digest in by_digest else groups.get(group, [])
            new = [wanted[path] for path in paths if path not in old]
            added += new
            name = digest if paths else f"removed{group}"
            written.append(
                self._write_manifest(name, [old[path] for path in paths if path in old], new, gone)
            )
        gone = [entry.data_file for entries in removed.values() for entry in entries]
        location = f"{self._target.location}/metadata/snap-{self._id}.avro"
        with write_manifest_list(
            2,
            self._io.new_output(location),
            self._id,
            self._parent.snapshot_id if self._parent else None,
            self._sequence,
            "deflate",
        ) as manifest_list:
            manifest_list.add_manifests([*written, *kept])
        left = [retained.get(file.file_path.removeprefix(self._target.data), _GONE) for file in gone]
        operation = Operation.APPEND if not gone else Operation.OVERWRITE if added else Operation.DELETE
        counts = {
            "added-data-files": len(added),
            "added-records": sum(file["rows"] for file in added),
            "added-files-size": sum(file["size"] for file in added),
            "deleted-data-files": len(gone),
            "deleted-records": sum(file.record_count for file in gone),
            "removed-files-size": sum(file.file_size_in_bytes for file in gone),
            "total-data-files": len(wanted),
            "total-records": sum(file["rows"] for file in files),
            "total-files-size": sum(file["size"] for file in files),
            "total-delete-files": 0,
            "total-position-deletes": 0,
            "total-equality-deletes": 0,
            VERSION: self._target.changed_at,
            LEFT_AT: min([self._target.changed_at, *left]),
        }
        return Snapshot(
            snapshot_id=self._id,
            parent_snapshot_id=self._parent.snapshot_id if self._parent else None,
            sequence_number=self._sequence,
            timestamp_ms=now,
            manifest_list=location,
            summary=Summary(operation, **{name: str(number) for name, number in counts.items()}),
            schema_id=0,
        )

    def _write_manifest(
        self,
        digest: str,
        existing: Sequence[ManifestEntry],
        added: Sequence[IcebergFile],
        removed: Sequence[ManifestEntry],
    ) -> ManifestFile:
        output = self._io.new_output(f"{self._target.location}/metadata/{digest}-{self._id}.avro")
        with write_manifest(2, self._spec, self._schema, output, self._id, "deflate") as writer:
            for file in added:
                writer.add(
                    ManifestEntry.from_args(
                        status=ManifestEntryStatus.ADDED,
                        snapshot_id=self._id,
                        data_file=self._data_file(file),
                    )
                )
            for entry in existing:
                writer.existing(entry)
            for entry in removed:
                writer.delete(entry)
        return writer.to_manifest_file()

    def _data_file(self, file: IcebergFile) -> DataFile:
        low: dict[int, bytes] = {}
        high: dict[int, bytes] = {}
        nulls: dict[int, int] = {}
        for field, (least, greatest, count) in zip(self._file_fields, file["stats"] or (), strict=False):
            nulls[field.field_id] = count
            convert = _TYPES[self._target.schema["columns"][field.name]][1]
            for bounds, value in ((low, least), (high, greatest)):
                if value is not None:
                    bounds[field.field_id] = to_bytes(field.field_type, convert(value))
        values = zip(self._keys, file["partition"], strict=True)
        data_file = DataFile.from_args(
            content=DataFileContent.DATA,
            file_path=f"{self._target.data}{file['path']}",
            file_format=FileFormat.PARQUET,
            partition=Record(*(None if text is None else convert(text) for convert, text in values)),
            record_count=file["rows"],
            file_size_in_bytes=file["size"],
            column_sizes=None,
            value_counts=dict.fromkeys(nulls, file["rows"]),
            null_value_counts=nulls,
            nan_value_counts=None,
            lower_bounds=low,
            upper_bounds=high,
            key_metadata=None,
            split_offsets=None,
            equality_ids=None,
            sort_order_id=None,
        )
        data_file.spec_id = self._spec.spec_id
        return data_file


def _schema(target: Target) -> tuple[Schema, PartitionSpec]:
    columns = target.schema["columns"]
    fields = [
        NestedField(number, name, _TYPES[kind][0], required=False)
        for number, (name, kind) in enumerate(columns.items(), start=1)
    ]
    ids = {field.name: field.field_id for field in fields}
    keys = [
        PartitionField(source_id=ids[name], field_id=number, transform=IdentityTransform(), name=name)
        for number, name in enumerate(target.schema["partition_columns"], start=1000)
    ]
    return Schema(*fields, schema_id=0), PartitionSpec(*keys, spec_id=0)


def _group(path: str, count: int) -> int:
    """The manifest of a file. A file that replaces another one of its folder is in the same one."""
    return zlib.crc32(path.rpartition("/")[0].encode()) % count


def _digest(paths: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(paths).encode()).hexdigest()[:32]


def _digest_of(manifest: ManifestFile) -> str:
    return str(manifest.manifest_path.rpartition("/")[2].partition("-")[0])


def _manifests(io: MetadataFiles, snapshot: Snapshot) -> list[ManifestFile]:
    return list(read_manifest_list(io.new_input(snapshot.manifest_list)))


def _plain(snapshot: Snapshot) -> dict[str, Any]:
    return {"summary": dict(snapshot.summary.additional_properties)}


def _outdated(io: MetadataFiles, before: Sequence[Snapshot], kept: Sequence[Snapshot]) -> list[str]:
    """The manifests and lists that only expired snapshots have."""
    needed = {one.manifest_list for one in kept}
    expired_ones = [one for one in before if one.manifest_list not in needed]
    if not expired_ones:
        return []
    known: dict[str, list[ManifestFile]] = {}
    for one in [*kept, *expired_ones]:
        try:
            known[one.manifest_list] = _manifests(io, one)
        except FileNotFoundError:
            known[one.manifest_list] = []
    needed |= {manifest.manifest_path for one in kept for manifest in known[one.manifest_list]}
    found = {one.manifest_list for one in expired_ones}
    found |= {manifest.manifest_path for one in expired_ones for manifest in known[one.manifest_list]}
    return sorted(path_of(location) for location in found - needed)
