"""The job on DuckDB: ``peer_duckdb.py INPUT OUTPUT``. One SQL statement per table, partitioned COPY.

read_text reads the song files, which have one record each: read_json needs a millisecond of CPU per file.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

STATEMENTS = """
SET TimeZone = 'UTC';
SET preserve_insertion_order = false;

CREATE TABLE songs_read AS
SELECT unnest(from_json(content, '{{
    "artist_id": "VARCHAR", "artist_latitude": "DOUBLE", "artist_longitude": "DOUBLE",
    "artist_location": "VARCHAR", "artist_name": "VARCHAR", "song_id": "VARCHAR", "title": "VARCHAR",
    "duration": "DOUBLE", "year": "INTEGER"}}'))
FROM read_text('{input}/song_data/**/*.json');

CREATE TABLE songs AS
SELECT DISTINCT ON (song_id) * FROM songs_read
ORDER BY song_id, coalesce(year, 0) = 0, artist_id NULLS FIRST, title NULLS FIRST, year NULLS FIRST,
    duration NULLS FIRST, artist_name NULLS FIRST;

COPY (SELECT song_id, title, duration, year, artist_id FROM songs)
TO '{output}/songs' (FORMAT parquet, PARTITION_BY (year, artist_id));

COPY (
    SELECT DISTINCT ON (artist_id) artist_id, artist_name AS name, artist_location AS location,
        artist_latitude AS latitude, artist_longitude AS longitude
    FROM songs_read
    ORDER BY artist_id,
        (coalesce(artist_location, '') <> '')::INT + (artist_latitude IS NOT NULL)::INT
            + (artist_longitude IS NOT NULL)::INT DESC,
        song_id, artist_name NULLS FIRST, artist_location NULLS FIRST
) TO '{output}/artists/part-0.parquet' (FORMAT parquet);

CREATE TABLE logs AS
SELECT artist, song, length, firstName, lastName, gender, level, location, sessionId, itemInSession, ts,
    userAgent, userId, make_timestamptz(ts * 1000) AS start_time
FROM read_json('{input}/log_data/**/*.json', format = 'newline_delimited', columns = {{
    artist: 'VARCHAR', auth: 'VARCHAR', firstName: 'VARCHAR', gender: 'VARCHAR', itemInSession: 'BIGINT',
    lastName: 'VARCHAR', length: 'DOUBLE', level: 'VARCHAR', location: 'VARCHAR', method: 'VARCHAR',
    page: 'VARCHAR', registration: 'DOUBLE', sessionId: 'BIGINT', song: 'VARCHAR',
    status: 'BIGINT', ts: 'BIGINT', userAgent: 'VARCHAR', userId: 'VARCHAR'}})
WHERE page = 'NextSong';

COPY (
    SELECT userId AS user_id, latest.f AS first_name, latest.l AS last_name, latest.g AS gender,
        latest.v AS level
    FROM (
        SELECT userId, arg_max({{f: firstName, l: lastName, g: gender, v: level}},
            {{a: ts, b: sessionId, c: itemInSession, d: level}}) AS latest
        FROM logs GROUP BY userId)
) TO '{output}/users/part-0.parquet' (FORMAT parquet);

COPY (
    SELECT DISTINCT start_time, hour(start_time) AS hour, day(start_time) AS day, week(start_time) AS week,
        month(start_time) AS month, year(start_time) AS year, dayofweek(start_time) + 1 AS weekday
    FROM logs
) TO '{output}/time' (FORMAT parquet, PARTITION_BY (year, month));

COPY (
    SELECT row_number() OVER () AS songplay_id, start_time, userId AS user_id, level, song_id, artist_id,
        sessionId AS session_id, location, userAgent AS user_agent, year(start_time) AS year,
        month(start_time) AS month
    FROM logs LEFT JOIN (
        SELECT title, artist_name, duration, min(song_id) AS song_id, arg_min(artist_id, song_id) AS artist_id
        FROM songs GROUP BY ALL) AS catalog
    ON song = title AND artist = artist_name AND length = duration
) TO '{output}/songplays' (FORMAT parquet, PARTITION_BY (year, month));
"""


def main() -> None:
    source, output = sys.argv[1:3]
    for table in ("artists", "users"):
        (Path(output) / table).mkdir(parents=True)
    with duckdb.connect() as connection:
        connection.execute(STATEMENTS.format(input=source, output=output))


if __name__ == "__main__":
    main()
