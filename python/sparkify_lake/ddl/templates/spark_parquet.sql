-- The tables of the lake <<root>> for Spark and Databricks. Printed by sparkify-lake ddl, which runs nothing.
-- Other Sparks than EMR and Databricks read s3:// if spark.hadoop.fs.s3.impl is
-- org.apache.hadoop.fs.s3a.S3AFileSystem.
-- https://spark.apache.org/docs/latest/sql-ref-syntax-ddl-create-table-datasource.html

CREATE DATABASE IF NOT EXISTS <<database>>;

-- for each table
CREATE TABLE IF NOT EXISTS <<table>> (
  <<columns>>
)
USING PARQUET
PARTITIONED BY (<<key_names>>)
LOCATION '<<location>>'
;

<<repair>>
