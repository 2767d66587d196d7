-- The tables of the lake s3://bucket/my lake for Amazon Redshift Spectrum.
-- Printed by sparkify-lake ddl, which runs nothing. Print ALTER TABLE again when the lake has new partitions.
-- https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_EXTERNAL_TABLE.html

CREATE EXTERNAL SCHEMA IF NOT EXISTS "sparkify"
FROM DATA CATALOG DATABASE 'sparkify'
IAM_ROLE default
CREATE EXTERNAL DATABASE IF NOT EXISTS;

CREATE EXTERNAL TABLE "sparkify"."songs" (
  "song_id" VARCHAR(65535),
  "title" VARCHAR(65535),
  "duration" DOUBLE PRECISION
)
PARTITIONED BY ("year" INTEGER, "artist_id" VARCHAR(65535))
STORED AS PARQUET
LOCATION 's3://bucket/my lake/songs_table/';

-- Without 2 partitions of songs: ALTER TABLE has no value for NULL.

ALTER TABLE "sparkify"."songs" ADD IF NOT EXISTS
  PARTITION ("year" = 0, "artist_id" = 'AR1') LOCATION 's3://bucket/my lake/songs_table/year=0/artist_id=AR1/'
  PARTITION ("year" = 1999, "artist_id" = 'a/b ''c''') LOCATION 's3://bucket/my lake/songs_table/year=1999/artist_id=a%2Fb %27c%27/';

CREATE EXTERNAL TABLE "sparkify"."artists" (
  "artist_id" VARCHAR(65535),
  "name" VARCHAR(65535),
  "location" VARCHAR(65535),
  "latitude" DOUBLE PRECISION,
  "longitude" DOUBLE PRECISION
)
STORED AS PARQUET
LOCATION 's3://bucket/my lake/artists_table/';

CREATE EXTERNAL TABLE "sparkify"."users" (
  "user_id" VARCHAR(65535),
  "first_name" VARCHAR(65535),
  "last_name" VARCHAR(65535),
  "gender" VARCHAR(65535),
  "level" VARCHAR(65535)
)
STORED AS PARQUET
LOCATION 's3://bucket/my lake/user_table/';

CREATE EXTERNAL TABLE "sparkify"."time" (
  "start_time" TIMESTAMP,
  "hour" INTEGER,
  "day" INTEGER,
  "week" INTEGER,
  "weekday" INTEGER
)
PARTITIONED BY ("year" INTEGER, "month" INTEGER)
STORED AS PARQUET
LOCATION 's3://bucket/my lake/time_table/';

ALTER TABLE "sparkify"."time" ADD IF NOT EXISTS
  PARTITION ("year" = 2018, "month" = 11) LOCATION 's3://bucket/my lake/time_table/year=2018/month=11/'
  PARTITION ("year" = 2018, "month" = 12) LOCATION 's3://bucket/my lake/time_table/year=2018/month=12/';

CREATE EXTERNAL TABLE "sparkify"."songplays" (
  "songplay_id" BIGINT,
  "start_time" TIMESTAMP,
  "user_id" VARCHAR(65535),
  "level" VARCHAR(65535),
  "song_id" VARCHAR(65535),
  "artist_id" VARCHAR(65535),
  "session_id" BIGINT,
  "location" VARCHAR(65535),
  "user_agent" VARCHAR(65535)
)
PARTITIONED BY ("year" INTEGER, "month" INTEGER)
STORED AS PARQUET
LOCATION 's3://bucket/my lake/songplays_table/';

ALTER TABLE "sparkify"."songplays" ADD IF NOT EXISTS
  PARTITION ("year" = 2018, "month" = 11) LOCATION 's3://bucket/my lake/songplays_table/year=2018/month=11/'
  PARTITION ("year" = 2018, "month" = 12) LOCATION 's3://bucket/my lake/songplays_table/year=2018/month=12/';
