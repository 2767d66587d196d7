-- The tables of the lake s3://bucket/my lake for Amazon Athena and the AWS Glue Data Catalog.
-- Printed by sparkify-lake ddl, which runs nothing. Athena takes one statement per query.
-- https://docs.aws.amazon.com/athena/latest/ug/partition-projection.html

CREATE DATABASE IF NOT EXISTS `sparkify`;

CREATE EXTERNAL TABLE IF NOT EXISTS `sparkify`.`songs` (
  `song_id` string,
  `title` string,
  `duration` double
)
PARTITIONED BY (`year` int, `artist_id` string)
STORED AS PARQUET
LOCATION 's3://bucket/my lake/songs_table/';

MSCK REPAIR TABLE `sparkify`.`songs`;

CREATE EXTERNAL TABLE IF NOT EXISTS `sparkify`.`artists` (
  `artist_id` string,
  `name` string,
  `location` string,
  `latitude` double,
  `longitude` double
)
STORED AS PARQUET
LOCATION 's3://bucket/my lake/artists_table/';

CREATE EXTERNAL TABLE IF NOT EXISTS `sparkify`.`users` (
  `user_id` string,
  `first_name` string,
  `last_name` string,
  `gender` string,
  `level` string
)
STORED AS PARQUET
LOCATION 's3://bucket/my lake/user_table/';

CREATE EXTERNAL TABLE IF NOT EXISTS `sparkify`.`time` (
  `start_time` timestamp,
  `hour` int,
  `day` int,
  `week` int,
  `weekday` int
)
PARTITIONED BY (`year` int, `month` int)
STORED AS PARQUET
LOCATION 's3://bucket/my lake/time_table/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.year.type' = 'integer',
  'projection.year.range' = '1990,2100',
  'projection.month.type' = 'integer',
  'projection.month.range' = '1,12',
  'storage.location.template' = 's3://bucket/my lake/time_table/year=${year}/month=${month}/'
);

CREATE EXTERNAL TABLE IF NOT EXISTS `sparkify`.`songplays` (
  `songplay_id` bigint,
  `start_time` timestamp,
  `user_id` string,
  `level` string,
  `song_id` string,
  `artist_id` string,
  `session_id` bigint,
  `location` string,
  `user_agent` string
)
PARTITIONED BY (`year` int, `month` int)
STORED AS PARQUET
LOCATION 's3://bucket/my lake/songplays_table/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.year.type' = 'integer',
  'projection.year.range' = '1990,2100',
  'projection.month.type' = 'integer',
  'projection.month.range' = '1,12',
  'storage.location.template' = 's3://bucket/my lake/songplays_table/year=${year}/month=${month}/'
);
