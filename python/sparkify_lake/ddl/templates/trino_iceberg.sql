-- The tables of the lake <<root>> for Trino, as Iceberg tables.
-- Needs a catalog with the name iceberg, and iceberg.register-table-procedure.enabled=true.
-- Printed by sparkify-lake ddl, which runs nothing. The metadata files are those of the newest version.
-- https://trino.io/docs/current/connector/iceberg.html#register-table

CREATE SCHEMA IF NOT EXISTS iceberg.<<database>>;

-- for each table
CALL iceberg.system.register_table(
  schema_name => '<<database_text>>',
  table_name => '<<name>>',
  table_location => '<<iceberg>>',
  metadata_file_name => '<<metadata_file>>'
);
