"""JSON as Spark reads it: types from all records, broken and mixed records, any size in bounded memory.

The expected schemas and rows are those of PySpark 4.3; the scoreboard compares more of them.
"""

from __future__ import annotations

import gzip
import json
import math
import random
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from sparkify_lake.session import refusal

CASES: dict[str, tuple[str, str, list[tuple[Any, ...]]]] = {
    "columns by name": ('{"b":1,"a":"x"}\n{"C":true}\n', "C boolean, a string, b bigint",
                        [(None, "x", 1), (True, None, None)]),
    "only NULL": ('{"a":null,"b":1}\n', "a string, b bigint", [(None, 1)]),
    "whole and decimal": ('{"a":1}\n{"a":2.5}\n{"a":1e3}\n', "a double", [(1.0,), (2.5,), (1000.0,)]),
    "number and text": ('{"a":112}\n{"a":"x"}\n{"a":1.50}\n{"a":true}\n', "a string",
                        [("112",), ("x",), ("1.50",), ("true",)]),
    "text that looks like a time": ('{"a":"2018-11-01"}\n{"a":"2018-11-01T00:00:00"}\n', "a string",
                                    [("2018-11-01",), ("2018-11-01T00:00:00",)]),
    "a long number": ('{"a":9223372036854775807}\n{"a":9223372036854775808}\n', "a decimal(20,0)",
                      [(9223372036854775807,), (9223372036854775808,)]),
    "a broken line": ('{"a":1}\n{"a": \n{"a":3}\n', "_corrupt_record string, a bigint",
                      [(None, 1), ('{"a": ', None), (None, 3)]),
    "a line that is not an object": ('{"a":1}\n[1]\n7\n', "_corrupt_record string, a bigint",
                                 [(None, 1), ("[1]", None), ("7", None)]),
    "an array of objects": ('[{"a":1},{"a":2}]\n{"a":3}\n', "a bigint", [(1,), (2,), (3,)]),
    "blank lines": ('\n{"a":1}\n   \n\r\n{"a":2}\r\n', "a bigint", [(1,), (2,)]),
    "text after the object": ('{"a":1} x\n{"a":2}{"a":3}\n', "a bigint", [(1,), (2,)]),
    "an empty object": ('{}\n{"a":1}\n', "a bigint", [(None,), (1,)]),
    "lists": ('{"a":[1,2.5],"b":[]}\n{"a":null,"b":null}\n', "a array<double>, b array<string>",
              [([1.0, 2.5], []), (None, None)]),
    "objects": ('{"a":{"y":1,"x":"t"}}\n{"a":{"z":null}}\n', "a struct<x:string,y:bigint,z:string>",
                [(("t", 1, None),), ((None, None, None),)]),
    "escapes": ('{"a":"\\u00e9\\/\\n\\"q\\""}\n', "a string", [('é/\n"q"',)]),
    "single quotes": ("{'a':'it\\'s'}\n{'a':\"x\"}\n", "a string", [("it's",), ("x",)]),
    "a mark at the beginning": ('\ufeff{"a":1}\n', "a bigint", [(1,)]),
    "no number": ('{"a":NaN}\n{"a":1.0}\n', "a double", [(math.nan,), (1.0,)]),
}  # fmt: skip


def plain(rows: list[Any]) -> list[str]:
    return [repr([tuple(cell) if isinstance(cell, tuple) else cell for cell in row]) for row in rows]


def ddl(frame: Any) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in frame.dtypes)


@pytest.mark.parametrize("case", CASES)
def test_types_and_values(without_spark: Any, tmp_path: Path, case: str) -> None:
    text, types, rows = CASES[case]
    (tmp_path / "a.json").write_text(text)
    frame = without_spark.read.json(str(tmp_path))
    assert ddl(frame) == types
    found = [[int(cell) if "decimal" in types else cell for cell in row] for row in frame.collect()]
    assert plain(found) == plain(rows)


