-- The tables of the lake s3://bucket/my lake for Spark and Databricks, as Delta tables.
-- Printed by sparkify-lake ddl, which runs nothing.
-- https://docs.delta.io/latest/delta-batch.html#create-a-table

CREATE DATABASE IF NOT EXISTS `sparkify`;

CREATE TABLE IF NOT EXISTS `sparkify`.`songs`
USING DELTA
LOCATION 's3://bucket/my lake/songs_table';

CREATE TABLE IF NOT EXISTS `sparkify`.`artists`
USING DELTA
LOCATION 's3://bucket/my lake/artists_table';

CREATE TABLE IF NOT EXISTS `sparkify`.`users`
USING DELTA
LOCATION 's3://bucket/my lake/user_table';

CREATE TABLE IF NOT EXISTS `sparkify`.`time`
USING DELTA
LOCATION 's3://bucket/my lake/time_table';

CREATE TABLE IF NOT EXISTS `sparkify`.`songplays`
USING DELTA
LOCATION 's3://bucket/my lake/songplays_table';
