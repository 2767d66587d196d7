"""The operator: one task that builds and publishes the lake, retried only if a retry can help."""

import os
from datetime import datetime, timedelta

from airflow import DAG

from sparkify_lake.airflow import SparkifyOperator

LAKE = os.environ.get("SPARKIFY_LAKE", "/srv/sparkify/lake")

with DAG(
    "sparkify_nightly",
    start_date=datetime(2018, 11, 1),
    schedule="@daily",
    catchup=False,
    params={"input": os.environ.get("SPARKIFY_RAW", "/srv/sparkify/raw")},
) as dag:
    SparkifyOperator(
        task_id="build_lake",
        input_data="{{ params.input }}",
        output_data=LAKE,  # not a template, so it is an outlet that other DAGs can be scheduled on
        options={"compression": "zstd", "allow_http": True},
        aws_conn_id="aws_default" if LAKE.startswith("s3://") else None,
        retries=3,
        retry_delay=timedelta(minutes=5),
        execution_timeout=timedelta(hours=1),
    )
