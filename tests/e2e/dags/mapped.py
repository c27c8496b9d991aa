"""Ten mapped tasks, long enough that two workers share them."""

import time
from datetime import datetime

from airflow.sdk import DAG, task

with DAG("mapped", start_date=datetime(2024, 1, 1), schedule=None, is_paused_upon_creation=False):

    @task
    def square(number: int) -> int:
        time.sleep(3)
        return number * number

    square.expand(number=list(range(10)))
