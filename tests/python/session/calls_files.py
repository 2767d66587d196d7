"""Calls on the scoreboard: paths and formats to read."""

from __future__ import annotations

import gzip

from pyspark.sql import functions as F
from pyspark.sql import types as T

from session.scoreboard import Outcome, Place, raised, scored


def _partitioned(place: Place) -> str:
    target = str(place.scratch / "songs")
    songs = place.songs.select("song_id", "title", "artist_id", "year").dropDuplicates()
    songs.write.partitionBy("year", "artist_id").parquet(target)
    return target


# --- paths -----------------------------------------------------------------------------------------------


@scored("braces in a path")
def braces(place: Place) -> Outcome:
    return place.spark.read.json(f"{place.data}/log_data/2018/11/2018-11-{{01,02}}-events.json").select("ts")


@scored("brackets and question marks in a path")
def brackets(place: Place) -> Outcome:
    read = place.spark.read
    one = read.json(f"{place.data}/log_data/2018/11/2018-11-0[1-1]-events.json").count()
    return one, read.json(f"{place.data}/log_data/2018/1?/2018-11-0?-*.json").count()


@scored("a folder with a slash at the end")
def trailing_slash(place: Place) -> Outcome:
    return place.spark.read.json(f"{place.data}/log_data/2018/11/").select("ts")


@scored("a file:// path")
def file_uri(place: Place) -> Outcome:
    read = place.spark.read
    return read.json(f"file://{place.data}/log_data/2018/11").count(), read.json(
        f"file:{place.data}/log_data/*/*"
    ).count()


@scored("a path with spaces and non-ASCII letters")
def odd_path(place: Place) -> Outcome:
    file = place.file("my data/café/a b.json", '{"a": 1}\n')
    place.spark.read.json(file).write.parquet(str(place.scratch / "my out/ü"))
    return place.spark.read.parquet(str(place.scratch / "my out/ü"))


@scored("hidden files are not read")
def hidden_files(place: Place) -> Outcome:
    for name in ("_SUCCESS", ".hidden.json", "_metadata", "a.json"):
        place.file(f"hidden/{name}", '{"a": 1}\n')
    return place.spark.read.json(str(place.scratch / "hidden"))


@scored("pathGlobFilter, recursiveFileLookup")
def glob_filter(place: Place) -> Outcome:
    read = place.spark.read.option("recursiveFileLookup", True).option("pathGlobFilter", "*-01-*.json")
    return read.json(f"{place.data}/log_data").select("ts")


@scored("input_file_name")
def input_file_name(place: Place) -> Outcome:
    names = place.songs.select(F.input_file_name().alias("file")).distinct()
    return names.select(F.element_at(F.split("file", "/"), -1).alias("name"))


@scored("_metadata.file_name")
def metadata(place: Place) -> Outcome:
    return place.songs.select("_metadata.file_name", "_metadata.file_size").distinct()


# --- paths that do not exist -----------------------------------------------------------------------------


@scored("read.json of a path that does not exist")
def no_json(place: Place) -> Outcome:
    return raised(lambda: place.spark.read.json(str(place.scratch / "nothing.json")).count())


@scored("read.json of a glob that matches nothing")
def no_match(place: Place) -> Outcome:
    return raised(lambda: place.spark.read.json(str(place.scratch / "*/*.json")).count())


@scored("read.parquet of a path that does not exist")
def no_parquet(place: Place) -> Outcome:
    return raised(lambda: place.spark.read.parquet(str(place.scratch / "nothing")).count())


@scored("read.csv of a path that does not exist")
def no_csv(place: Place) -> Outcome:
    return raised(lambda: place.spark.read.csv(str(place.scratch / "nothing.csv")).count())


@scored("read.parquet of an empty folder")
def empty_folder(place: Place) -> Outcome:
    (place.scratch / "empty").mkdir()
    return raised(lambda: place.spark.read.parquet(str(place.scratch / "empty")).count())


