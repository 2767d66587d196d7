-- The tables of the lake s3://bucket/my lake for DuckDB, as Iceberg tables.
-- Printed by sparkify-lake ddl, which runs nothing. The metadata files are those of the newest version.
-- For s3://, create a secret first: https://duckdb.org/docs/stable/core_extensions/httpfs/s3api
-- https://duckdb.org/docs/stable/core_extensions/iceberg/overview

CREATE SCHEMA IF NOT EXISTS "sparkify";

CREATE OR REPLACE VIEW "sparkify"."songs" AS
SELECT "song_id", "title", "artist_id", "year", "duration"
FROM iceberg_scan('s3://bucket/my lake/_etl/iceberg/songs/metadata/00004-2f1a.metadata.json');

CREATE OR REPLACE VIEW "sparkify"."artists" AS
SELECT "artist_id", "name", "location", "latitude", "longitude"
FROM iceberg_scan('s3://bucket/my lake/_etl/iceberg/artists/metadata/v3.metadata.json');

CREATE OR REPLACE VIEW "sparkify"."users" AS
SELECT "user_id", "first_name", "last_name", "gender", "level"
FROM iceberg_scan('s3://bucket/my lake/_etl/iceberg/users/metadata/v3.metadata.json');

CREATE OR REPLACE VIEW "sparkify"."time" AS
SELECT "start_time", "hour", "day", "week", "month", "year", "weekday"
FROM iceberg_scan('s3://bucket/my lake/_etl/iceberg/time/metadata/v3.metadata.json');

CREATE OR REPLACE VIEW "sparkify"."songplays" AS
SELECT "songplay_id", "start_time", "user_id", "level", "song_id", "artist_id", "session_id", "location", "user_agent", "year", "month"
FROM iceberg_scan('s3://bucket/my lake/_etl/iceberg/songplays/metadata/v3.metadata.json');
