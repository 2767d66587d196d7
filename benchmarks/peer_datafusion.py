"""The job on DataFusion: ``peer_datafusion.py INPUT OUTPUT``. One SQL statement per table, partitioned COPY.

DataFusion's JSON reader fails for a number in a column of text, as in ``"userId":45``, and has no option for
it. So PyArrow parses the files after such numbers are quoted, and DataFusion does the rest.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
from datafusion import SessionConfig, SessionContext
from pyarrow import compute
from pyarrow.json import ParseOptions, ReadOptions, read_json

STATEMENTS = """
CREATE TABLE songs AS
SELECT DISTINCT ON (song_id) song_id, title, duration, coalesce(year, 0) AS year, artist_id, artist_name
FROM songs_read
ORDER BY song_id, coalesce(year, 0) = 0, artist_id NULLS FIRST, title NULLS FIRST, year NULLS FIRST,
    duration NULLS FIRST, artist_name NULLS FIRST;

COPY (SELECT song_id, title, duration, year, artist_id FROM songs)
TO '{output}/songs/' STORED AS PARQUET PARTITIONED BY (year, artist_id)
OPTIONS ('format.dictionary_enabled' 'false');

COPY (
    SELECT DISTINCT ON (artist_id) artist_id, artist_name AS name, artist_location AS location,
        artist_latitude AS latitude, artist_longitude AS longitude
    FROM songs_read
    ORDER BY artist_id,
        (coalesce(artist_location, '') <> '')::INT + (artist_latitude IS NOT NULL)::INT
            + (artist_longitude IS NOT NULL)::INT DESC,
        song_id, artist_name NULLS FIRST, artist_location NULLS FIRST
) TO '{output}/artists/part-0.parquet' STORED AS PARQUET;

COPY (
    SELECT DISTINCT ON ("userId") "userId" AS user_id, "firstName" AS first_name, "lastName" AS last_name,
        gender, level
    FROM logs
    ORDER BY "userId", ts DESC, "sessionId" DESC, "itemInSession" DESC, level DESC NULLS LAST
) TO '{output}/users/part-0.parquet' STORED AS PARQUET;

COPY (
    SELECT start_time, date_part('hour', start_time) AS hour, date_part('day', start_time) AS day,
        date_part('week', start_time) AS week, date_part('month', start_time) AS month,
        date_part('year', start_time) AS year, date_part('dow', start_time) + 1 AS weekday
    FROM (SELECT DISTINCT start_time FROM logs)
) TO '{output}/time/' STORED AS PARQUET PARTITIONED BY (year, month);

COPY (
    SELECT row_number() OVER () AS songplay_id, start_time, "userId" AS user_id, level, song_id, artist_id,
        "sessionId" AS session_id, location, "userAgent" AS user_agent, date_part('year', start_time) AS year,
        date_part('month', start_time) AS month
    FROM logs LEFT JOIN (
        SELECT DISTINCT ON (title, artist_name, duration) title, artist_name, duration, song_id, artist_id
        FROM songs ORDER BY title, artist_name, duration, song_id) AS catalog
    ON song = title AND artist = artist_name AND length = duration
) TO '{output}/songplays/' STORED AS PARQUET PARTITIONED BY (year, month)
"""


SONG = pa.schema(
    {
        **dict.fromkeys(("artist_id", "artist_location", "artist_name", "song_id", "title"), pa.string()),
        **dict.fromkeys(("artist_latitude", "artist_longitude", "duration"), pa.float64()),
        "year": pa.int32(),
    }
)
EVENT = pa.schema(
    {
        **dict.fromkeys(("artist", "firstName", "gender", "lastName", "level", "location"), pa.string()),
        **dict.fromkeys(("page", "song", "userAgent", "userId"), pa.string()),
        **dict.fromkeys(("itemInSession", "sessionId", "ts"), pa.int64()),
        "length": pa.float64(),
    }
)


def parse(text: bytes, schema: pa.Schema) -> pa.Table:
    names = "|".join(field.name for field in schema if pa.types.is_string(field.type))
    number = rf'("(?:{names})": ?)(-?[0-9][^,}}]*)'
    quoted = compute.replace_substring_regex(pa.array([text]), pattern=number, replacement=r'\1"\2"')
    options = ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    return read_json(pa.BufferReader(quoted[0].as_buffer()), ReadOptions(block_size=8 << 20), options)


def plays(file: Path) -> list[pa.RecordBatch]:
    events = parse(file.read_bytes(), EVENT)
    kept = events.filter(compute.equal(events["page"], "NextSong"))
    moments = compute.multiply(kept["ts"], 1000).cast(pa.timestamp("us", "UTC"))
    batches: list[pa.RecordBatch] = kept.append_column("start_time", moments).to_batches()
    return batches


def main() -> None:
    source, output = sys.argv[1:3]
    options = {
        "parquet.compression": "snappy",
        # The defaults need 6 GiB for 13,750 open files.
        "parquet.allow_single_file_parallelism": "false",
        "objectstore_writer_buffer_size": "65536",
    }
    config = SessionConfig()
    for name, value in options.items():
        config = config.set(f"datafusion.execution.{name}", value)
    context = SessionContext(config)
    songs = b"\n".join(file.read_bytes() for file in Path(source, "song_data").rglob("*.json"))
    context.register_record_batches("songs_read", [parse(songs, SONG).to_batches()])
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        logs = pool.map(plays, Path(source, "log_data").rglob("*.json"))
        context.register_record_batches("logs", list(logs))
    for statement in STATEMENTS.format(output=output).split(";\n"):
        context.sql(statement).collect()


if __name__ == "__main__":
    main()
