"""On a scheduler host, as root: which releases of DAGs Airflow 3 needs."""

from toolkit.onhost.in_airflow import database
from toolkit.onhost.lib import in_airflow


def main(_payload):
    """Unfinished runs by release, and the releases that DAGs were parsed from; or an error."""
    return in_airflow(database, "releases")
