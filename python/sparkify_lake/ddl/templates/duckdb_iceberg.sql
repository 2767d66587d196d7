-- The tables of the lake <<root>> for DuckDB, as Iceberg tables.
-- Printed by sparkify-lake ddl, which runs nothing. The metadata files are those of the newest version.
-- For s3://, create a secret first: https://duckdb.org/docs/stable/core_extensions/httpfs/s3api
-- https://duckdb.org/docs/stable/core_extensions/iceberg/overview

CREATE SCHEMA IF NOT EXISTS <<database>>;

-- for each table
CREATE OR REPLACE VIEW <<table>> AS
SELECT <<select>>
FROM iceberg_scan('<<metadata>>');
