-- The tables of the lake s3://bucket/my lake for BigQuery, as Delta tables. Printed by sparkify-lake ddl, which runs nothing.
-- Replace REGION and CONNECTION by those of a connection that can read the lake.
-- https://cloud.google.com/bigquery/docs/create-delta-lake-table

CREATE SCHEMA IF NOT EXISTS `sparkify`;

CREATE OR REPLACE EXTERNAL TABLE `sparkify`.`songs`
WITH CONNECTION `aws-REGION.CONNECTION`
OPTIONS (
  format = 'DELTA_LAKE',
  uris = ['s3://bucket/my lake/songs_table']
);

CREATE OR REPLACE EXTERNAL TABLE `sparkify`.`artists`
WITH CONNECTION `aws-REGION.CONNECTION`
OPTIONS (
  format = 'DELTA_LAKE',
  uris = ['s3://bucket/my lake/artists_table']
);

CREATE OR REPLACE EXTERNAL TABLE `sparkify`.`users`
WITH CONNECTION `aws-REGION.CONNECTION`
OPTIONS (
  format = 'DELTA_LAKE',
  uris = ['s3://bucket/my lake/user_table']
);

CREATE OR REPLACE EXTERNAL TABLE `sparkify`.`time`
WITH CONNECTION `aws-REGION.CONNECTION`
OPTIONS (
  format = 'DELTA_LAKE',
  uris = ['s3://bucket/my lake/time_table']
);

CREATE OR REPLACE EXTERNAL TABLE `sparkify`.`songplays`
WITH CONNECTION `aws-REGION.CONNECTION`
OPTIONS (
  format = 'DELTA_LAKE',
  uris = ['s3://bucket/my lake/songplays_table']
);
