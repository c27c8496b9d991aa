"""A task that uses AWS as users' tasks do: a hook with its default connection, and no key."""

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.sdk import dag, task


@dag(schedule=None, is_paused_upon_creation=False)
def uses_s3() -> None:
    @task
    def count() -> None:
        keys = S3Hook().list_keys("airflow-logs", prefix="prod/")
        print(f"the bucket holds {len(keys)} logs")

    count()


uses_s3()