def test_a_late_type_counts(without_spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The type of a column follows from the last record, too, across blocks and files."""
    from sparkify_lake.session import json_files

    monkeypatch.setattr(json_files, "_BLOCK_BYTES", 1000)
    lines = [json.dumps({"a": number}) for number in range(2000)]
    (tmp_path / "1.json").write_text("\n".join([*lines, '{"a": 1.5}', '{"a": 2, "b": "late"}']))
    (tmp_path / "2.json.gz").write_bytes(gzip.compress(b'{"a": 3}\n{"torn'))
    frame = without_spark.read.json(str(tmp_path))
    assert ddl(frame) == "_corrupt_record string, a double, b string"
    assert frame.count() == 2004
    assert frame.where("b = 'late'").count() == 1
    assert frame.selectExpr("sum(a)").collect() == [(sum(range(2000)) + 1.5 + 2 + 3,)]


def test_fast_and_slow_blocks_agree(
    without_spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block that pyarrow reads has the result of the same block read record by record."""
    from sparkify_lake.session import json_files

    choose = random.Random(7)
    values = [
        None,
        True,
        1,
        -5,
        2.5,
        1e20,
        "",
        "x",
        "é",
        "2018-11-01",
        [],
        [1],
        ["a"],
        {},
        {"n": 1},
        {"n": None},
    ]
    slow = fast = 0
    for number in range(60):
        keys = choose.sample("abcde", choose.randint(1, 4))
        kinds = {key: choose.sample(values, choose.randint(1, 2)) for key in keys}
        records = [{key: choose.choice(kinds[key]) for key in keys} for _ in range(choose.randint(1, 5))]
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "a.json").write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records))
        block = json_files.Block(values={}, data=(folder / "a.json").read_bytes(), is_document=False)
        if json_files._read_fast(block, None) is None:
            slow += 1
            continue
        fast += 1
        first = without_spark.read.json(str(folder))
        with monkeypatch.context() as patch:
            patch.setattr(json_files, "_read_fast", lambda block, schema: None)
            patch.setattr(json_files, "_converted", {})
            second = without_spark.read.json(str(folder))
            assert ddl(first) == ddl(second), records
            assert plain(first.collect()) == plain(second.collect()), records
    assert fast > 20 and slow > 5


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("INT", "5", 5), ("INT", "3000000000", None), ("INT", '"5"', None), ("INT", "5.0", None),
        ("DOUBLE", "5", 5.0), ("DOUBLE", '"x"', None), ("STRING", "1.50", "1.50"), ("STRING", "true", "true"),
        ("BOOLEAN", "true", True), ("BOOLEAN", "1", None), ("DATE", '"2018-11-04"', "2018-11-04"),
        ("TIMESTAMP", '"2018-11-04T10:00:00"', "2018-11-04 10:00:00"), ("TIMESTAMP", '"x"', None),
        ("DECIMAL(5,2)", "1.5", "1.50"), ("MAP<STRING, INT>", '{"k":1}', "{'k': 1}"),
    ],
)  # fmt: skip
def test_a_given_schema(without_spark: Any, tmp_path: Path, kind: str, value: str, expected: Any) -> None:
    (tmp_path / "a.json").write_text(f'{{"a": {value}, "other": 1}}\n')
    found = without_spark.read.schema(f"a {kind}").json(str(tmp_path)).first()["a"]
    assert (found if isinstance(expected, type(found)) else str(found)) == expected


def test_a_given_schema_with_a_column_for_broken_records(without_spark: Any, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": 1}\n{"a": "x"}\n{torn\n')
    frame = without_spark.read.schema("a INT, _corrupt_record STRING").json(str(tmp_path))
    assert frame.collect() == [(1, None), (None, '{"a": "x"}'), (None, "{torn")]


@pytest.mark.parametrize(("mode", "rows"), [("DROPMALFORMED", 1), ("FAILFAST", None)])
def test_modes(without_spark: Any, tmp_path: Path, mode: str, rows: int | None) -> None:
    (tmp_path / "a.json").write_text('{"a": 1}\n{"a": \n')
    reader = without_spark.read.option("mode", mode)
    if rows is None:
        with pytest.raises(Exception, match="Malformed records"):
            reader.json(str(tmp_path))
    else:
        assert reader.json(str(tmp_path)).count() == rows


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('[\n {"a": 1},\n {"a": 2}\n]', [(1,), (2,)]),
        ('{"a": 1}\n{"a": 2}\n', [(1,)]),
        ('{\n"a": 1\n}', [(1,)]),
    ],
)
def test_one_document_per_file(without_spark: Any, tmp_path: Path, text: str, rows: list[Any]) -> None:
    (tmp_path / "a.json").write_text(text)
    assert without_spark.read.json(str(tmp_path), multiLine=True).collect() == rows


def test_partitions_and_hidden_files(without_spark: Any, tmp_path: Path) -> None:
    for year in (2018, 2019):
        folder = tmp_path / f"year={year}"
        folder.mkdir()
        (folder / "a.json").write_text('{"a": 1}\n')
        (folder / "_hidden.json").write_text("no json")
        (folder / ".b.json").write_text("no json")
    frame = without_spark.read.json(str(tmp_path))
    assert ddl(frame) == "a bigint, year int"
    assert sorted(frame.collect()) == [(1, 2018), (1, 2019)]


def test_a_changed_file_is_read_again(without_spark: Any, tmp_path: Path) -> None:
    for text, rows in (('{"a": 1}\n', 1), ('{"a": 1}\n{"a": 2}\n', 2)):
        (tmp_path / "a.json").write_text(text)
        assert without_spark.read.json(str(tmp_path)).count() == rows


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_empty_files(without_spark: Any, tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    assert without_spark.read.json(str(tmp_path)).columns == []
    with_schema = without_spark.read.schema("a INT").json(str(tmp_path))
    assert with_schema.columns == ["a"] and with_schema.count() == 0


def test_options_that_change_the_meaning_are_refused(without_spark: Any, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": 1}\n')
    with pytest.raises(refusal.UnsupportedCallError, match="primitivesasstring") as caught:
        without_spark.read.json(str(tmp_path), primitivesAsString=True)
    assert caught.value.hint is not None


@pytest.mark.timeout(300)
def test_memory_does_not_grow_with_the_input(
    without_spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four times the lines: the same peak of Python's memory."""
    from sparkify_lake.session import json_files

    monkeypatch.setattr(json_files, "_BLOCK_BYTES", 1 << 20)
    peaks = []
    for size in (60_000, 240_000):
        path = tmp_path / f"{size}.json"
        with path.open("w") as file:
            for number in range(size):
                file.write(f'{{"a": {number}, "b": "some text of a record", "c": {{"d": [1, 2, 3]}}}}\n')
        tracemalloc.start()
        assert without_spark.read.json(str(path)).count() == size
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.5, peaks
