-- The tables of the lake <<root>> for BigQuery, as Delta tables. Printed by sparkify-lake ddl, which runs nothing.
-- Replace REGION and CONNECTION by those of a connection that can read the lake.
-- https://cloud.google.com/bigquery/docs/create-delta-lake-table

CREATE SCHEMA IF NOT EXISTS <<database>>;

-- for each table
CREATE OR REPLACE EXTERNAL TABLE <<table>>
WITH CONNECTION `<<connection>>`
OPTIONS (
  format = 'DELTA_LAKE',
  uris = ['<<location>>']
);
