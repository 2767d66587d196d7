-- The tables of the lake <<root>> for ClickHouse, as Delta tables.
-- Printed by sparkify-lake ddl, which runs nothing.
-- https://clickhouse.com/docs/sql-reference/table-functions/deltalake

CREATE DATABASE IF NOT EXISTS <<database>>;

-- for each table
CREATE OR REPLACE VIEW <<table>> AS
SELECT <<select>>
FROM <<delta_function>>('<<location>>/');
