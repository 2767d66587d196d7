"""Calls on the scoreboard: writing Parquet."""

from __future__ import annotations

import pytest

from session.scoreboard import Outcome, Place, rows, scored


@scored('write.mode("overwrite").partitionBy(a, b).parquet')
def write_partitions(place: Place) -> Outcome:
    target = place.scratch / "songs"
    frame = place.songs.select("song_id", "title", "artist_id", "year", "duration").dropDuplicates()
    for _ in range(2):
        frame.write.mode("overwrite").partitionBy("year", "artist_id").parquet(str(target))
    folders = sorted({str(file.parent.relative_to(target)) for file in target.rglob("*.parquet")})
    assert folders == [
        "year=0/artist_id=AR2",
        "year=1999/artist_id=AR%2F3",
        "year=1999/artist_id=AR1",
        "year=1999/artist_id=__HIVE_DEFAULT_PARTITION__",
        "year=2005/artist_id=AR1",
    ]
    assert (target / "_SUCCESS").is_file()
    assert all(file.name.endswith(".snappy.parquet") for file in target.rglob("*.parquet"))
    return folders


@scored("read.parquet(folder) with partition columns")
def read_partitions(place: Place) -> Outcome:
    target = str(place.scratch / "partitioned")
    frame = place.songs.select("song_id", "title", "artist_id", "year", "duration").dropDuplicates()
    frame.write.partitionBy("year", "artist_id").parquet(target)
    again = place.spark.read.parquet(target)
    assert again.dtypes == [
        ("song_id", "string"),
        ("title", "string"),
        ("duration", "double"),
        ("year", "int"),
        ("artist_id", "string"),
    ]
    found = rows(again)
    assert ("SO4", "Größe", 99.0, 1999, "AR/3") in found
    assert ("SO5", "No Artist", 61.125, 1999, None) in found, "the empty text comes back as NULL"
    assert place.spark.read.parquet(target + "/year=2005").columns[-1] == "artist_id"
    return found


@scored("write.parquet(path, mode=, partitionBy=)")
def write_keywords(place: Place) -> Outcome:
    target = str(place.scratch / "keywords")
    frame = place.plays.selectExpr("userId", "CAST(ts / 1000 AS timestamp) AS start_time")
    frame = frame.selectExpr("*", "year(start_time) AS year", "month(start_time) AS month")
    frame.write.parquet(target, mode="overwrite", partitionBy=["year", "month"])
    again = place.spark.read.parquet(target)
    assert again.dtypes[1] == ("start_time", "timestamp")
    assert rows(again.groupBy("year", "month").count()) == [(2018, 11, 5), (2018, 12, 1)]
    return rows(again)


@scored("write modes append, ignore, error")
def write_modes(place: Place) -> Outcome:
    target = str(place.scratch / "modes")
    frame = place.plays.select("userId", "ts")
    frame.write.parquet(target)
    frame.write.mode("append").parquet(target)
    frame.write.mode("ignore").parquet(target)
    with pytest.raises(Exception, match=r"(?i)already"):
        frame.write.parquet(target)
    assert place.spark.read.parquet(target).count() == 12
    frame.limit(1).write.mode("overwrite").format("parquet").save(target)
    return place.spark.read.parquet(target).count()


@scored("read.parquet of the lake's five tables")
def read_lake(place: Place) -> Outcome:
    found = {}
    for table in ("songs", "artists", "user", "time", "songplays"):
        frame = place.spark.read.parquet(str(place.data.parent / "lake" / f"{table}_table"))
        assert frame.count() > 0
        found[table] = (sorted(frame.dtypes), rows(frame.select(*sorted(frame.columns))))
    return found


@scored("DataFrame as text")
def frame_text(place: Place) -> Outcome:
    text = str(place.songs.select("title", "year"))
    assert text == "DataFrame[title: string, year: bigint]"
    return text
