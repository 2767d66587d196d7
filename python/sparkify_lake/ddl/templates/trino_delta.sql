-- The tables of the lake <<root>> for Trino, as Delta tables.
-- Needs a catalog with the name delta, and delta.register-table-procedure.enabled=true.
-- Printed by sparkify-lake ddl, which runs nothing.
-- https://trino.io/docs/current/connector/delta-lake.html#register-table

CREATE SCHEMA IF NOT EXISTS delta.<<database>>;

-- for each table
CALL delta.system.register_table(
  schema_name => '<<database_text>>',
  table_name => '<<name>>',
  table_location => '<<location>>'
);
