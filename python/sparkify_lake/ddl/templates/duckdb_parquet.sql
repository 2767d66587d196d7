-- The tables of the lake <<root>> for DuckDB. Printed by sparkify-lake ddl, which runs nothing.
-- For s3://, create a secret first: https://duckdb.org/docs/stable/core_extensions/httpfs/s3api
-- https://duckdb.org/docs/stable/data/partitioning/hive_partitioning

CREATE SCHEMA IF NOT EXISTS <<database>>;

-- for each table
CREATE OR REPLACE VIEW <<table>> AS
SELECT <<select>>
FROM read_parquet(
  '<<escaped_files>>',
  hive_types = {<<hive_types>>},
  hive_partitioning = <<is_partitioned>>
);
