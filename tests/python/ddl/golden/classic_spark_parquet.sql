-- The tables of the lake s3://bucket/my lake for Spark and Databricks. Printed by sparkify-lake ddl, which runs nothing.
-- Other Sparks than EMR and Databricks read s3:// if spark.hadoop.fs.s3.impl is
-- org.apache.hadoop.fs.s3a.S3AFileSystem.
-- https://spark.apache.org/docs/latest/sql-ref-syntax-ddl-create-table-datasource.html

CREATE DATABASE IF NOT EXISTS `sparkify`;

CREATE TABLE IF NOT EXISTS `sparkify`.`songs` (
  `song_id` STRING,
  `title` STRING,
  `duration` DOUBLE,
  `year` INT,
  `artist_id` STRING
)
USING PARQUET
PARTITIONED BY (`year`, `artist_id`)
LOCATION 's3://bucket/my lake/songs_table';

MSCK REPAIR TABLE `sparkify`.`songs`;

CREATE TABLE IF NOT EXISTS `sparkify`.`artists` (
  `artist_id` STRING,
  `name` STRING,
  `location` STRING,
  `latitude` DOUBLE,
  `longitude` DOUBLE
)
USING PARQUET
LOCATION 's3://bucket/my lake/artists_table';

CREATE TABLE IF NOT EXISTS `sparkify`.`users` (
  `user_id` STRING,
  `first_name` STRING,
  `last_name` STRING,
  `gender` STRING,
  `level` STRING
)
USING PARQUET
LOCATION 's3://bucket/my lake/user_table';

CREATE TABLE IF NOT EXISTS `sparkify`.`time` (
  `start_time` TIMESTAMP,
  `hour` INT,
  `day` INT,
  `week` INT,
  `weekday` INT,
  `year` INT,
  `month` INT
)
USING PARQUET
PARTITIONED BY (`year`, `month`)
LOCATION 's3://bucket/my lake/time_table';

MSCK REPAIR TABLE `sparkify`.`time`;

CREATE TABLE IF NOT EXISTS `sparkify`.`songplays` (
  `songplay_id` BIGINT,
  `start_time` TIMESTAMP,
  `user_id` STRING,
  `level` STRING,
  `song_id` STRING,
  `artist_id` STRING,
  `session_id` BIGINT,
  `location` STRING,
  `user_agent` STRING,
  `year` INT,
  `month` INT
)
USING PARQUET
PARTITIONED BY (`year`, `month`)
LOCATION 's3://bucket/my lake/songplays_table';

MSCK REPAIR TABLE `sparkify`.`songplays`;
