-- The tables of the lake s3://bucket/my lake for BigQuery, as Iceberg tables. Printed by sparkify-lake ddl, which runs nothing.
-- Replace REGION and CONNECTION by those of a connection that can read the lake.
-- https://cloud.google.com/bigquery/docs/iceberg-external-tables

CREATE SCHEMA IF NOT EXISTS `sparkify`;

CREATE OR REPLACE EXTERNAL TABLE `sparkify`.`songs`
WITH CONNECTION `aws-REGION.CONNECTION`
OPTIONS (
  format = 'ICEBERG',
  uris = ['s3://bucket/my lake/_etl/iceberg/songs/metadata/00004-2f1a.metadata.json']
);

CREATE OR REPLACE EXTERNAL TABLE `sparkify`.`artists`
WITH CONNECTION `aws-REGION.CONNECTION`
OPTIONS (
  format = 'ICEBERG',
  uris = ['s3://bucket/my lake/_etl/iceberg/artists/metadata/v3.metadata.json']
);

CREATE OR REPLACE EXTERNAL TABLE `sparkify`.`users`
WITH CONNECTION `aws-REGION.CONNECTION`
OPTIONS (
  format = 'ICEBERG',
  uris = ['s3://bucket/my lake/_etl/iceberg/users/metadata/v3.metadata.json']
);

CREATE OR REPLACE EXTERNAL TABLE `sparkify`.`time`
WITH CONNECTION `aws-REGION.CONNECTION`
OPTIONS (
  format = 'ICEBERG',
  uris = ['s3://bucket/my lake/_etl/iceberg/time/metadata/v3.metadata.json']
);

CREATE OR REPLACE EXTERNAL TABLE `sparkify`.`songplays`
WITH CONNECTION `aws-REGION.CONNECTION`
OPTIONS (
  format = 'ICEBERG',
  uris = ['s3://bucket/my lake/_etl/iceberg/songplays/metadata/v3.metadata.json']
);
