-- The tables of the lake <<root>> for Snowflake. Printed by sparkify-lake ddl, which runs nothing.
-- Replace MY_INTEGRATION by a storage integration that can read the lake.
-- An artist_id with escapes in its path (%3A) keeps them: a partition expression cannot decode them.
-- https://docs.snowflake.com/en/sql-reference/sql/create-external-table

CREATE SCHEMA IF NOT EXISTS <<database>>;

-- for each table
CREATE OR REPLACE STAGE <<table_files>>
  URL = '<<location>>/'
  STORAGE_INTEGRATION = MY_INTEGRATION;

CREATE OR REPLACE EXTERNAL TABLE <<table>> (
  <<computed_columns>>
)
PARTITION BY (<<key_names>>)
LOCATION = @<<table_files>>
AUTO_REFRESH = FALSE
PATTERN = '.*part-[^/]*[.]parquet'
FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE);
