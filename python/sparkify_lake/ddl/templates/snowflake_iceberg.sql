-- The tables of the lake <<root>> for Snowflake, as Iceberg tables.
-- Printed by sparkify-lake ddl, which runs nothing. The metadata files are those of the newest version.
-- Replace MY_VOLUME by an external volume whose STORAGE_BASE_URL is the root of the lake.
-- https://docs.snowflake.com/en/sql-reference/sql/create-iceberg-table-iceberg-files

CREATE SCHEMA IF NOT EXISTS <<database>>;

CREATE CATALOG INTEGRATION IF NOT EXISTS SPARKIFY_ICEBERG
  CATALOG_SOURCE = OBJECT_STORE
  TABLE_FORMAT = ICEBERG
  ENABLED = TRUE;

-- for each table
CREATE OR REPLACE ICEBERG TABLE <<table>>
  CATALOG = 'SPARKIFY_ICEBERG'
  EXTERNAL_VOLUME = 'MY_VOLUME'
  METADATA_FILE_PATH = '<<metadata_below_root>>';
