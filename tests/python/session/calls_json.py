"""Calls on the scoreboard: JSON, its types and its broken records."""

from __future__ import annotations

import gzip
import json

from pyspark.sql import functions as F
from pyspark.sql import types as T

from session.scoreboard import Outcome, Place, printed, raised, scored


def _read(place: Place, text: str, **options: object) -> Outcome:
    return place.spark.read.json(place.file("in/a.json", text), **options)


BROKEN = '{"b": 1}\n{"b": \n{"b": 2}\n'


@scored("json: numbers of several kinds")
def numbers(place: Place) -> Outcome:
    return _read(place, '{"a": 1, "b": 1, "c": 1.5, "d": 1e3}\n{"a": 2, "b": 2.5, "c": 2, "d": 1}\n')


@scored("json: numbers and texts in one column")
def mixed(place: Place) -> Outcome:
    return _read(place, '{"a": 1, "b": "x"}\n{"a": "y", "b": true}\n{"a": 2.5, "b": null}\n')


@scored("json: objects and texts in one column")
def mixed_objects(place: Place) -> Outcome:
    return _read(place, '{"a": {"x": 1}}\n{"a": "y"}\n{"a": [1, 2]}\n')


@scored("json: whole numbers beyond bigint")
def large(place: Place) -> Outcome:
    return _read(place, '{"a": 1, "b": 12345678901234567890}\n{"a": 2, "b": 1}\n')


@scored("json: a column that is always null")
def always_null(place: Place) -> Outcome:
    return _read(place, '{"a": null, "b": [], "c": {}, "d": [null]}\n{"a": null, "b": []}\n')


@scored("json: a type that shows after 2,000 records")
def late_type(place: Place) -> Outcome:
    lines = [json.dumps({"n": number, "z": None}) for number in range(2000)]
    frame = _read(place, "\n".join([*lines, '{"n": "late", "z": 1.5, "new": true}']) + "\n")
    return frame.dtypes, frame.where("n = 'late' OR n = '7'")


@scored("json: dates and times stay texts")
def dates(place: Place) -> Outcome:
    return _read(place, '{"a": "2018-11-01", "b": "2018-11-01T10:00:00Z", "c": "12"}\n')


@scored("json: nested objects and arrays")
def nested(place: Place) -> Outcome:
    text = '{"u": {"id": 1, "tags": ["a", "b"]}, "e": [{"k": 1}, {"k": 2, "v": "x"}]}\n{"u": {"id": 2}}\n'
    frame = _read(place, text)
    return frame, frame.select("u.id", F.explode_outer("e").alias("e")).select("id", "e.k", "e.v")


@scored("json: columns are sorted by name")
def sorted_columns(place: Place) -> Outcome:
    return _read(place, '{"b": 1, "A": 2, "a1": 3, "_z": 4, "B2": 5}\n').dtypes


@scored("json: keys in several cases")
def cases(place: Place) -> Outcome:
    return _read(place, '{"userId": 1, "user_id": 2, "First Name": "x", "a.b": 3}\n')


@scored("json: escapes and other alphabets")
def escapes(place: Place) -> Outcome:
    return _read(place, '{"a": "caf\\u00e9 \\"x\\" \\\\ \\/ \\n", "b": "Größe 日本 🎵", "c": ""}\n')


@scored("json: broken records, PERMISSIVE")
def broken(place: Place) -> Outcome:
    return _read(place, BROKEN).cache()


@scored("json: broken records, DROPMALFORMED")
def broken_dropped(place: Place) -> Outcome:
    return _read(place, BROKEN, mode="DROPMALFORMED")


@scored("json: broken records, FAILFAST")
def broken_fails(place: Place) -> Outcome:
    return raised(lambda: _read(place, BROKEN, mode="FAILFAST").collect()) != "no exception"


@scored("json: columnNameOfCorruptRecord")
def corrupt_column(place: Place) -> Outcome:
    return _read(place, BROKEN, columnNameOfCorruptRecord="bad").cache()


@scored("json: a schema with _corrupt_record")
def corrupt_schema(place: Place) -> Outcome:
    return _read(place, '{"b": 1}\n{"b": "x"}\n{"b"\n', schema="b INT, _corrupt_record STRING").cache()


@scored("json: values that do not have the type of the schema")
def wrong_types(place: Place) -> Outcome:
    text = '{"a": "1", "b": 2.5, "c": "x", "d": 1}\n{"a": 1, "b": "2", "c": 3, "d": "true"}\n'
    return _read(place, text, schema="a INT, b INT, c DOUBLE, d STRING")


@scored("json: a schema of all types")
def all_types(place: Place) -> Outcome:
    text = (
        '{"a": 1, "b": 2.5, "c": true, "d": "2018-11-01", "e": "2018-11-01T10:00:00Z", "f": 1.25, "g": [1],'
        ' "h": {"k": "v"}, "i": {"x": 1}, "j": 7}\n'
    )
    schema = (
        "a SMALLINT, b FLOAT, c BOOLEAN, d DATE, e TIMESTAMP, f DECIMAL(10, 2), g ARRAY<INT>,"
        " h MAP<STRING, STRING>, i STRUCT<x: LONG>, j STRING"
    )
    return _read(place, text, schema=schema)


