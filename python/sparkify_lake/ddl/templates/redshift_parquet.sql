-- The tables of the lake <<root>> for Amazon Redshift Spectrum.
-- Printed by sparkify-lake ddl, which runs nothing. Print ALTER TABLE again when the lake has new partitions.
-- https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_EXTERNAL_TABLE.html

CREATE EXTERNAL SCHEMA IF NOT EXISTS <<database>>
FROM DATA CATALOG DATABASE '<<database_text>>'
IAM_ROLE default
CREATE EXTERNAL DATABASE IF NOT EXISTS;

-- for each table
CREATE EXTERNAL TABLE <<table>> (
  <<file_columns>>
)
PARTITIONED BY (<<keys>>)
STORED AS PARQUET
LOCATION '<<location>>/'
;

<<repair>>
