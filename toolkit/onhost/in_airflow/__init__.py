"""Programs for Airflow's own Python, run by lib.in_airflow; each prints a JSON object as its last line."""
