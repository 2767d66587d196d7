-- The tables of the lake s3://bucket/my lake for Trino, as Delta tables.
-- Needs a catalog with the name delta, and delta.register-table-procedure.enabled=true.
-- Printed by sparkify-lake ddl, which runs nothing.
-- https://trino.io/docs/current/connector/delta-lake.html#register-table

CREATE SCHEMA IF NOT EXISTS delta."sparkify";

CALL delta.system.register_table(
  schema_name => 'sparkify',
  table_name => 'songs',
  table_location => 's3://bucket/my lake/songs_table'
);

CALL delta.system.register_table(
  schema_name => 'sparkify',
  table_name => 'artists',
  table_location => 's3://bucket/my lake/artists_table'
);

CALL delta.system.register_table(
  schema_name => 'sparkify',
  table_name => 'users',
  table_location => 's3://bucket/my lake/user_table'
);

CALL delta.system.register_table(
  schema_name => 'sparkify',
  table_name => 'time',
  table_location => 's3://bucket/my lake/time_table'
);

CALL delta.system.register_table(
  schema_name => 'sparkify',
  table_name => 'songplays',
  table_location => 's3://bucket/my lake/songplays_table'
);
