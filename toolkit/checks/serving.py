"""What nobody in a cluster would do any more when components leave: pure, from the hosts' answers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from toolkit.cluster import Cluster, Host
from toolkit.cluster.topology import (
    airflow_components,
    airflow_option,
    major,
    records,
    servers,
)
from toolkit.hosts.draining import queues
from toolkit.hosts.state import HostState


def left_undone(
    cluster: Cluster, found: Iterable[HostState], leaving: Collection[tuple[str, str]]
) -> list[str]:
    """What components that leave are the last ones for, in words; [] when others do it too.

    Args:
        found: all hosts' states.
        leaving: (host's name, component).
    """
    staying = {
        (state.host.name, component)
        for state in found
        for component in state.components
        if (state.host.name, component) not in leaving and _works(state, component)
    }
    names = sorted({component for _, component in leaving})
    kinds = [name for name in names if not _consumes(cluster, name)]
    last = [name for name in kinds if name not in {component for _, component in staying}]
    return [
        *(f"the last {name}" for name in last),
        *_reported_to(cluster, leaving, last),
        *(f"the last consumer of queue {name}" for name in _queues(cluster, leaving, staying)),
    ]


def _reported_to(
    cluster: Cluster, leaving: Collection[tuple[str, str]], last: Collection[str]
) -> Iterator[str]:
    """The web server that tasks of Airflow 3 report to, which is the first one unless a setting names another."""
    for name, component in sorted(leaving):
        found = records(cluster).get(component)
        is_first = found is not None and found.web and name == cluster.web.name
        chosen = airflow_option(cluster, cluster.web, "core", "execution_api_server_url")
        if is_first and component not in last and major(cluster) != "2" and not chosen:
            yield f"the {component} that all tasks report to"


def _works(state: HostState, component: str) -> bool:
    """Whether it does now what it is there for."""
    drained = state.drained is not None and component == "worker"
    return state.unit(component).active == "active" and not drained


def _consumes(cluster: Cluster, component: str) -> bool:
    return component in records(cluster) and records(cluster)[component].queues


def _queues(
    cluster: Cluster, leaving: Collection[tuple[str, str]], staying: Collection[tuple[str, str]]
) -> Iterator[str]:
    """Queues that nobody would consume any more, but for a host's own one."""

    def of(pairs: Collection[tuple[str, str]]) -> set[str]:
        return {
            queue
            for name, component in pairs
            if _consumes(cluster, component)
            for queue in queues(cluster, cluster.host(name))[:-1]
        }

    yield from sorted(of(leaving) - of(staying))


def there(cluster: Cluster, host: Host) -> tuple[str, ...]:
    """The components of Airflow and the servers of a host, in the order in which they start."""
    airflow = airflow_components(cluster, host)
    return (*servers(cluster, host), *(name for name in records(cluster) if name in airflow))
