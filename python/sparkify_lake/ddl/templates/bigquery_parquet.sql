-- The tables of the lake <<root>> for BigQuery. Printed by sparkify-lake ddl, which runs nothing.
-- For s3://, replace REGION and CONNECTION by those of a connection that can read the lake.
-- An artist_id with escapes in its path (%3A) may keep them, and NULL may be __HIVE_DEFAULT_PARTITION__.
-- https://cloud.google.com/bigquery/docs/hive-partitioned-queries

CREATE SCHEMA IF NOT EXISTS <<database>>;

-- for each table
CREATE OR REPLACE EXTERNAL TABLE <<table>> (
  <<file_columns>>
)
WITH PARTITION COLUMNS (<<keys>>)
WITH CONNECTION `<<s3_connection>>`
OPTIONS (
  hive_partition_uri_prefix = '<<hive_prefix>>',
  uris = ['<<location>>/<<first_part>>*.parquet'],
  format = 'PARQUET'
);
