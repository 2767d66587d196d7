"""The types of the keyword arguments of each public call; their meaning is in `options.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from os import PathLike
from typing import TypedDict

from sparkify_lake.secret import Secret

Location = str | PathLike[str]


class StoreOptions(TypedDict, total=False):
    """Keyword arguments of every call that may access an object store; None means "not set"."""

    config: Location | None
    region: str | None
    endpoint_url: str | None
    addressing_style: str | None
    use_fips_endpoint: bool | None
    use_dualstack_endpoint: bool | None
    profile: str | None
    anonymous: bool | None
    allow_http: bool | None
    ca_file: Location | None
    store_patience: str | None
    requester_pays: bool | None
    access_key_id: str | Secret | None
    secret_access_key: str | Secret | None
    session_token: str | Secret | None


class ObjectOptions(StoreOptions, total=False):
    """Keyword arguments of the calls that may write objects, in addition to output."""

    sse: str | None
    sse_kms_key_id: str | None
    bucket_key_enabled: bool | None
    storage_class: str | None
    acl: str | None


class RecoverOptions(ObjectOptions, total=False):
    """Keyword arguments of `recover`, in addition to output."""

    iceberg_catalog: str | None


class ReadOptions(StoreOptions, total=False):
    """Keyword arguments of `build`, in addition to input."""

    song_data: Location | None
    log_data: Location | None
    follow_symlinks: bool | None
    tables: str | Sequence[str] | None
    match: str | None
    unmatched: str | None
    history_from: str | None
    column_names: str | Mapping[str, str] | None
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


class PlanOptions(ReadOptions, RecoverOptions, total=False):
    """Keyword arguments of `plan`, in addition to input and output."""

    compression: str | None
    table_names: str | Mapping[str, str] | None
    formats: str | Sequence[str] | None
    retain: int | None
    expect: str | Sequence[str] | None
    adopt: bool | None
    allow_shrink: bool | None
    keep_gone: bool | None
    rebuild: bool | None


class RunOptions(PlanOptions, total=False):
    """Keyword arguments of `run`, in addition to input and output."""

    report: Location | None
    metrics: Location | None
    executor: object
    shard_size: int | str | None


class DoctorOptions(ObjectOptions, total=False):
    """Keyword arguments of `doctor`, in addition to the location."""

    executor: object


class StatusOptions(StoreOptions, total=False):
    """Keyword arguments of `status`, in addition to output and input."""

    song_data: Location | None
    log_data: Location | None
    follow_symlinks: bool | None


class LakeOptions(StoreOptions, total=False):
    """Keyword arguments of `open_lake` and `history`."""

    table_names: str | Mapping[str, str] | None
    column_names: str | Mapping[str, str] | None
