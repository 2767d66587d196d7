-- The tables of the lake <<root>> for Amazon Athena and the AWS Glue Data Catalog.
-- Printed by sparkify-lake ddl, which runs nothing. Athena takes one statement per query.
-- https://docs.aws.amazon.com/athena/latest/ug/partition-projection.html

CREATE DATABASE IF NOT EXISTS <<database>>;

-- for each table
CREATE EXTERNAL TABLE IF NOT EXISTS <<table>> (
  <<file_columns>>
)
PARTITIONED BY (<<keys>>)
STORED AS PARQUET
LOCATION '<<location>>/'
TBLPROPERTIES (<<projection>>)
;

<<repair>>
