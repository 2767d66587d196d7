-- The tables of the lake <<root>> for Trino. Needs a catalog with the name hive;
-- for a lake on a local disk, with fs.local.enabled=true and local.location=/.
-- Printed by sparkify-lake ddl, which runs nothing.
-- https://trino.io/docs/current/connector/hive.html#hive-procedures

CREATE SCHEMA IF NOT EXISTS hive.<<database>>;

-- for each table
CREATE TABLE IF NOT EXISTS hive.<<table>> (
  <<columns>>
)
WITH (
  partitioned_by = ARRAY[<<key_texts>>],
  external_location = '<<location>>',
  format = 'PARQUET'
);

<<repair>>
