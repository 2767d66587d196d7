-- for each table
-- <<name>> has no files yet, and DuckDB refuses a view over no files: print this statement again when it has.
CREATE OR REPLACE VIEW <<table>> AS
SELECT <<nulls>>
WHERE false;
