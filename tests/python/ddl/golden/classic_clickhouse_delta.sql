-- The tables of the lake s3://bucket/my lake for ClickHouse, as Delta tables.
-- Printed by sparkify-lake ddl, which runs nothing.
-- https://clickhouse.com/docs/sql-reference/table-functions/deltalake

CREATE DATABASE IF NOT EXISTS `sparkify`;

CREATE OR REPLACE VIEW `sparkify`.`songs` AS
SELECT `song_id`, `title`, `artist_id`, `year`, `duration`
FROM deltaLake('s3://bucket/my lake/songs_table/');

CREATE OR REPLACE VIEW `sparkify`.`artists` AS
SELECT `artist_id`, `name`, `location`, `latitude`, `longitude`
FROM deltaLake('s3://bucket/my lake/artists_table/');

CREATE OR REPLACE VIEW `sparkify`.`users` AS
SELECT `user_id`, `first_name`, `last_name`, `gender`, `level`
FROM deltaLake('s3://bucket/my lake/user_table/');

CREATE OR REPLACE VIEW `sparkify`.`time` AS
SELECT `start_time`, `hour`, `day`, `week`, `month`, `year`, `weekday`
FROM deltaLake('s3://bucket/my lake/time_table/');

CREATE OR REPLACE VIEW `sparkify`.`songplays` AS
SELECT `songplay_id`, `start_time`, `user_id`, `level`, `song_id`, `artist_id`, `session_id`, `location`, `user_agent`, `year`, `month`
FROM deltaLake('s3://bucket/my lake/songplays_table/');
