-- The tables of the lake <<root>> for Spark and Databricks, as Delta tables.
-- Printed by sparkify-lake ddl, which runs nothing.
-- https://docs.delta.io/latest/delta-batch.html#create-a-table

CREATE DATABASE IF NOT EXISTS <<database>>;

-- for each table
CREATE TABLE IF NOT EXISTS <<table>>
USING DELTA
LOCATION '<<location>>';
