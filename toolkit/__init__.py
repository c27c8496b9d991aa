"""Installs Apache Airflow on plain hosts over SSH, proves it with a DAG run, and keeps it running."""

__version__ = "0.1.0"
