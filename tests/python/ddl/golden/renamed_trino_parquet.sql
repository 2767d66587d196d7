-- The tables of the lake s3://bucket/my lake for Trino. Needs a catalog with the name hive;
-- for a lake on a local disk, with fs.local.enabled=true and local.location=/.
-- Printed by sparkify-lake ddl, which runs nothing.
-- https://trino.io/docs/current/connector/hive.html#hive-procedures

CREATE SCHEMA IF NOT EXISTS hive."sparkify";

CREATE TABLE IF NOT EXISTS hive."sparkify"."songs" (
  "song_id" VARCHAR,
  "title" VARCHAR,
  "duration" DOUBLE,
  "Released" INTEGER,
  "artistId" VARCHAR
)
WITH (
  partitioned_by = ARRAY['released', 'artistid'],
  external_location = 's3://bucket/my lake/songs/songs.parquet',
  format = 'PARQUET'
);

CALL hive.system.sync_partition_metadata(schema_name => 'sparkify', table_name => 'songs', mode => 'FULL', case_sensitive => false);

CREATE TABLE IF NOT EXISTS hive."sparkify"."users" (
  "userId" VARCHAR,
  "first_name" VARCHAR,
  "last_name" VARCHAR,
  "gender" VARCHAR,
  "level" VARCHAR
)
WITH (
  external_location = 's3://bucket/my lake/dimensions/it''s users',
  format = 'PARQUET'
);

CREATE TABLE IF NOT EXISTS hive."sparkify"."time" (
  "start_time" TIMESTAMP(3),
  "hour" INTEGER,
  "day" INTEGER,
  "week" INTEGER,
  "weekday" INTEGER,
  "year" INTEGER,
  "monthOfYear" INTEGER
)
WITH (
  partitioned_by = ARRAY['year', 'monthofyear'],
  external_location = 's3://bucket/my lake/dimensions/time',
  format = 'PARQUET'
);

CALL hive.system.sync_partition_metadata(schema_name => 'sparkify', table_name => 'time', mode => 'FULL', case_sensitive => false);
