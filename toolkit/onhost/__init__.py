"""Programs that run on a host: standard library only, Python 3.6, ASCII, sent over SSH.

probe, reach, state, canary, workers, s3, first_boot, examine, counts and lease are the programs: each has
a `main(payload)` that takes and returns JSON data. The other modules are topics that programs share,
and `lib` is what the topics share. in_airflow/ is run by Airflow's own Python. bundle.py runs
here: it makes one text of a program and of the modules that it needs.
"""