@scored("read.parquet of several paths, one missing")
def one_missing(place: Place) -> Outcome:
    place.spark.range(2).write.parquet(str(place.scratch / "there"))
    paths = [str(place.scratch / name) for name in ("there", "missing")]
    return raised(lambda: place.spark.read.parquet(*paths).count())


@scored("except AnalysisException for a missing path")
def caught_missing(place: Place) -> Outcome:
    from pyspark.sql.utils import AnalysisException

    try:
        place.spark.read.parquet(str(place.scratch / "nothing")).count()
    except AnalysisException:
        return "caught"
    return "not caught"


# --- Parquet ---------------------------------------------------------------------------------------------


@scored("read.parquet of several paths")
def several_parquet(place: Place) -> Outcome:
    paths = [str(place.scratch / name) for name in ("a", "b")]
    for path in paths:
        place.spark.range(2).write.parquet(path)
    return place.spark.read.parquet(*paths)


@scored("read.load without a format")
def load(place: Place) -> Outcome:
    return place.spark.read.load(_partitioned(place))


@scored("basePath with a glob")
def base_path(place: Place) -> Outcome:
    target = _partitioned(place)
    return place.spark.read.option("basePath", target).parquet(f"{target}/*/*/*.parquet")


@scored("a glob of partitions without basePath")
def glob_without_base(place: Place) -> Outcome:
    return place.spark.read.parquet(f"{_partitioned(place)}/*/*/*.parquet")


@scored("one partition's folder")
def one_partition(place: Place) -> Outcome:
    return place.spark.read.parquet(f"{_partitioned(place)}/year=1999")


@scored("basePath with one partition's folder")
def base_of_one(place: Place) -> Outcome:
    target = _partitioned(place)
    return place.spark.read.option("basePath", target).parquet(f"{target}/year=1999")


@scored("a filter on partition columns")
def filter_partitions(place: Place) -> Outcome:
    songs = place.spark.read.parquet(_partitioned(place))
    return songs.where((F.col("year") == 1999) & F.col("artist_id").isNotNull()).select("song_id")


@scored("types of partition values")
def partition_types(place: Place) -> Outcome:
    found = []
    for number, (one, other) in enumerate(
        [
            ("1", "007"),
            ("1", "3000000000"),
            ("1", "2.5"),
            ("1", "x"),
            ("2018-11-01", "2018-11-02"),
            ("2018-11-01", "1"),
        ]
    ):
        for value in (one, other):
            place.spark.range(1).write.parquet(str(place.scratch / f"{number}/key={value}"))
        found.append(place.spark.read.parquet(str(place.scratch / str(number))).dtypes)
    return found


@scored("partitionColumnTypeInference off")
def partition_text(place: Place) -> Outcome:
    name = "spark.sql.sources.partitionColumnTypeInference.enabled"
    target = _partitioned(place)
    place.spark.conf.set(name, "false")
    try:
        return place.spark.read.parquet(target).dtypes
    finally:
        place.spark.conf.set(name, "true")


@scored("mergeSchema")
def merge_schema(place: Place) -> Outcome:
    place.frame([(1,)], "a int").write.parquet(str(place.scratch / "t/part=1"))
    place.frame([(2, "x")], "a int, b string").write.parquet(str(place.scratch / "t/part=2"))
    return place.spark.read.option("mergeSchema", "true").parquet(str(place.scratch / "t"))


@scored("read.schema.parquet")
def schema_parquet(place: Place) -> Outcome:
    place.frame([(1, "x")], "a int, b string").write.parquet(str(place.scratch / "t"))
    return place.spark.read.schema("b STRING, c DOUBLE").parquet(str(place.scratch / "t"))


@scored("select from parquet.`path`")
def sql_path(place: Place) -> Outcome:
    return place.spark.sql(
        f"SELECT year, count(*) AS songs FROM parquet.`{_partitioned(place)}` GROUP BY year"
    )


