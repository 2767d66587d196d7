"""A DAG written for Spark, with one changed import: two PythonOperators call the functions of the job."""

from datetime import datetime

from airflow import DAG

from sparkify_lake.etl import create_spark_session, process_log_data, process_song_data

try:
    from airflow.providers.standard.operators.python import PythonOperator
except ImportError:  # Airflow 2
    from airflow.operators.python import PythonOperator

with DAG(
    "sparkify_spark_era",
    start_date=datetime(2018, 11, 1),
    schedule=None,
    catchup=False,
    params={"input": "/srv/sparkify/raw", "output": "/srv/sparkify/lake"},
) as dag:
    arguments = {
        "spark": create_spark_session(),
        "input_data": "{{ params.input }}",
        "output_data": "{{ params.output }}",
    }
    songs = PythonOperator(
        task_id="process_song_data", python_callable=process_song_data, op_kwargs=arguments
    )
    logs = PythonOperator(task_id="process_log_data", python_callable=process_log_data, op_kwargs=arguments)
    songs >> logs
