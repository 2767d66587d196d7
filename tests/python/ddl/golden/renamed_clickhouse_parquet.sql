-- The tables of the lake s3://bucket/my lake for ClickHouse. Printed by sparkify-lake ddl, which runs nothing.
-- https://clickhouse.com/docs/sql-reference/table-functions/s3#hive-style-partitioning

CREATE DATABASE IF NOT EXISTS `sparkify`;

CREATE OR REPLACE VIEW `sparkify`.`songs` AS
SELECT
  files.`song_id`,
  files.`title`,
  decodeURLComponent(nullIf(files.`artistId`, '__HIVE_DEFAULT_PARTITION__')) AS `artistId`,
  toInt32OrNull(files.`Released`) AS `Released`,
  files.`duration`
FROM s3(
  's3://bucket/my lake/songs/songs.parquet/*/*/*.parquet',
  'Parquet',
  '`song_id` Nullable(String), `title` Nullable(String), `duration` Nullable(Float64), `Released` String, `artistId` String'
) AS files
SETTINGS use_hive_partitioning = 1;

CREATE OR REPLACE VIEW `sparkify`.`users` AS
SELECT
  files.`userId`,
  files.`first_name`,
  files.`last_name`,
  files.`gender`,
  files.`level`
FROM s3(
  's3://bucket/my lake/dimensions/it\'s users/*.parquet',
  'Parquet',
  '`userId` Nullable(String), `first_name` Nullable(String), `last_name` Nullable(String), `gender` Nullable(String), `level` Nullable(String)'
) AS files
SETTINGS use_hive_partitioning = 1;

CREATE OR REPLACE VIEW `sparkify`.`time` AS
SELECT
  files.`start_time`,
  files.`hour`,
  files.`day`,
  files.`week`,
  toInt32OrNull(files.`monthOfYear`) AS `monthOfYear`,
  toInt32OrNull(files.`year`) AS `year`,
  files.`weekday`
FROM s3(
  's3://bucket/my lake/dimensions/time/*/*/*.parquet',
  'Parquet',
  '`start_time` Nullable(DateTime64(6, \'UTC\')), `hour` Nullable(Int32), `day` Nullable(Int32), `week` Nullable(Int32), `weekday` Nullable(Int32), `year` String, `monthOfYear` String'
) AS files
SETTINGS use_hive_partitioning = 1;
