-- The tables of the lake s3://bucket/my lake for Trino. Needs a catalog with the name hive;
-- for a lake on a local disk, with fs.local.enabled=true and local.location=/.
-- Printed by sparkify-lake ddl, which runs nothing.
-- https://trino.io/docs/current/connector/hive.html#hive-procedures

CREATE SCHEMA IF NOT EXISTS hive."sparkify";

CREATE TABLE IF NOT EXISTS hive."sparkify"."songs" (
  "song_id" VARCHAR,
  "title" VARCHAR,
  "duration" DOUBLE,
  "year" INTEGER,
  "artist_id" VARCHAR
)
WITH (
  partitioned_by = ARRAY['year', 'artist_id'],
  external_location = 's3://bucket/my lake/songs_table',
  format = 'PARQUET'
);

CALL hive.system.sync_partition_metadata(schema_name => 'sparkify', table_name => 'songs', mode => 'FULL');

CREATE TABLE IF NOT EXISTS hive."sparkify"."artists" (
  "artist_id" VARCHAR,
  "name" VARCHAR,
  "location" VARCHAR,
  "latitude" DOUBLE,
  "longitude" DOUBLE
)
WITH (
  external_location = 's3://bucket/my lake/artists_table',
  format = 'PARQUET'
);

CREATE TABLE IF NOT EXISTS hive."sparkify"."users" (
  "user_id" VARCHAR,
  "first_name" VARCHAR,
  "last_name" VARCHAR,
  "gender" VARCHAR,
  "level" VARCHAR
)
WITH (
  external_location = 's3://bucket/my lake/user_table',
  format = 'PARQUET'
);

CREATE TABLE IF NOT EXISTS hive."sparkify"."time" (
  "start_time" TIMESTAMP(3),
  "hour" INTEGER,
  "day" INTEGER,
  "week" INTEGER,
  "weekday" INTEGER,
  "year" INTEGER,
  "month" INTEGER
)
WITH (
  partitioned_by = ARRAY['year', 'month'],
  external_location = 's3://bucket/my lake/time_table',
  format = 'PARQUET'
);

CALL hive.system.sync_partition_metadata(schema_name => 'sparkify', table_name => 'time', mode => 'FULL');

CREATE TABLE IF NOT EXISTS hive."sparkify"."songplays" (
  "songplay_id" BIGINT,
  "start_time" TIMESTAMP(3),
  "user_id" VARCHAR,
  "level" VARCHAR,
  "song_id" VARCHAR,
  "artist_id" VARCHAR,
  "session_id" BIGINT,
  "location" VARCHAR,
  "user_agent" VARCHAR,
  "year" INTEGER,
  "month" INTEGER
)
WITH (
  partitioned_by = ARRAY['year', 'month'],
  external_location = 's3://bucket/my lake/songplays_table',
  format = 'PARQUET'
);

CALL hive.system.sync_partition_metadata(schema_name => 'sparkify', table_name => 'songplays', mode => 'FULL');
