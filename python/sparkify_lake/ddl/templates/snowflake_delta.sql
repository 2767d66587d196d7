-- The tables of the lake <<root>> for Snowflake, as Delta tables.
-- Printed by sparkify-lake ddl, which runs nothing.
-- Replace MY_VOLUME by an external volume whose STORAGE_BASE_URL is the root of the lake.
-- https://docs.snowflake.com/en/sql-reference/sql/create-iceberg-table-delta

CREATE SCHEMA IF NOT EXISTS <<database>>;

CREATE CATALOG INTEGRATION IF NOT EXISTS SPARKIFY_DELTA
  CATALOG_SOURCE = OBJECT_STORE
  TABLE_FORMAT = DELTA
  ENABLED = TRUE;

-- for each table
CREATE OR REPLACE ICEBERG TABLE <<table>>
  CATALOG = 'SPARKIFY_DELTA'
  EXTERNAL_VOLUME = 'MY_VOLUME'
  BASE_LOCATION = '<<folder>>';
