-- The tables of the lake <<root>> for ClickHouse. Printed by sparkify-lake ddl, which runs nothing.
-- https://clickhouse.com/docs/sql-reference/table-functions/s3#hive-style-partitioning

CREATE DATABASE IF NOT EXISTS <<database>>;

-- for each table
CREATE OR REPLACE VIEW <<table>> AS
SELECT
  <<decoded_columns>>
FROM <<file_function>>(
  '<<files>>',
  'Parquet',
  '<<structure>>'
) AS files
SETTINGS use_hive_partitioning = 1;
