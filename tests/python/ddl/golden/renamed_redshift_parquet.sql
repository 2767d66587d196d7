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
PARTITIONED BY ("Released" INTEGER, "artistId" VARCHAR(65535))
STORED AS PARQUET
LOCATION 's3://bucket/my lake/songs/songs.parquet/';

ALTER TABLE "sparkify"."songs" ADD IF NOT EXISTS
  PARTITION ("Released" = 0, "artistId" = 'AR1') LOCATION 's3://bucket/my lake/songs/songs.parquet/Released=0/artistId=AR1/';

CREATE EXTERNAL TABLE "sparkify"."users" (
  "userId" VARCHAR(65535),
  "first_name" VARCHAR(65535),
  "last_name" VARCHAR(65535),
  "gender" VARCHAR(65535),
  "level" VARCHAR(65535)
)
STORED AS PARQUET
LOCATION 's3://bucket/my lake/dimensions/it''s users/';

CREATE EXTERNAL TABLE "sparkify"."time" (
  "start_time" TIMESTAMP,
  "hour" INTEGER,
  "day" INTEGER,
  "week" INTEGER,
  "weekday" INTEGER
)
PARTITIONED BY ("year" INTEGER, "monthOfYear" INTEGER)
STORED AS PARQUET
LOCATION 's3://bucket/my lake/dimensions/time/';

ALTER TABLE "sparkify"."time" ADD IF NOT EXISTS
  PARTITION ("year" = 2018, "monthOfYear" = 11) LOCATION 's3://bucket/my lake/dimensions/time/year=2018/monthOfYear=11/';
