-- The tables of the lake s3://bucket/my lake for Amazon Athena and the AWS Glue Data Catalog.
-- Printed by sparkify-lake ddl, which runs nothing. Athena takes one statement per query.
-- https://docs.aws.amazon.com/athena/latest/ug/partition-projection.html

CREATE DATABASE IF NOT EXISTS `sparkify`;

CREATE EXTERNAL TABLE IF NOT EXISTS `sparkify`.`songs` (
  `song_id` string,
  `title` string,
  `duration` double
)
PARTITIONED BY (`Released` int, `artistId` string)
STORED AS PARQUET
LOCATION 's3://bucket/my lake/songs/songs.parquet/';

ALTER TABLE `sparkify`.`songs` ADD IF NOT EXISTS
  PARTITION (`Released` = 0, `artistId` = 'AR1') LOCATION 's3://bucket/my lake/songs/songs.parquet/Released=0/artistId=AR1/';

CREATE EXTERNAL TABLE IF NOT EXISTS `sparkify`.`users` (
  `userId` string,
  `first_name` string,
  `last_name` string,
  `gender` string,
  `level` string
)
STORED AS PARQUET
LOCATION 's3://bucket/my lake/dimensions/it\'s users/';

CREATE EXTERNAL TABLE IF NOT EXISTS `sparkify`.`time` (
  `start_time` timestamp,
  `hour` int,
  `day` int,
  `week` int,
  `weekday` int
)
PARTITIONED BY (`year` int, `monthOfYear` int)
STORED AS PARQUET
LOCATION 's3://bucket/my lake/dimensions/time/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.year.type' = 'integer',
  'projection.year.range' = '2018,2019',
  'projection.monthofyear.type' = 'integer',
  'projection.monthofyear.range' = '1,12',
  'storage.location.template' = 's3://bucket/my lake/dimensions/time/year=${year}/monthOfYear=${monthofyear}/'
);
