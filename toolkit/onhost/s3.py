"""Tries the S3 calls that task logs need, as Airflow does; runs as root."""

from toolkit.onhost.in_airflow import s3
from toolkit.onhost.lib import in_airflow


def main(payload):
    """The first of payload's actions that S3 refuses, or why it could not be asked."""
    return in_airflow(s3, payload["folder"], *payload["actions"])
