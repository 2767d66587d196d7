"""The calls whose result is not that of PySpark: refused by name, or a row of the table in `docs/spark.md`.

`test_scoreboard` checks both lists: a call that becomes equal has to be removed here and from the page.
"""

from __future__ import annotations

REFUSED_CALLS: dict[str, str] = {
    "_metadata.file_name": "_metadata",
    "input_file_name": "input_file_name",
    "json: dropFieldIfAllNull": "dropfieldifallnull",
    "json: primitivesAsString": "primitivesasstring",
    "pyspark.ml: StringIndexer, Pipeline, LogisticRegression": "pyspark.ml",
    "pyspark.ml: VectorAssembler": "pyspark.ml",
    "read.orc of a written frame": "the format orc",
    "rdd: mapPartitions, glom, union, sum, max, countByKey": "rdd.mapPartitions",
    "rdd: saveAsTextFile": "rdd.saveAsTextFile",
    "rdd: sortBy, groupByKey, mapValues, join": "rdd.groupByKey",
    "readStream, writeStream": "df.writeStream",
    "sc.broadcast, sc.accumulator": "spark.sparkContext.broadcast",
    "sc.wholeTextFiles": "spark.sparkContext.wholeTextFiles",
    "write.bucketBy.sortBy.saveAsTable": "df.write.bucketBy",
    "spark.conf.set of case sensitivity": "spark.sql.caseSensitive",
    "time: spark.sql.session.timeZone of New York": "spark.sql.session.timeZone",
}
"""Calls that the session refuses, and the name in the message, which is also in a table of the page."""

KNOWN_DIFFERENCES: dict[str, dict[str, str]] = {
    "A double as text": {
        "cast: types by name and by class": '"1540000000000.5"',
        "sql: casts of literals": '"12345678.5"',
        "sql: doubles as text": '"10000000.0"',
        "write.json": r"\"duration\":12345678.5",
        "write.json: nested values, times, NULL": "10000000.0",
        "write.csv(header=True)": "12345678.5",
    },
    "The name of a column": {
        "generated column names": '"year(ts)"',
        "names of columns: aggregates and windows": '"row_number()"',
        "sql: group by an expression": '"is_null"',
        "sql: names of CASE and windows": '"row_number()"',
        "sql: names of expressions": '"is_null"',
        "sql: percentile": '"percentile(length, 0.5)"',
    },
    "A whole number that overflows": {"error: an overflow in ANSI mode": '"no exception"'},
    "`row_number()` over a window without an order": {
        "error: an aggregate in withColumn, a window without order": '"no exception"',
    },
    "A join of a frame with its own groups": {
        "join: a frame with its own groups, by columns of both": '"no exception"',
    },
    "`coalesce(1)` before a write": {"coalesce(1).write: one file": "3"},
    "The difference of two dates": {
        "sql: difference of times": '["b", "bigint"]',
        "time: differences of times": '["b", "bigint"]',
    },
    "The precision of a product of decimals": {"sql: decimals": "decimal(13,1)"},
    "`spark.sql.ansi.enabled`": {
        "spark.conf.set of ANSI mode off": '"raises"',
        "spark.conf.set of the legacy time parser": '"raises"',
    },
    "JSON objects and arrays in a column of texts": {"json: objects and texts in one column": "[1,2]"},
    "CSV files": {"write.csv: NULL, empty texts, quotes, times, booleans": "1e20"},
    "`PIVOT` in SQL": {"sql: pivot": '"ParseException"'},
    "`createDataFrame` of whole numbers": {"createDataFrame of whole numbers and floats": '"rows"'},
    "The text and the class of an error": {
        "error: a wrong type of a condition": '"AttributeError"',
        "error: the message names the column": "false",
    },
    "`show()` of wide characters": {
        "show of an empty frame, of no columns": r"\n++\n++\n\n",
        "show of every type": "INTERVAL '1 00:00...",
        "show of wide and of CJK text, truncate=10, n=0": "日本語のテキスト...",
    },
    "A frame written over the files": {"write: a frame over the files that it reads": "false"},
}
"""The rows of the table of differences, by words of the row: calls, and what only our result contains."""
