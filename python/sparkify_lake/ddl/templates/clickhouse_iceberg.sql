-- The tables of the lake <<root>> for ClickHouse, as Iceberg tables.
-- Printed by sparkify-lake ddl, which runs nothing.
-- https://clickhouse.com/docs/sql-reference/table-functions/iceberg

CREATE DATABASE IF NOT EXISTS <<database>>;

-- for each table
CREATE OR REPLACE VIEW <<table>> AS
SELECT <<select>>
FROM <<iceberg_function>>('<<iceberg>>/');
