-- The tables of the lake <<root>> for Amazon Athena and the AWS Glue Data Catalog, as Delta tables.
-- Printed by sparkify-lake ddl, which runs nothing. Athena takes one statement per query.
-- https://docs.aws.amazon.com/athena/latest/ug/delta-lake-tables.html

CREATE DATABASE IF NOT EXISTS <<database>>;

-- for each table
CREATE EXTERNAL TABLE IF NOT EXISTS <<table>>
LOCATION '<<location>>/'
TBLPROPERTIES ('table_type' = 'DELTA');
