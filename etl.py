"""Sparkify's ETL job. Run it (`python etl.py --help`), or import its functions in notebooks and DAGs."""

from sparkify_lake.etl import create_spark_session, main, process_log_data, process_song_data

__all__ = ["create_spark_session", "main", "process_log_data", "process_song_data"]

if __name__ == "__main__":
    from sparkify_lake.cli import entry

    entry()
