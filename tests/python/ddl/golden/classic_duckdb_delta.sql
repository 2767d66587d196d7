-- The tables of the lake s3://bucket/my lake for DuckDB, as Delta tables. Printed by sparkify-lake ddl, which runs nothing.
-- For s3://, create a secret first: https://duckdb.org/docs/stable/core_extensions/httpfs/s3api
-- https://duckdb.org/docs/stable/core_extensions/delta

CREATE SCHEMA IF NOT EXISTS "sparkify";

CREATE OR REPLACE VIEW "sparkify"."songs" AS
SELECT "song_id", "title", "artist_id", "year", "duration"
FROM delta_scan('s3://bucket/my lake/songs_table');

CREATE OR REPLACE VIEW "sparkify"."artists" AS
SELECT "artist_id", "name", "location", "latitude", "longitude"
FROM delta_scan('s3://bucket/my lake/artists_table');

CREATE OR REPLACE VIEW "sparkify"."users" AS
SELECT "user_id", "first_name", "last_name", "gender", "level"
FROM delta_scan('s3://bucket/my lake/user_table');

CREATE OR REPLACE VIEW "sparkify"."time" AS
SELECT "start_time", "hour", "day", "week", "month", "year", "weekday"
FROM delta_scan('s3://bucket/my lake/time_table');

CREATE OR REPLACE VIEW "sparkify"."songplays" AS
SELECT "songplay_id", "start_time", "user_id", "level", "song_id", "artist_id", "session_id", "location", "user_agent", "year", "month"
FROM delta_scan('s3://bucket/my lake/songplays_table');
