"""A hundred mapped tasks whose tries each leave a line at their start and end, and one that sums them up."""

import time
from datetime import datetime, timedelta
from pathlib import Path

try:
    from airflow.sdk import dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task


def leave(run: str, kind: str, index: int, number: int) -> None:
    with Path(f"/var/lib/airflow/faults-{run}.lines").open("a") as file:
        file.write(f"{kind} {index} {number} {time.time():.2f}\n")


@dag(schedule=None, start_date=datetime(2024, 1, 1), is_paused_upon_creation=False)
def faults() -> None:
    @task(retries=2, retry_delay=timedelta(seconds=5))
    def work(index: int, ti=None, dag_run=None) -> int:
        leave(dag_run.run_id, "S", index, ti.try_number)
        time.sleep(dag_run.conf["seconds"] if index < dag_run.conf["slow"] else 0)
        leave(dag_run.run_id, "E", index, ti.try_number)
        return index

    @task(retries=2, retry_delay=timedelta(seconds=5))
    def add(values: list[int], dag_run=None) -> None:
        leave(dag_run.run_id, "T", sum(values), 1)

    add(work.expand(index=list(range(100))))


faults()
