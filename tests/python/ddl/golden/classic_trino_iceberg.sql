-- The tables of the lake s3://bucket/my lake for Trino, as Iceberg tables.
-- Needs a catalog with the name iceberg, and iceberg.register-table-procedure.enabled=true.
-- Printed by sparkify-lake ddl, which runs nothing. The metadata files are those of the newest version.
-- https://trino.io/docs/current/connector/iceberg.html#register-table

CREATE SCHEMA IF NOT EXISTS iceberg."sparkify";

CALL iceberg.system.register_table(
  schema_name => 'sparkify',
  table_name => 'songs',
  table_location => 's3://bucket/my lake/_etl/iceberg/songs',
  metadata_file_name => '00004-2f1a.metadata.json'
);

CALL iceberg.system.register_table(
  schema_name => 'sparkify',
  table_name => 'artists',
  table_location => 's3://bucket/my lake/_etl/iceberg/artists',
  metadata_file_name => 'v3.metadata.json'
);

CALL iceberg.system.register_table(
  schema_name => 'sparkify',
  table_name => 'users',
  table_location => 's3://bucket/my lake/_etl/iceberg/users',
  metadata_file_name => 'v3.metadata.json'
);

CALL iceberg.system.register_table(
  schema_name => 'sparkify',
  table_name => 'time',
  table_location => 's3://bucket/my lake/_etl/iceberg/time',
  metadata_file_name => 'v3.metadata.json'
);

CALL iceberg.system.register_table(
  schema_name => 'sparkify',
  table_name => 'songplays',
  table_location => 's3://bucket/my lake/_etl/iceberg/songplays',
  metadata_file_name => 'v3.metadata.json'
);
