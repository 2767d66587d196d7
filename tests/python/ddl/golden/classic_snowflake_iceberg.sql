-- The tables of the lake s3://bucket/my lake for Snowflake, as Iceberg tables.
-- Printed by sparkify-lake ddl, which runs nothing. The metadata files are those of the newest version.
-- Replace MY_VOLUME by an external volume whose STORAGE_BASE_URL is the root of the lake.
-- https://docs.snowflake.com/en/sql-reference/sql/create-iceberg-table-iceberg-files

CREATE SCHEMA IF NOT EXISTS "SPARKIFY";

CREATE CATALOG INTEGRATION IF NOT EXISTS SPARKIFY_ICEBERG
  CATALOG_SOURCE = OBJECT_STORE
  TABLE_FORMAT = ICEBERG
  ENABLED = TRUE;

CREATE OR REPLACE ICEBERG TABLE "SPARKIFY"."SONGS"
  CATALOG = 'SPARKIFY_ICEBERG'
  EXTERNAL_VOLUME = 'MY_VOLUME'
  METADATA_FILE_PATH = '_etl/iceberg/songs/metadata/00004-2f1a.metadata.json';

CREATE OR REPLACE ICEBERG TABLE "SPARKIFY"."ARTISTS"
  CATALOG = 'SPARKIFY_ICEBERG'
  EXTERNAL_VOLUME = 'MY_VOLUME'
  METADATA_FILE_PATH = '_etl/iceberg/artists/metadata/v3.metadata.json';

CREATE OR REPLACE ICEBERG TABLE "SPARKIFY"."USERS"
  CATALOG = 'SPARKIFY_ICEBERG'
  EXTERNAL_VOLUME = 'MY_VOLUME'
  METADATA_FILE_PATH = '_etl/iceberg/users/metadata/v3.metadata.json';

CREATE OR REPLACE ICEBERG TABLE "SPARKIFY"."TIME"
  CATALOG = 'SPARKIFY_ICEBERG'
  EXTERNAL_VOLUME = 'MY_VOLUME'
  METADATA_FILE_PATH = '_etl/iceberg/time/metadata/v3.metadata.json';

CREATE OR REPLACE ICEBERG TABLE "SPARKIFY"."SONGPLAYS"
  CATALOG = 'SPARKIFY_ICEBERG'
  EXTERNAL_VOLUME = 'MY_VOLUME'
  METADATA_FILE_PATH = '_etl/iceberg/songplays/metadata/v3.metadata.json';
