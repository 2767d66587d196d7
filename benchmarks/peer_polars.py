"""The job on Polars: ``peer_polars.py INPUT OUTPUT [--tuned]``.

Idiomatic: scan, one lazy query a table, partitioned sinks. Tuned: the song files are joined in memory and
parsed at once (a scan pays for each file), and the logs are parsed once and kept, for more memory. Both
take ``s3://`` locations; the server and the keys are those of the environment (``AWS_ENDPOINT_URL`` ...).
The tuned one then reads the songs with boto3 on 64 threads.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

SONG = {
    "num_songs": pl.Int32,
    "artist_id": pl.String,
    "artist_latitude": pl.Float64,
    "artist_longitude": pl.Float64,
    "artist_location": pl.String,
    "artist_name": pl.String,
    "song_id": pl.String,
    "title": pl.String,
    "duration": pl.Float64,
    "year": pl.Int32,
}
EVENT = {
    "artist": pl.String,
    "auth": pl.String,
    "firstName": pl.String,
    "gender": pl.String,
    "itemInSession": pl.Int64,
    "lastName": pl.String,
    "length": pl.Float64,
    "level": pl.String,
    "location": pl.String,
    "method": pl.String,
    "page": pl.String,
    "registration": pl.Float64,
    "sessionId": pl.Int64,
    "song": pl.String,
    "status": pl.Int64,
    "ts": pl.Int64,
    "userAgent": pl.String,
    "userId": pl.String,
}


def read_songs(source: str, tuned: bool, store: dict[str, Any]) -> pl.DataFrame:
    if not tuned:
        songs = pl.scan_ndjson(f"{source}/song_data/**/*.json", schema=SONG, **store)
        return songs.collect(engine="streaming")
    bodies = objects(f"{source}/song_data") if store else files(f"{source}/song_data")
    return pl.read_ndjson(b"\n".join(bodies), schema=SONG)


def files(folder: str) -> Iterator[bytes]:
    return (file.read_bytes() for file in Path(folder).rglob("*.json"))


def objects(prefix: str) -> Iterator[bytes]:
    """The bodies of all objects below a prefix."""
    from concurrent.futures import ThreadPoolExecutor

    import boto3
    from botocore.config import Config

    bucket, _, below = prefix.removeprefix("s3://").partition("/")
    client = boto3.client("s3", config=Config(max_pool_connections=64))
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{below}/")
    keys = [one["Key"] for page in pages for one in page.get("Contents", [])]

    def get(key: str) -> bytes:
        body: bytes = client.get_object(Bucket=bucket, Key=key)["Body"].read()
        return body

    with ThreadPoolExecutor(64) as pool:
        yield from pool.map(get, keys)


def store_options(*places: str) -> dict[str, Any]:
    """What Polars is told of the store; nothing when all is local."""
    if not any(place.startswith("s3://") for place in places):
        return {}
    options = {
        "aws_endpoint_url": os.environ["AWS_ENDPOINT_URL"],
        "aws_region": os.environ.get("AWS_REGION", "us-east-1"),
        "aws_access_key_id": os.environ["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": os.environ["AWS_SECRET_ACCESS_KEY"],
        "aws_allow_http": "true",
    }
    return {"storage_options": options}


def best_copies(songs: pl.DataFrame) -> pl.DataFrame:
    unknown = (pl.col("year").fill_null(0) == 0).alias("unknown")
    ordered = songs.sort("song_id", unknown, "artist_id", "title", "year", "duration", "artist_name")
    return ordered.unique("song_id", keep="first", maintain_order=True)


def artists(songs: pl.DataFrame) -> pl.LazyFrame:
    known = (
        (pl.col("artist_location").fill_null("") != "").cast(pl.Int8)
        + pl.col("artist_latitude").is_not_null()
        + pl.col("artist_longitude").is_not_null()
    )
    return (
        songs.lazy()
        .sort(-known, "song_id", "artist_name", "artist_location")
        .unique("artist_id", keep="first", maintain_order=True)
        .select(
            "artist_id",
            name="artist_name",
            location="artist_location",
            latitude="artist_latitude",
            longitude="artist_longitude",
        )
    )


def users(logs: pl.LazyFrame) -> pl.LazyFrame:
    return (
        logs.select("userId", "firstName", "lastName", "gender", "level", "ts", "sessionId", "itemInSession")
        .sort("ts", "sessionId", "itemInSession", "level")
        .group_by("userId")
        .last()
        .select(
            user_id="userId", first_name="firstName", last_name="lastName", gender="gender", level="level"
        )
    )


def times(logs: pl.LazyFrame) -> pl.LazyFrame:
    at = pl.col("start_time").dt
    return (
        logs.select("start_time")
        .unique()
        .with_columns(
            hour=at.hour(),
            day=at.day(),
            week=at.week(),
            month=at.month(),
            year=at.year(),
            weekday=at.weekday() % 7 + 1,
        )
    )


def songplays(logs: pl.LazyFrame, songs: pl.DataFrame) -> pl.LazyFrame:
    at = pl.col("start_time").dt
    keys = ["title", "artist_name", "duration"]
    catalogue = songs.sort("song_id").unique(keys, keep="first").select("song_id", "artist_id", *keys)
    joined = logs.join(catalogue.lazy(), left_on=["song", "artist", "length"], right_on=keys, how="left")
    return joined.select(
        "start_time",
        "level",
        "song_id",
        "artist_id",
        "location",
        user_id="userId",
        session_id="sessionId",
        user_agent="userAgent",
        year=at.year(),
        month=at.month(),
    ).with_row_index("songplay_id")


def main() -> None:
    source, output, tuned = sys.argv[1].rstrip("/"), sys.argv[2].rstrip("/"), "--tuned" in sys.argv[3:]
    store = store_options(source, output)
    if not store:
        for table in ("artists", "users"):
            Path(output, table).mkdir(parents=True)
    songs_read = read_songs(source, tuned, store)
    songs = best_copies(songs_read)
    logs = (
        pl.scan_ndjson(f"{source}/log_data/**/*.json", schema=EVENT, **store)
        .filter(pl.col("page") == "NextSong")
        .with_columns(
            start_time=pl.from_epoch("ts", time_unit="ms").dt.cast_time_unit("us").dt.replace_time_zone("UTC")
        )
    )
    if tuned:
        logs = logs.collect(engine="streaming").lazy()

    def partitioned(table: str, *keys: str) -> pl.PartitionBy:
        return pl.PartitionBy(f"{output}/{table}", key=list(keys), include_key=False)

    columns = songs.lazy().select("song_id", "title", "duration", "year", "artist_id")
    columns.sink_parquet(partitioned("songs", "year", "artist_id"), mkdir=not store, **store)
    artists(songs_read).sink_parquet(f"{output}/artists/part-0.parquet", **store)
    sinks = [
        users(logs).sink_parquet(f"{output}/users/part-0.parquet", lazy=True, **store),
        times(logs).sink_parquet(partitioned("time", "year", "month"), mkdir=not store, lazy=True, **store),
        songplays(logs, songs).sink_parquet(
            partitioned("songplays", "year", "month"), mkdir=not store, lazy=True, **store
        ),
    ]
    pl.collect_all(sinks, engine="streaming")


if __name__ == "__main__":
    main()
