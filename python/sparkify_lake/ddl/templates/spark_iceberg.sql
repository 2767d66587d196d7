-- The tables of the lake <<root>> for Spark, as Iceberg tables. Needs spark_catalog to be an Iceberg catalog.
-- Printed by sparkify-lake ddl, which runs nothing. The metadata files are those of the newest version.
-- https://iceberg.apache.org/docs/latest/spark-procedures/#register_table

CREATE DATABASE IF NOT EXISTS <<database>>;

-- for each table
CALL spark_catalog.system.register_table(
  table => '<<database_text>>.<<name>>',
  metadata_file => '<<metadata>>'
);
