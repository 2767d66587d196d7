-- The tables of the lake s3://bucket/my lake for Spark and Databricks. Printed by sparkify-lake ddl, which runs nothing.
-- Other Sparks than EMR and Databricks read s3:// if spark.hadoop.fs.s3.impl is
-- org.apache.hadoop.fs.s3a.S3AFileSystem.
-- https://spark.apache.org/docs/latest/sql-ref-syntax-ddl-create-table-datasource.html

CREATE DATABASE IF NOT EXISTS `sparkify`;

CREATE TABLE IF NOT EXISTS `sparkify`.`songs` (
  `song_id` STRING,
  `title` STRING,
  `duration` DOUBLE,
  `Released` INT,
  `artistId` STRING
)
USING PARQUET
PARTITIONED BY (`Released`, `artistId`)
LOCATION 's3://bucket/my lake/songs/songs.parquet';

MSCK REPAIR TABLE `sparkify`.`songs`;

CREATE TABLE IF NOT EXISTS `sparkify`.`users` (
  `userId` STRING,
  `first_name` STRING,
  `last_name` STRING,
  `gender` STRING,
  `level` STRING
)
USING PARQUET
LOCATION 's3://bucket/my lake/dimensions/it\'s users';

CREATE TABLE IF NOT EXISTS `sparkify`.`time` (
  `start_time` TIMESTAMP,
  `hour` INT,
  `day` INT,
  `week` INT,
  `weekday` INT,
  `year` INT,
  `monthOfYear` INT
)
USING PARQUET
PARTITIONED BY (`year`, `monthOfYear`)
LOCATION 's3://bucket/my lake/dimensions/time';

MSCK REPAIR TABLE `sparkify`.`time`;
