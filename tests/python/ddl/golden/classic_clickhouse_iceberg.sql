-- The tables of the lake s3://bucket/my lake for ClickHouse, as Iceberg tables.
-- Printed by sparkify-lake ddl, which runs nothing.
-- https://clickhouse.com/docs/sql-reference/table-functions/iceberg

CREATE DATABASE IF NOT EXISTS `sparkify`;

CREATE OR REPLACE VIEW `sparkify`.`songs` AS
SELECT `song_id`, `title`, `artist_id`, `year`, `duration`
FROM iceberg('s3://bucket/my lake/_etl/iceberg/songs/');

CREATE OR REPLACE VIEW `sparkify`.`artists` AS
SELECT `artist_id`, `name`, `location`, `latitude`, `longitude`
FROM iceberg('s3://bucket/my lake/_etl/iceberg/artists/');

CREATE OR REPLACE VIEW `sparkify`.`users` AS
SELECT `user_id`, `first_name`, `last_name`, `gender`, `level`
FROM iceberg('s3://bucket/my lake/_etl/iceberg/users/');

CREATE OR REPLACE VIEW `sparkify`.`time` AS
SELECT `start_time`, `hour`, `day`, `week`, `month`, `year`, `weekday`
FROM iceberg('s3://bucket/my lake/_etl/iceberg/time/');

CREATE OR REPLACE VIEW `sparkify`.`songplays` AS
SELECT `songplay_id`, `start_time`, `user_id`, `level`, `song_id`, `artist_id`, `session_id`, `location`, `user_agent`, `year`, `month`
FROM iceberg('s3://bucket/my lake/_etl/iceberg/songplays/');
