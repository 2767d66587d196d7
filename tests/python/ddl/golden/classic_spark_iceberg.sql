-- The tables of the lake s3://bucket/my lake for Spark, as Iceberg tables. Needs spark_catalog to be an Iceberg catalog.
-- Printed by sparkify-lake ddl, which runs nothing. The metadata files are those of the newest version.
-- https://iceberg.apache.org/docs/latest/spark-procedures/#register_table

CREATE DATABASE IF NOT EXISTS `sparkify`;

CALL spark_catalog.system.register_table(
  table => 'sparkify.songs',
  metadata_file => 's3://bucket/my lake/_etl/iceberg/songs/metadata/00004-2f1a.metadata.json'
);

CALL spark_catalog.system.register_table(
  table => 'sparkify.artists',
  metadata_file => 's3://bucket/my lake/_etl/iceberg/artists/metadata/v3.metadata.json'
);

CALL spark_catalog.system.register_table(
  table => 'sparkify.users',
  metadata_file => 's3://bucket/my lake/_etl/iceberg/users/metadata/v3.metadata.json'
);

CALL spark_catalog.system.register_table(
  table => 'sparkify.time',
  metadata_file => 's3://bucket/my lake/_etl/iceberg/time/metadata/v3.metadata.json'
);

CALL spark_catalog.system.register_table(
  table => 'sparkify.songplays',
  metadata_file => 's3://bucket/my lake/_etl/iceberg/songplays/metadata/v3.metadata.json'
);
