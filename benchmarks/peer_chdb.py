"""The job on chDB (ClickHouse in the process): ``peer_chdb.py INPUT OUTPUT``. One SQL statement per table.

``file()`` names the partitions with an expression and also writes its columns into the files. All files of a
table are open until its end, so the limit of open files is raised.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from chdb.session import Session

STATEMENTS = """
SET join_use_nulls = 1;
SET output_format_parquet_compression_method = 'snappy';
SET output_format_parquet_write_page_index = 0;
SET output_format_parquet_write_bloom_filter = 0;

CREATE TABLE songs_read ENGINE = Memory AS
SELECT * FROM file('{input}/song_data/**/*.json', JSONEachRow, '
    artist_id Nullable(String), artist_latitude Nullable(Float64), artist_longitude Nullable(Float64),
    artist_location Nullable(String), artist_name Nullable(String), song_id String, title Nullable(String),
    duration Nullable(Float64), year Nullable(Int32)');

CREATE TABLE songs ENGINE = Memory AS
SELECT song_id, title, duration, ifNull(year, 0) AS year, artist_id, artist_name FROM songs_read
ORDER BY song_id, year = 0, artist_id NULLS FIRST, title NULLS FIRST, year, duration NULLS FIRST,
    artist_name NULLS FIRST
LIMIT 1 BY song_id;

INSERT INTO FUNCTION file('{output}/songs/{{_partition_id}}/part-0.parquet', Parquet)
PARTITION BY concat('year=', toString(year), '/artist_id=', artist_id)
SELECT song_id, title, duration, year, artist_id FROM songs;

INSERT INTO FUNCTION file('{output}/artists/part-0.parquet', Parquet)
SELECT artist_id, artist_name AS name, artist_location AS location, artist_latitude AS latitude,
    artist_longitude AS longitude
FROM songs_read
ORDER BY artist_id,
    (ifNull(artist_location, '') <> '') + isNotNull(artist_latitude) + isNotNull(artist_longitude) DESC,
    song_id, artist_name NULLS FIRST, artist_location NULLS FIRST
LIMIT 1 BY artist_id;

CREATE TABLE logs ENGINE = Memory AS
SELECT artist, song, length, firstName, lastName, gender, level, location, sessionId, itemInSession, ts,
    userAgent, userId, toDateTime64(fromUnixTimestamp64Milli(ts, 'UTC'), 6, 'UTC') AS start_time
FROM file('{input}/log_data/**/*.json', JSONEachRow, '
    artist Nullable(String), firstName Nullable(String), gender Nullable(String), itemInSession Int64,
    lastName Nullable(String), length Nullable(Float64), level Nullable(String), location Nullable(String),
    page String, sessionId Int64, song Nullable(String), ts Int64, userAgent Nullable(String),
    userId String')
WHERE page = 'NextSong';

INSERT INTO FUNCTION file('{output}/users/part-0.parquet', Parquet)
SELECT userId AS user_id, latest.1 AS first_name, latest.2 AS last_name, latest.3 AS gender, latest.4 AS level
FROM (
    SELECT userId, argMax(tuple(firstName, lastName, gender, level),
        tuple(ts, sessionId, itemInSession, level)) AS latest
    FROM logs GROUP BY userId);

INSERT INTO FUNCTION file('{output}/time/{{_partition_id}}/part-0.parquet', Parquet)
PARTITION BY concat('year=', toString(year), '/month=', toString(month))
SELECT start_time, toInt32(toHour(start_time)) AS hour, toInt32(toDayOfMonth(start_time)) AS day,
    toInt32(toISOWeek(start_time)) AS week, toInt32(toMonth(start_time)) AS month,
    toInt32(toYear(start_time)) AS year, toInt32(toDayOfWeek(start_time, 3)) AS weekday
FROM (SELECT DISTINCT start_time FROM logs);

INSERT INTO FUNCTION file('{output}/songplays/{{_partition_id}}/part-0.parquet', Parquet)
PARTITION BY concat('year=', toString(year), '/month=', toString(month))
SELECT toInt64(rowNumberInAllBlocks()) AS songplay_id, start_time, userId AS user_id, level,
    match.1 AS song_id, match.2 AS artist_id, sessionId AS session_id, location, userAgent AS user_agent,
    toInt32(toYear(start_time)) AS year, toInt32(toMonth(start_time)) AS month
FROM logs LEFT JOIN (
    SELECT title, artist_name, duration,
        argMin(tuple(toNullable(song_id), artist_id), song_id) AS match
    FROM songs GROUP BY title, artist_name, duration) AS catalog
ON song = title AND artist = artist_name AND length = duration
"""


def main() -> None:
    source, output = sys.argv[1:3]
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for table in ("artists", "users"):
        (Path(output) / table).mkdir(parents=True)
    session = Session()
    for statement in STATEMENTS.format(input=source, output=output).split(";\n"):
        session.query(statement)
    session.close()


if __name__ == "__main__":
    main()