@scored("json: a schema for the log data")
def log_schema(place: Place) -> Outcome:
    schema = T.StructType(
        [
            T.StructField("ts", T.LongType(), True),
            T.StructField("userId", T.StringType(), False),
            T.StructField("length", T.DoubleType()),
            T.StructField("sessionId", T.IntegerType()),
        ]
    )
    logs = place.spark.read.schema(schema).json(f"{place.data}/log_data/*/*/*.json")
    return logs, printed(logs.printSchema)


@scored("json: a number as the time of a schema")
def number_as_time(place: Place) -> Outcome:
    return _read(place, '{"ts": 1541106106}\n{"ts": null}\n', schema="ts TIMESTAMP")


@scored("json: timestampFormat, dateFormat")
def formats(place: Place) -> Outcome:
    text = '{"a": "01/11/2018 10:30", "b": "01.11.2018"}\n'
    options = {"timestampFormat": "dd/MM/yyyy HH:mm", "dateFormat": "dd.MM.yyyy"}
    return _read(place, text, schema="a TIMESTAMP, b DATE", **options)


@scored("json: multiLine, an array of objects")
def multi_line(place: Place) -> Outcome:
    return _read(place, '[\n {"a": 1},\n {"a": 2}\n]\n', multiLine=True)


@scored("json: multiLine, one object over several lines")
def one_object(place: Place) -> Outcome:
    return _read(place, '{\n "a": 1,\n "b": {\n  "c": "x"}\n}\n', multiLine=True)


@scored("json: multiLine on JSON lines")
def multi_line_on_lines(place: Place) -> Outcome:
    read = place.spark.read.option("multiline", "true")
    return read.json(f"{place.data}/log_data/2018/11/2018-11-01-events.json").select("ts", "userId")


@scored("json: multiLine on the song files")
def multi_line_songs(place: Place) -> Outcome:
    return place.spark.read.json(f"{place.data}/song_data/*/*/*/*.json", multiLine=True)


@scored("json: several objects without multiLine in an array")
def array_of_lines(place: Place) -> Outcome:
    return _read(place, '[{"a": 1}, {"a": 2}]\n[{"a": 3}]\n')


@scored("json: primitivesAsString")
def primitives(place: Place) -> Outcome:
    return _read(place, '{"a": 1, "b": 2.50, "c": true, "d": {"e": 1}}\n', primitivesAsString=True)


@scored("json: dropFieldIfAllNull")
def drop_null(place: Place) -> Outcome:
    return _read(place, '{"a": null, "b": 1, "c": []}\n', dropFieldIfAllNull=True)


@scored("json: samplingRatio=1.0")
def sampling(place: Place) -> Outcome:
    return _read(place, '{"a": 1}\n{"a": 2.5}\n', samplingRatio=1.0)


@scored("json: single quotes, comments, leading zeros")
def lenient(place: Place) -> Outcome:
    text = '{\'a\': 1}\n{"a": 02}\n{"a": NaN}\n{a: 4}\n'
    return _read(place, text).cache()


@scored("json: files of several schemas")
def several_schemas(place: Place) -> Outcome:
    place.file("in/a.json", '{"a": 1, "s": {"x": 1}}\n')
    place.file("in/b.json", '{"b": "x", "s": {"y": 2.5}}\n')
    return place.spark.read.json(str(place.scratch / "in"))


@scored("json: gzipped files")
def gzipped(place: Place) -> Outcome:
    (place.scratch / "a.json.gz").write_bytes(gzip.compress(b'{"a": 1}\n{"a": 2}\n'))
    return place.spark.read.json(str(place.scratch))


@scored("json: an empty file and others")
def empty_file(place: Place) -> Outcome:
    place.file("in/a.json", "")
    place.file("in/b.json", '\n{"a": 1}\n\n   \n{"a": 2}')
    return place.spark.read.json(str(place.scratch / "in"))


@scored("json: an empty file alone")
def only_empty(place: Place) -> Outcome:
    return _read(place, "")


@scored("json: Windows line ends")
def line_ends(place: Place) -> Outcome:
    return _read(place, '{"a": 1}\r\n{"a": 2}\r\n')


@scored("json: folders with partition values")
def partitioned_json(place: Place) -> Outcome:
    place.file("in/year=2018/a.json", '{"a": 1}\n')
    place.file("in/year=2019/b.json", '{"a": 2}\n')
    return place.spark.read.json(str(place.scratch / "in"))


@scored("json: a duplicate key")
def duplicate_key(place: Place) -> Outcome:
    return _read(place, '{"a": 1, "a": 2}\n', schema="a INT")


@scored("json: doubles keep their digits")
def digits(place: Place) -> Outcome:
    return _read(place, '{"a": 0.1, "b": 1540000000000.5, "c": -106.4169, "d": 1e400}\n').selectExpr(
        "a", "b", "c"
    )


@scored("json: map keys of a schema")
def map_schema(place: Place) -> Outcome:
    frame = _read(place, '{"m": {"a": 1, "b": 2}}\n{"m": {}}\n', schema="m MAP<STRING, INT>")
    return frame.select("m", F.map_keys("m").alias("keys"), frame.m["a"].alias("a"))


@scored("schema_of_json, get_json_object, to_json")
def json_functions(place: Place) -> Outcome:
    frame = place.frame([('{"a": {"b": [1, 2]}}',)], "v string")
    return frame.select(
        F.get_json_object("v", "$.a.b[1]").alias("one"),
        F.json_tuple("v", "a").alias("two"),
        F.to_json(F.struct(F.lit(1).alias("x"), F.lit(None).cast("int").alias("y"))).alias("three"),
        F.schema_of_json(F.lit('{"a": 1}')).alias("four"),
    )
