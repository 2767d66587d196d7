"""The sensor: a DAG that starts when the lake has been published, checks that it is complete and reads it."""

import os
from datetime import datetime

from airflow import DAG

from sparkify_lake.airflow import SparkifyPublishedSensor, lake_asset

try:
    from airflow.sdk import task
except ImportError:  # Airflow 2
    from airflow.decorators import task

LAKE = os.environ.get("SPARKIFY_LAKE", "/srv/sparkify/lake")

with DAG(
    "sparkify_gate", start_date=datetime(2018, 11, 1), schedule=[lake_asset(LAKE)], catchup=False
) as dag:
    published = SparkifyPublishedSensor(
        task_id="published",
        output_data=LAKE,
        options={"allow_http": True},
        aws_conn_id="aws_default" if LAKE.startswith("s3://") else None,
        poke_interval=60,
        timeout=3600,
        mode="reschedule",
    )

    @task
    def report(version: dict) -> int:
        """Returns the number of plays; a real DAG would query `sparkify_lake.open_lake(LAKE)`."""
        print(f"version {version['version']}: {version['rows']}")
        return version["rows"]["songplays"]

    report(published.output)
