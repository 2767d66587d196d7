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
WITH PARTITION COLUMNS (`year` INT64, `artist_id` STRING)
WITH CONNECTION `aws-REGION.CONNECTION`
OPTIONS (
  hive_partition_uri_prefix = 's3://bucket/my lake/songs_table',
  uris = ['s3://bucket/my lake/songs_table/year=*.parquet'],
  format = 'PARQUET'
);

CREATE OR REPLACE EXTERNAL TABLE `sparkify`.`artists` (
  `artist_id` STRING,
  `name` STRING,
  `location` STRING,
  `latitude` FLOAT64,
  `longitude` FLOAT64
)
WITH CONNECTION `aws-REGION.CONNECTION`
OPTIONS (
  uris = ['s3://bucket/my lake/artists_table/part-*.parquet'],
  format = 'PARQUET'
);

CREATE OR REPLACE EXTERNAL TABLE `sparkify`.`users` (
  `user_id` STRING,
  `first_name` STRING,
  `last_name` STRING,
  `gender` STRING,
  `level` STRING
)
WITH CONNECTION `aws-REGION.CONNECTION`
OPTIONS (
  uris = ['s3://bucket/my lake/user_table/part-*.parquet'],
  format = 'PARQUET'
);

CREATE OR REPLACE EXTERNAL TABLE `sparkify`.`time` (
  `start_time` TIMESTAMP,
  `hour` INT64,
  `day` INT64,
  `week` INT64,
  `weekday` INT64
)
WITH PARTITION COLUMNS (`year` INT64, `month` INT64)
WITH CONNECTION `aws-REGION.CONNECTION`
OPTIONS (
  hive_partition_uri_prefix = 's3://bucket/my lake/time_table',
  uris = ['s3://bucket/my lake/time_table/year=*.parquet'],
  format = 'PARQUET'
);

CREATE OR REPLACE EXTERNAL TABLE `sparkify`.`songplays` (
  `songplay_id` INT64,
  `start_time` TIMESTAMP,
  `user_id` STRING,
  `level` STRING,
  `song_id` STRING,
  `artist_id` STRING,
  `session_id` INT64,
  `location` STRING,
  `user_agent` STRING
)
WITH PARTITION COLUMNS (`year` INT64, `month` INT64)
WITH CONNECTION `aws-REGION.CONNECTION`
OPTIONS (
  hive_partition_uri_prefix = 's3://bucket/my lake/songplays_table',
  uris = ['s3://bucket/my lake/songplays_table/year=*.parquet'],
  format = 'PARQUET'
);
