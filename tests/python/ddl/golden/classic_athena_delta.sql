-- The tables of the lake s3://bucket/my lake for Amazon Athena and the AWS Glue Data Catalog, as Delta tables.
-- Printed by sparkify-lake ddl, which runs nothing. Athena takes one statement per query.
-- https://docs.aws.amazon.com/athena/latest/ug/delta-lake-tables.html

CREATE DATABASE IF NOT EXISTS `sparkify`;

CREATE EXTERNAL TABLE IF NOT EXISTS `sparkify`.`songs`
LOCATION 's3://bucket/my lake/songs_table/'
TBLPROPERTIES ('table_type' = 'DELTA');

CREATE EXTERNAL TABLE IF NOT EXISTS `sparkify`.`artists`
LOCATION 's3://bucket/my lake/artists_table/'
TBLPROPERTIES ('table_type' = 'DELTA');

CREATE EXTERNAL TABLE IF NOT EXISTS `sparkify`.`users`
LOCATION 's3://bucket/my lake/user_table/'
TBLPROPERTIES ('table_type' = 'DELTA');

CREATE EXTERNAL TABLE IF NOT EXISTS `sparkify`.`time`
LOCATION 's3://bucket/my lake/time_table/'
TBLPROPERTIES ('table_type' = 'DELTA');

CREATE EXTERNAL TABLE IF NOT EXISTS `sparkify`.`songplays`
LOCATION 's3://bucket/my lake/songplays_table/'
TBLPROPERTIES ('table_type' = 'DELTA');
