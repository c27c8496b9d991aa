"""A provisioned host that is no longer as provision left it."""

from __future__ import annotations

from collections.abc import Iterator

from toolkit.checks.common import answering, host_rule, listed, warning
from toolkit.cluster import Cluster
from toolkit.cluster.topology import airflow_components
from toolkit.findings import Finding
from toolkit.hosts.facts import Probe


@host_rule
def files(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """Compared on the host with what the last provision wrote down there."""
    for host, facts in answering(cluster, probe):
        for path, how in facts.drift.items():
            if how == "missing":
                yield warning(
                    "drift.missing",
                    host=host.name,
                    what=f"{path} is gone",
                    fix=f"toolkit provision -i {cluster.inventory}",
                )
            elif how == "changed":
                yield warning(
                    "drift.changed",
                    host=host.name,
                    what=f"{path} is not what the last `toolkit provision` wrote",
                    fix="put the change into the inventory, then: toolkit provision -i "
                    f"{cluster.inventory}",
                )
            else:
                yield warning(
                    "drift.mode",
                    host=host.name,
                    what=f"{path} has another owner or mode than after the last provision",
                    fix=f"toolkit provision -i {cluster.inventory}",
                )


@host_rule
def units(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """Every component has a unit that is enabled, and nothing overrides it."""
    for host, facts in answering(cluster, probe):
        # Another version has others.
        if not facts.airflow.current or facts.airflow.version not in ("", cluster.version):
            continue
        there = {unit.name: unit for unit in facts.airflow.units if unit.ours}
        for component in airflow_components(cluster, host):
            unit = there.get(f"airflow-{component}.service")
            if unit is None:
                problem = "is not there"
            elif facts.airflow.drained and component == "worker":
                continue
            elif unit.enabled not in ("enabled", ""):
                problem = f"is {unit.enabled}"
            elif unit.overrides:
                problem = f"is overridden by {listed(unit.overrides)}"
            else:
                continue
            yield warning(
                "drift.units",
                host=host.name,
                what=f"airflow-{component}.service {problem}",
                fix="settings of units belong in airflow_unit_options; then remove the file and: "
                f"toolkit provision -i {cluster.inventory}"
                if unit and unit.overrides
                else f"toolkit provision -i {cluster.inventory}",
            )
