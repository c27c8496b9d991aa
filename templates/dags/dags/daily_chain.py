"""Three steps that run in order, for one day, however late it gets.

A run belongs to a data interval: the run for 1 March covers 1 March from midnight to midnight and starts when that day
is over. Its tasks ask for this interval, never for today's date, so C after midnight still works on the day of A.
"""

from datetime import datetime, timedelta

from airflow.timetables.interval import CronDataIntervalTimetable

try:
    from airflow.sdk import dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task

from include.days import day_of


@dag(
    # In Airflow 3 a plain "@daily" has no interval: such a run is for the moment at which it starts.
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=10)},
    tags=["example"],
)
def daily_chain() -> None:
    """Collect, work, report."""

    @task
    def a(data_interval_start=None) -> str:
        """Collect the day 3427 24592's records; here, just its name."""
        return day_of(data_interval_start)

    @task
    def b(day: str, data_interval_start=None) -> str:
        """Work on the same day, whenever this runs."""
        assert day == day_of(data_interval_start)
        return f"worked on {day}"

    @task
    def c(report: str) -> None:
        """The last step."""
        print(report)

    c(b(a()))


daily_chain()
