-- The tables of the lake <<root>> for DuckDB, as Delta tables. Printed by sparkify-lake ddl, which runs nothing.
-- For s3://, create a secret first: https://duckdb.org/docs/stable/core_extensions/httpfs/s3api
-- https://duckdb.org/docs/stable/core_extensions/delta

CREATE SCHEMA IF NOT EXISTS <<database>>;

-- for each table
CREATE OR REPLACE VIEW <<table>> AS
SELECT <<select>>
FROM delta_scan('<<location>>');
