-- The tables of the lake s3://bucket/my lake for BigQuery. Printed by sparkify-lake ddl, which runs nothing.
-- For s3://, replace REGION and CONNECTION by those of a connection that can read the lake.
-- An artist_id with escapes in its path (%3A) may keep them, and NULL may be __HIVE_DEFAULT_PARTITION__.
-- https://cloud.google.com/bigquery/docs/hive-partitioned-queries

CREATE SCHEMA IF NOT EXISTS `sparkify`;

CREATE OR REPLACE EXTERNAL TABLE `sparkify`.`songs` (
  `song_id` STRING,
  `title` STRING,
  `duration` FLOAT64
)
WITH PARTITION COLUMNS (`Released` INT64, `artistId` STRING)
WITH CONNECTION `aws-REGION.CONNECTION`
OPTIONS (
  hive_partition_uri_prefix = 's3://bucket/my lake/songs/songs.parquet',
  uris = ['s3://bucket/my lake/songs/songs.parquet/Released=*.parquet'],
  format = 'PARQUET'
);

CREATE OR REPLACE EXTERNAL TABLE `sparkify`.`users` (
  `userId` STRING,
  `first_name` STRING,
  `last_name` STRING,
  `gender` STRING,
  `level` STRING
)
WITH CONNECTION `aws-REGION.CONNECTION`
OPTIONS (
  uris = ['s3://bucket/my lake/dimensions/it\'s users/part-*.parquet'],
  format = 'PARQUET'
);

CREATE OR REPLACE EXTERNAL TABLE `sparkify`.`time` (
  `start_time` TIMESTAMP,
  `hour` INT64,
  `day` INT64,
  `week` INT64,
  `weekday` INT64
)
WITH PARTITION COLUMNS (`year` INT64, `monthOfYear` INT64)
WITH CONNECTION `aws-REGION.CONNECTION`
OPTIONS (
  hive_partition_uri_prefix = 's3://bucket/my lake/dimensions/time',
  uris = ['s3://bucket/my lake/dimensions/time/year=*.parquet'],
  format = 'PARQUET'
);
