"""Runs on arrival: a bucket notifies a queue (SQS), whose watcher starts the operator. Airflow 3."""

import os
from datetime import datetime, timedelta

from airflow import DAG
from airflow.providers.amazon.aws.triggers.sqs import SqsSensorTrigger
from airflow.sdk import Asset, AssetOrTimeSchedule, AssetWatcher, CronTriggerTimetable

from sparkify_lake.airflow import SparkifyOperator

QUEUE = os.environ.get("ARRIVALS_QUEUE", "https://sqs.eu-west-1.amazonaws.com/123456789012/sparkify-raw")

# The trigger deletes the messages that it receives. A run compares the listing of the input with the last
# version itself, so a duplicate message and a lost one do no harm.
messages = SqsSensorTrigger(sqs_queue=QUEUE, aws_conn_id="aws_default", max_messages=10, waiter_delay=30)
arrivals = Asset("sparkify_arrivals", watchers=[AssetWatcher(name="sparkify_queue", trigger=messages)])

with DAG(
    "sparkify_arrival",
    start_date=datetime(2018, 11, 1),
    # Once per night without a message, in case that one was lost.
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("0 4 * * *", timezone="UTC"), assets=[arrivals]
    ),
    catchup=False,
    max_active_runs=1,  # messages that arrive during a run start one more run after it
) as dag:
    SparkifyOperator(
        task_id="build_lake",
        input_data=os.environ.get("SPARKIFY_RAW", "s3://sparkify-raw/data"),
        output_data=os.environ.get("SPARKIFY_LAKE", "s3://sparkify-lake/lake"),
        options={"allow_http": True},
        aws_conn_id="aws_default",
        retries=3,
        retry_delay=timedelta(minutes=1),
        execution_timeout=timedelta(hours=1),
    )
