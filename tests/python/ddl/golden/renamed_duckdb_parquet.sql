-- The tables of the lake s3://bucket/my lake for DuckDB. Printed by sparkify-lake ddl, which runs nothing.
-- For s3://, create a secret first: https://duckdb.org/docs/stable/core_extensions/httpfs/s3api
-- https://duckdb.org/docs/stable/data/partitioning/hive_partitioning

CREATE SCHEMA IF NOT EXISTS "sparkify";

CREATE OR REPLACE VIEW "sparkify"."songs" AS
SELECT "song_id", "title", "artistId", "Released", "duration"
FROM read_parquet(
  's3://bucket/my lake/songs/songs.parquet/*/*/*.parquet',
  hive_types = {"Released": INTEGER, "artistId": VARCHAR},
  hive_partitioning = true
);

CREATE OR REPLACE VIEW "sparkify"."users" AS
SELECT "userId", "first_name", "last_name", "gender", "level"
FROM read_parquet(
  's3://bucket/my lake/dimensions/it''s users/*.parquet'
);

CREATE OR REPLACE VIEW "sparkify"."time" AS
SELECT "start_time", "hour", "day", "week", "monthOfYear", "year", "weekday"
FROM read_parquet(
  's3://bucket/my lake/dimensions/time/*/*/*.parquet',
  hive_types = {"year": INTEGER, "monthOfYear": INTEGER},
  hive_partitioning = true
);
