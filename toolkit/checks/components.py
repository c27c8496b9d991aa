"""The parts of Airflow that a host is to run, where somebody lists them by hand."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from toolkit.checks.common import error, listed
from toolkit.cluster import Cluster
from toolkit.cluster.topology import airflow_components, release_line
from toolkit.findings import Finding


def known(cluster: Cluster) -> Iterator[Finding]:
    """Release lines have different ones: webserver is api-server in Airflow 3."""
    has = list((release_line(cluster) or {"components": {}})["components"])
    for host in cluster.all_hosts if has else ():
        for name in airflow_components(cluster, host):
            if name not in has:
                near = difflib.get_close_matches(name, has, 1)
                yield error(
                    "planning.unknown_component",
                    host=host.name,
                    what=f"airflow_components names {name!r}, and Airflow "
                    f"{cluster.setting('airflow_version')} has {listed(has)}",
                    fix=f"write {near[0]}" if near else "remove it; groups decide when it is empty",
                )
