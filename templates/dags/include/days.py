"""What several DAGs use; everything in include/ can be imported by them."""

from datetime import datetime, timezone


def day_of(moment: datetime | None) -> str:
    """The day of a data interval; a run that somebody starts by hand has none in Airflow 3, and works on today."""
    return f"{moment or datetime.now(timezone.utc):%Y-%m-%d}"
