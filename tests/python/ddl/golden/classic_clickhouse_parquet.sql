-- The tables of the lake s3://bucket/my lake for ClickHouse. Printed by sparkify-lake ddl, which runs nothing.
-- https://clickhouse.com/docs/sql-reference/table-functions/s3#hive-style-partitioning

CREATE DATABASE IF NOT EXISTS `sparkify`;

CREATE OR REPLACE VIEW `sparkify`.`songs` AS
SELECT
  files.`song_id`,
  files.`title`,
  decodeURLComponent(nullIf(files.`artist_id`, '__HIVE_DEFAULT_PARTITION__')) AS `artist_id`,
  toInt32OrNull(files.`year`) AS `year`,
  files.`duration`
FROM s3(
  's3://bucket/my lake/songs_table/*/*/*.parquet',
  'Parquet',
  '`song_id` Nullable(String), `title` Nullable(String), `duration` Nullable(Float64), `year` String, `artist_id` String'
) AS files
SETTINGS use_hive_partitioning = 1;

CREATE OR REPLACE VIEW `sparkify`.`artists` AS
SELECT
  files.`artist_id`,
  files.`name`,
  files.`location`,
  files.`latitude`,
  files.`longitude`
FROM s3(
  's3://bucket/my lake/artists_table/*.parquet',
  'Parquet',
  '`artist_id` Nullable(String), `name` Nullable(String), `location` Nullable(String), `latitude` Nullable(Float64), `longitude` Nullable(Float64)'
) AS files
SETTINGS use_hive_partitioning = 1;

CREATE OR REPLACE VIEW `sparkify`.`users` AS
SELECT
  files.`user_id`,
  files.`first_name`,
  files.`last_name`,
  files.`gender`,
  files.`level`
FROM s3(
  's3://bucket/my lake/user_table/*.parquet',
  'Parquet',
  '`user_id` Nullable(String), `first_name` Nullable(String), `last_name` Nullable(String), `gender` Nullable(String), `level` Nullable(String)'
) AS files
SETTINGS use_hive_partitioning = 1;

CREATE OR REPLACE VIEW `sparkify`.`time` AS
SELECT
  files.`start_time`,
  files.`hour`,
  files.`day`,
  files.`week`,
  toInt32OrNull(files.`month`) AS `month`,
  toInt32OrNull(files.`year`) AS `year`,
  files.`weekday`
FROM s3(
  's3://bucket/my lake/time_table/*/*/*.parquet',
  'Parquet',
  '`start_time` Nullable(DateTime64(6, \'UTC\')), `hour` Nullable(Int32), `day` Nullable(Int32), `week` Nullable(Int32), `weekday` Nullable(Int32), `year` String, `month` String'
) AS files
SETTINGS use_hive_partitioning = 1;

CREATE OR REPLACE VIEW `sparkify`.`songplays` AS
SELECT
  files.`songplay_id`,
  files.`start_time`,
  files.`user_id`,
  files.`level`,
  files.`song_id`,
  files.`artist_id`,
  files.`session_id`,
  files.`location`,
  files.`user_agent`,
  toInt32OrNull(files.`year`) AS `year`,
  toInt32OrNull(files.`month`) AS `month`
FROM s3(
  's3://bucket/my lake/songplays_table/*/*/*.parquet',
  'Parquet',
  '`songplay_id` Nullable(Int64), `start_time` Nullable(DateTime64(6, \'UTC\')), `user_id` Nullable(String), `level` Nullable(String), `song_id` Nullable(String), `artist_id` Nullable(String), `session_id` Nullable(Int64), `location` Nullable(String), `user_agent` Nullable(String), `year` String, `month` String'
) AS files
SETTINGS use_hive_partitioning = 1;
