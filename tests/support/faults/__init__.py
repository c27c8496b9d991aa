"""The harness of script/faults: a cluster under load, named faults, and what each one costs."""