@scored("times in Parquet")
def parquet_times(place: Place) -> Outcome:
    frame = place.plays.select(
        F.timestamp_millis("ts").alias("at"), F.to_date(F.timestamp_millis("ts")).alias("on")
    )
    frame.write.parquet(str(place.scratch / "times"))
    return place.spark.read.parquet(str(place.scratch / "times")).where("at > '2018-11-01 22:00:00'")


# --- text and CSV ----------------------------------------------------------------------------------------


@scored("read.text")
def text(place: Place) -> Outcome:
    lines = place.spark.read.text(f"{place.data}/log_data/2018/11/2018-11-01-events.json")
    return lines.select(F.length("value").alias("n")), lines.dtypes, lines.count()


@scored("read.text(wholetext=True)")
def whole_text(place: Place) -> Outcome:
    return place.spark.read.text(place.file("a.txt", "one\ntwo\n"), wholetext=True)


@scored("from_json of lines of text")
def from_json(place: Place) -> Outcome:
    lines = place.spark.read.text(place.file("a.txt", '{"a": 1, "b": "x"}\n{"a": 2}\nbroken\n'))
    parsed = lines.select(F.from_json("value", "a INT, b STRING").alias("v"))
    return parsed.select("v.*")


CSV = 'id,name,price,on\n1,"Al, Ashe",2.5,2018-11-01\n2,Bea,,2018-11-02\n'


@scored("read.csv(header=True, inferSchema=True)")
def csv(place: Place) -> Outcome:
    return place.spark.read.csv(place.file("a.csv", CSV), header=True, inferSchema=True)


@scored("read.csv without a header")
def csv_plain(place: Place) -> Outcome:
    return place.spark.read.csv(place.file("a.csv", CSV))


@scored('read.format("csv").option(header).load')
def csv_load(place: Place) -> Outcome:
    return place.spark.read.format("csv").option("header", "true").load(place.file("a.csv", CSV))


@scored("read.csv(sep, schema)")
def csv_schema(place: Place) -> Outcome:
    schema = T.StructType([T.StructField("id", T.IntegerType()), T.StructField("name", T.StringType())])
    return place.spark.read.csv(place.file("a.csv", "1;a\nx;b\n3;\n"), sep=";", schema=schema)


@scored("read.csv(nullValue, quote, multiLine)")
def csv_quotes(place: Place) -> Outcome:
    file = place.file("a.csv", "a,b\n'x\ny',NA\n'q',2\n")
    return place.spark.read.csv(file, header=True, nullValue="NA", quote="'", multiLine=True)


@scored("read.csv of a gzipped file")
def csv_gzip(place: Place) -> Outcome:
    (place.scratch / "a.csv.gz").write_bytes(gzip.compress(CSV.encode()))
    return place.spark.read.option("header", True).csv(str(place.scratch / "a.csv.gz"))


@scored("read.orc of a written frame")
def orc(place: Place) -> Outcome:
    place.spark.range(2).write.orc(str(place.scratch / "t"))
    return place.spark.read.orc(str(place.scratch / "t"))


@scored("read.csv(inferSchema) of every type")
def csv_types(place: Place) -> Outcome:
    text = (
        "i,l,d,b,on,at,s,e,y\n1,3000000000,1.5,true,2018-11-01,2018-11-01 10:00:00,x,,2018\n"
        ",2,2,False,,2018-11-02 11:00:00,2018,,1999\n"
    )
    return place.spark.read.csv(place.file("a.csv", text), header=True, inferSchema=True)


@scored("read.schema of a partitioned folder, csv and parquet")
def schema_partitions(place: Place) -> Outcome:
    frame = place.frame([(1, "x", 2018), (2, "y", 2019)], "a int, b string, year int")
    frame.write.partitionBy("year").csv(str(place.scratch / "c"), header=True)
    frame.write.partitionBy("year").parquet(str(place.scratch / "p"))
    read = place.spark.read.schema("a INT, b STRING, year INT")
    return read.csv(str(place.scratch / "c"), header=True), read.parquet(str(place.scratch / "p")).where(
        "year = 2019"
    )
