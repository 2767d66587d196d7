"""JSON files as Parquet in a temporary folder, with the schema that Spark infers from all records.

Sail 0.7 infers from a part of the input, keeps the order of the keys, and ends the read at a broken or mixed
record. Blocks of lines are read with pyarrow; a block that pyarrow refuses, or could read differently from
Spark, is read record by record (`json_records.py`). Memory holds one block, regardless of the size of the
input.
"""

from __future__ import annotations

import atexit
import io
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from tempfile import mkdtemp
from typing import Any

import pyarrow as pa
import pyarrow.json
import pyarrow.parquet
from pyspark.errors import AnalysisException
from pyspark.sql.types import StructType

from sparkify_lake.session.json_records import Records, canonical, merged
from sparkify_lake.session.json_types import SchemaTypes
from sparkify_lake.session.locations import File, folder_name
from sparkify_lake.session.refusal import not_covered

_BLOCK_BYTES = 16 << 20
# Whole numbers of this length may be decimals in Spark.
_LONG_NUMBER = re.compile(rb"\d{19}")
# Options that change what a record means, with the value that changes nothing.
_FIXED = {
    "primitivesasstring": "false", "prefersdecimal": "false", "dropfieldifallnull": "false",
    "allowcomments": "false", "allowunquotedfieldnames": "false", "allowunquotedcontrolchars": "false",
    "allowbackslashescapinganycharacter": "false", "allownumericleadingzeros": "false",
    "infertimestamp": "false", "linesep": "\n", "encoding": "utf-8", "charset": "utf-8",
}  # fmt: skip
_converted: dict[tuple[Any, ...], Converted] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """The converted files; `types` turns text into the types of a given schema."""

    folder: str
    types: SchemaTypes | None
    names: tuple[str, ...]

    @property
    def path(self) -> str:
        """The folder."""
        return f"{self.folder}/"

    def typed(self, frame: Any) -> Any:
        """Returns the frame with the types of the given schema."""
        return self.types.typed(frame) if self.types else frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Complete lines, or one document, of files with the same partition values."""

    values: Mapping[str, str | None]
    data: bytes
    is_document: bool


def converted(
    system: Any, files: list[File], schema: StructType | None, given: Mapping[str, str]
) -> Converted:
    """Converts the files, unless the same files were converted before with the same options."""
    for name, value in _FIXED.items():
        if given.get(name, value).lower() != value:
            raise not_covered(f"spark.read.json with the option {name}", hint="leave the option out")
    options = ("multiline", "mode", "columnnameofcorruptrecord", "dateformat", "timestampformat")
    key = (
        system.type_name, *((one.path, one.size, one.changed) for one in files), schema and schema.json(),
        *(given.get(name) for name in options),
    )  # fmt: skip
    if key not in _converted:
        _converted[key] = _Conversion(system, files, schema, given).run()
    return _converted[key]


@cache
def _folder() -> str:
    """Returns the folder of all conversions, which is removed when this process ends."""
    folder, process = mkdtemp(prefix="sparkify-lake-json-"), os.getpid()

    def remove() -> None:
        if os.getpid() == process:
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return folder


class _Conversion:
    def __init__(
        self, system: Any, files: list[File], schema: StructType | None, given: Mapping[str, str]
    ) -> None:
        self._system, self._files = system, files
        self._is_document = given.get("multiline", "false").lower() == "true"
        self._mode = given.get("mode", "permissive").lower()
        self._corrupt = given.get("columnnameofcorruptrecord", "_corrupt_record")
        self._types = SchemaTypes(schema, given) if schema is not None else None

    def run(self) -> Converted:
        schema = self._types.arrow_schema() if self._types else self._inferred()
        folder = mkdtemp(dir=_folder())
        writers: dict[str, Any] = {}
        try:
            for block in self._blocks():
                place = "/".join(folder_name(key, value) for key, value in block.values.items())
                if place not in writers:
                    os.makedirs(f"{folder}/{place}", exist_ok=True)
                    file = f"{folder}/{place}/part-0.parquet"
                    writers[place] = pa.parquet.ParquetWriter(file, schema)
                writers[place].write_table(self._table(block, schema))
            if not writers:
                pa.parquet.write_table(schema.empty_table(), f"{folder}/part-0.parquet")
        finally:
            for writer in writers.values():
                writer.close()
        return Converted(folder=folder, types=self._types, names=tuple(schema.names))

    def _inferred(self) -> pa.Schema:
        total: Any = pa.struct([])
        is_corrupt = False
        for block in self._blocks():
            fast = _read_fast(block, None)
            if fast is not None:
                total = merged(total, pa.struct(list(fast.schema)))
                continue
            records = self._records(block)
            total = merged(total, records.inferred())
            is_corrupt |= records.has_corrupt
        found = {field.name: field for field in canonical(total) or ()}
        if is_corrupt and self._mode == "failfast":
            raise self._failed()
        if is_corrupt and self._mode == "permissive":
            found[self._corrupt] = pa.field(self._corrupt, pa.string())
        return pa.schema([found[name] for name in sorted(found)])

    def _table(self, block: Block, schema: pa.Schema) -> pa.Table:
        fast = _read_fast(block, pa.schema([one for one in schema if one.name != self._corrupt]))
        if fast is None:
            rows, is_corrupt = self._records(block).rows(
                schema, self._corrupt, drop=self._mode == "dropmalformed"
            )
            if is_corrupt and self._mode == "failfast":
                raise self._failed()
            return pa.Table.from_pylist(rows, schema)
        columns = [
            fast[one.name] if one.name in fast.column_names else pa.nulls(len(fast), one.type)
            for one in schema
        ]
        return pa.table(columns, schema=schema)

    def _records(self, block: Block) -> Records:
        return Records(block.data.decode("utf-8", "replace"), is_document=block.is_document)

    def _failed(self) -> AnalysisException:
        return AnalysisException(
            "[MALFORMED_RECORD_IN_PARSING] Malformed records are detected in record parsing. "
            "Parse Mode: FAILFAST. SQLSTATE: 22023"
        )

    def _blocks(self) -> Iterator[Block]:
        """Cuts large files at line ends and joins small files, as long as their partition is the same."""
        waiting, values = b"", self._files[0].values
        for file in self._files:
            if waiting and file.values != values:
                yield Block(values=values, data=waiting, is_document=False)
                waiting = b""
            values = file.values
            with self._system.open_input_stream(file.path, compression="detect") as stream:
                if self._is_document:
                    yield Block(values=values, data=stream.read(), is_document=True)
                    continue
                while data := stream.read(_BLOCK_BYTES):
                    waiting += data
                    end = waiting.rfind(b"\n") + 1 if len(waiting) >= _BLOCK_BYTES else 0
                    if end:
                        yield Block(values=values, data=waiting[:end], is_document=False)
                        waiting = waiting[end:]
            if waiting and not waiting.endswith(b"\n"):
                waiting += b"\n"
        if waiting:
            yield Block(values=values, data=waiting, is_document=False)


def _read_fast(block: Block, schema: pa.Schema | None) -> pa.Table | None:
    """Reads a block with pyarrow; returns None if pyarrow may read it differently from Spark."""
    if block.is_document or _LONG_NUMBER.search(block.data) or not block.data.strip():
        return None
    if schema is not None and "map<" in str(schema):
        return None
    try:
        block.data.decode("utf-8")
        parse = pa.json.ParseOptions(
            explicit_schema=schema, unexpected_field_behavior="infer" if schema is None else "ignore"
        )
        read = pa.json.ReadOptions(block_size=len(block.data) + 1, use_threads=False)
        table = pa.json.read_json(io.BytesIO(block.data), read_options=read, parse_options=parse)
    except (pa.ArrowException, UnicodeDecodeError):
        return None
    lines = sum(1 for line in block.data.splitlines() if line.strip())
    return table if len(table) == lines else None
