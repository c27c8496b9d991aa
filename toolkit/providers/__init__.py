"""Who makes the hosts of a cluster."""
