"""The content of a commit of an Iceberg table: manifests, the manifest list and `vN.metadata.json`.

The name of a manifest begins with a digest of the paths in it, so a commit finds the manifests to keep
without reading them.

Invariant: the live entries of the manifests of a commit are exactly the files of the version of the lake.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Generator, Sequence
from typing import Any, TypedDict
from uuid import uuid4

from pyiceberg.conversions import to_bytes
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestFile,
    write_manifest,
    write_manifest_list,
)
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import TableProperties  # the readers and writers of manifests would import it late
from pyiceberg.transforms import IdentityTransform
from pyiceberg.typedef import Record
from pyiceberg.types import (
    BooleanType,
    DoubleType,
    IntegerType,
    LongType,
    NestedField,
    StringType,
    TimestamptzType,
)

from sparkify_lake.iceberg.files import MetadataFiles, path_of

# The number of a commit; a commit of another program copies it from the commit before.
COMMIT = "sparkify-lake.commit"
# The version of the lake that a snapshot has, and the one that no longer has a file of the snapshot before.
VERSION = "sparkify-lake.version"
LEFT_AT = "sparkify-lake.left-at"
# A version before all others: files of the snapshot have been removed.
_GONE = -100
_TYPES = {
    "int32": (IntegerType(), int),
    "int64": (LongType(), int),
    "float64": (DoubleType(), float),
    "text": (StringType(), str),
    "timestamp": (TimestamptzType(), int),
    "boolean": (BooleanType(), bool),
}
Reading = Generator[list[str], list[bytes | None], Any]


class Request(TypedDict):
    """A table at a version of the lake, as the engine describes it.

    Attributes:
        location: The URL of the table's metadata.
        data: The URL of the table's files, with a slash at the end.
        columns: Names and types of the columns.
        partition_columns: The columns that are in the path.
        commit: The number of the next commit.
        version: The version of the lake that last changed the table.
        lake_version: The version of the lake.
        retain: The number of earlier versions whose files stay.
        head: The newest commit.
        begins_again: Whether no earlier snapshot stays, because files of the newest commit are lost.
        files: The number of files.
        rows: The number of rows.
        bytes: The size of the files.
        manifests: The files of each manifest as JSON, by the digest of their paths.
        retained: Files of earlier versions that stay, with the version that no longer has them.
    """

    location: str
    data: str
    columns: list[tuple[str, str]]
    partition_columns: list[str]
    commit: int
    version: int
    lake_version: int
    retain: int
    head: dict[str, Any] | None
    begins_again: bool
    files: int
    rows: int
    bytes: int
    manifests: dict[str, str]
    retained: dict[str, int]


class PublishedTables(TypedDict):
    """The Iceberg tables of a lake after its newest commits.

    Attributes:
        url: The URL of the lake.
        tables: The location of the newest `vN.metadata.json` and its content, by table.
        removed: The tables that are not published.
    """

    url: str
    tables: dict[str, dict[str, Any]]
    removed: list[str]


def commit(request: Request) -> Reading:
    """Makes the commit that brings a table to a version.

    Returns:
        The new files by path, the last of which is the commit; and the manifests and lists that the table
        needs after it, if files of earlier commits are no longer needed. None if a file of the newest commit
        is missing.
    """
    try:
        return (yield from _commit(request))
    except FileNotFoundError:
        return None


def _commit(request: Request) -> Reading:
    io = MetadataFiles()
    schema, spec = _schema(request)
    before, now, sequence, snapshots = request["head"], int(time.time() * 1000), 0, []
    layout: dict[str, Any] = {
        "location": request["location"],
        "schemas": [json.loads(schema.model_dump_json())],
        "partition-specs": [json.loads(spec.model_dump_json())],
    }
    if before is not None:
        now, sequence = max(now, before["last-updated-ms"] + 1), before["last-sequence-number"]
        # Files of tables with other names of columns, or at another place, have nothing in common with these.
        if not request["begins_again"] and all(before[name] == value for name, value in layout.items()):
            snapshots = before["snapshots"]
    if not snapshots or int(snapshots[-1]["summary"][VERSION]) != request["version"]:
        sequence += 1
        writer = _SnapshotWriter(request, io, schema, spec, snapshots[-1] if snapshots else None, sequence)
        snapshots = [*snapshots, (yield from writer.write(now))]
    kept = _not_expired(snapshots, request)
    newest = kept[-1]["snapshot-id"]
    names = [{"field-id": field.field_id, "names": [field.name]} for field in schema.fields]
    metadata = {
        "format-version": 2,
        "table-uuid": str(uuid4()) if before is None else before["table-uuid"],
        **layout,
        "last-updated-ms": now,
        "last-sequence-number": sequence,
        "last-column-id": schema.highest_field_id,
        "current-schema-id": 0,
        "default-spec-id": 0,
        "last-partition-id": spec.last_assigned_field_id,
        "sort-orders": [{"order-id": 0, "fields": []}],
        "default-sort-order-id": 0,
        "properties": {
            TableProperties.DEFAULT_NAME_MAPPING: json.dumps(names),
            "gc.enabled": "false",  # no other program may remove files of the lake
            COMMIT: str(request["commit"]),
        },
        "current-snapshot-id": newest,
        "snapshots": kept,
        "snapshot-log": [{key: one[key] for key in ("snapshot-id", "timestamp-ms")} for one in kept],
        "metadata-log": [],
        "refs": {"main": {"snapshot-id": newest, "type": "branch"}},
    }
    made = [(path_of(location), content) for location, content in io.written.items()]
    path = path_of(f"{request['location']}/metadata/v{request['commit']}.metadata.json")
    made.append((path, json.dumps(metadata).encode()))
    needed = None
    if before is not None and any(one not in kept for one in (*before["snapshots"], *snapshots)):
        lists = [one["manifest-list"] for one in kept]
        yield from io.read(lists)
        manifests = [manifest.manifest_path for one in lists for manifest in io.manifests(one)]
        needed = [path_of(location) for location in (*lists, *manifests)]
    return made, needed


def matches(request: Request) -> Reading:
    """Returns true if the newest snapshot has exactly the files of the version."""
    io = MetadataFiles()
    try:
        head = request["head"] or {}
        ids = {one["snapshot-id"]: one["manifest-list"] for one in head["snapshots"]}
        newest = ids[head["current-snapshot-id"]]
        yield from io.read([newest])
        manifests = io.manifests(newest)
        yield from io.read(manifest.manifest_path for manifest in manifests)
        found = {
            entry.data_file.file_path: entry.data_file.file_size_in_bytes
            for manifest in manifests
            for entry in manifest.fetch_manifest_entry(io)
        }
    except (OSError, ValueError, TypeError, EOFError, LookupError):
        return False
    files = (file for text in request["manifests"].values() for file in json.loads(text))
    return found == {f"{request['data']}{file['path']}": file["size"] for file in files}


class _SnapshotWriter:
    """Writes one snapshot: the manifests that differ from those of its parent, and the list of all."""

    def __init__(
        self,
        request: Request,
        io: MetadataFiles,
        schema: Schema,
        spec: PartitionSpec,
        parent: dict[str, Any] | None,
        sequence: int,
    ) -> None:
        self._request, self._io, self._schema, self._spec = request, io, schema, spec
        self._parent, self._sequence = parent, sequence
        self._id = secrets.randbits(62) + 1
        self._kinds = dict(request["columns"])
        in_folders = request["partition_columns"]
        self._file_fields = [field for field in schema.fields if field.name not in in_folders]
        self._keys = [_TYPES[self._kinds[name]][1] for name in in_folders]

    def write(self, now: int) -> Reading:
        known = []
        if self._parent:
            yield from self._io.read([self._parent["manifest-list"]])
            known = self._io.manifests(self._parent["manifest-list"])
        wanted, data = self._request["manifests"], self._request["data"]
        kept = [manifest for manifest in known if _digest_of(manifest) in wanted]
        replaced = [manifest for manifest in known if _digest_of(manifest) not in wanted]
        yield from self._io.read(manifest.manifest_path for manifest in replaced)
        old = {
            entry.data_file.file_path.removeprefix(data): entry
            for manifest in replaced
            for entry in manifest.fetch_manifest_entry(self._io)
        }
        new_digests = wanted.keys() - {_digest_of(manifest) for manifest in kept}
        files = {digest: json.loads(wanted[digest]) for digest in sorted(new_digests)}
        paths = {file["path"] for group in files.values() for file in group}
        gone = [entry for path, entry in old.items() if path not in paths]
        added = [file for group in files.values() for file in group if file["path"] not in old]
        written, removed = [], gone
        for digest, group in files.items():
            existing = [old[file["path"]] for file in group if file["path"] in old]
            new = [file for file in group if file["path"] not in old]
            written.append(self._write_manifest(digest, existing, new, removed))
            removed = []
        if removed:
            written.append(self._write_manifest("removed", [], [], removed))
        location = f"{self._request['location']}/metadata/snap-{self._id}.avro"
        with write_manifest_list(
            2,
            self._io.new_output(location),
            self._id,
            self._parent["snapshot-id"] if self._parent else None,
            self._sequence,
            "deflate",
        ) as manifest_list:
            manifest_list.add_manifests([*written, *kept])
        parent = {"parent-snapshot-id": self._parent["snapshot-id"]} if self._parent else {}
        return {
            "snapshot-id": self._id,
            **parent,
            "sequence-number": self._sequence,
            "timestamp-ms": now,
            "manifest-list": location,
            "summary": self._summary(added, [entry.data_file for entry in gone]),
            "schema-id": 0,
        }

    def _summary(self, added: Sequence[dict[str, Any]], gone: Sequence[DataFile]) -> dict[str, str]:
        request = self._request
        retained, data, version = request["retained"], request["data"], request["version"]
        left = [retained.get(file.file_path.removeprefix(data), _GONE) for file in gone]
        operation = "append" if not gone else "overwrite" if added else "delete"
        counts = {
            "added-data-files": len(added),
            "added-records": sum(file["rows"] for file in added),
            "added-files-size": sum(file["size"] for file in added),
            "deleted-data-files": len(gone),
            "deleted-records": sum(file.record_count for file in gone),
            "removed-files-size": sum(file.file_size_in_bytes for file in gone),
            "total-data-files": request["files"],
            "total-records": request["rows"],
            "total-files-size": request["bytes"],
            "total-delete-files": 0,
            "total-position-deletes": 0,
            "total-equality-deletes": 0,
            VERSION: version,
            LEFT_AT: min([version, *left]),
        }
        return {"operation": operation, **{name: str(number) for name, number in counts.items()}}

    def _write_manifest(
        self,
        digest: str,
        existing: Sequence[ManifestEntry],
        added: Sequence[dict[str, Any]],
        removed: Sequence[ManifestEntry],
    ) -> ManifestFile:
        output = self._io.new_output(f"{self._request['location']}/metadata/{digest}-{self._id}.avro")
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

    def _data_file(self, file: dict[str, Any]) -> DataFile:
        low: dict[int, bytes] = {}
        high: dict[int, bytes] = {}
        nulls: dict[int, int] = {}
        for field, (least, greatest, count) in zip(self._file_fields, file["stats"] or (), strict=False):
            nulls[field.field_id] = count
            convert = _TYPES[self._kinds[field.name]][1]
            for bounds, value in ((low, least), (high, greatest)):
                if value is not None:
                    bounds[field.field_id] = to_bytes(field.field_type, convert(value))
        values = zip(self._keys, file["partition"], strict=True)
        data_file = DataFile.from_args(
            content=DataFileContent.DATA,
            file_path=f"{self._request['data']}{file['path']}",
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


def _schema(request: Request) -> tuple[Schema, PartitionSpec]:
    fields = [
        NestedField(number, name, _TYPES[kind][0], required=False)
        for number, (name, kind) in enumerate(request["columns"], start=1)
    ]
    ids = {field.name: field.field_id for field in fields}
    keys = [
        PartitionField(source_id=ids[name], field_id=number, transform=IdentityTransform(), name=name)
        for number, name in enumerate(request["partition_columns"], start=1000)
    ]
    return Schema(*fields, schema_id=0), PartitionSpec(*keys, spec_id=0)


def _digest_of(manifest: ManifestFile) -> str:
    return str(manifest.manifest_path.rpartition("/")[2].partition("-")[0])


def _not_expired(snapshots: Sequence[dict[str, Any]], request: Request) -> list[dict[str, Any]]:
    """Leaves out the snapshots of which a file may have been removed."""
    kept, left_at = [], request["lake_version"] + 1
    for snapshot in reversed(snapshots):
        if left_at + request["retain"] > request["lake_version"]:
            kept.append(snapshot)
        left_at = min(left_at, int(snapshot["summary"][LEFT_AT]))
    return kept[::-1]
