"""What every file of rules uses: how a rule registers, findings by severity, hosts that answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial

from toolkit.cluster import Cluster, Host
from toolkit.cluster.tables import Engine
from toolkit.findings import Finding, Severity
from toolkit.hosts.facts import Facts, Probe

HostRule = Callable[[Cluster, Probe], Iterable[Finding]]
"""A pure function from what is wanted and what is there to what is wrong."""
PlanRule = Callable[[Cluster], Iterable[Finding]]
"""One for which it does not matter what is there."""

HOST_RULES: list[HostRule] = []
PLAN_RULES: list[PlanRule] = []


def plan_rule(rule: PlanRule) -> PlanRule:
    """Register a rule that needs the inventory alone."""
    PLAN_RULES.append(rule)
    return rule


def host_rule(rule: HostRule) -> HostRule:
    """Register a rule that needs a probe of the hosts."""
    HOST_RULES.append(rule)
    return rule


error = partial(Finding.of, severity=Severity.ERROR)
warning = partial(Finding.of, severity=Severity.WARNING)
note = partial(Finding.of, severity=Severity.NOTE)

SETTINGS_FILE = "group_vars/all/airflow.yml"


def answering(cluster: Cluster, probe: Probe) -> Iterator[tuple[Host, Facts]]:
    """The hosts in play that answered the probe, with their facts."""
    for host in cluster.hosts:
        if host.name in probe.facts:
            yield host, probe.facts[host.name]


def is_set(cluster: Cluster, name: str) -> bool:
    """Whether a setting has a value on any host."""
    return any(cluster.setting(name, host) for host in cluster.all_hosts)


def installed_servers(engine: Engine, facts: Facts) -> list[str]:
    """The distribution's packages of a server that a host has."""
    platform, there = engine.on(facts.os), facts.packages.servers if facts.packages else ()
    patterns = platform.installed_packages if platform else ()
    return [name for name in there if any(fnmatchcase(name, pattern) for pattern in patterns)]


def listed(names: Iterable[object]) -> str:
    """Names as a sentence has them: "a, b and c"."""
    *most, last = [str(name) for name in names]
    return f"{', '.join(most)} and {last}" if most else last


def few(names: Sequence[object], most: int = 10) -> str:
    """The same, without those that would make it too long to read."""
    if len(names) <= most:
        return listed(names)
    return f"{', '.join(str(name) for name in names[:most])} and {len(names) - most} more"


@dataclass(frozen=True)
class SetOption:
    """An option of airflow.cfg that is set by hand: a name with its place, and its value."""

    name: str
    value: str
    secret: bool

    @property
    def shown(self) -> str:
        """The value, unless it comes from a vault."""
        return "a value from the vault" if self.secret else self.value


def set_options(cluster: Cluster, section: str, key: str) -> list[SetOption]:
    """Wherever an option of airflow.cfg is set, in airflow_config or airflow_environment."""
    environment = f"AIRFLOW__{section}__{key}".upper()
    found = []
    for variable in cluster.variables:
        if variable.name == "airflow_config":
            option, value = f"{section}.{key}", _entry(_entry(variable.value, section), key)
        elif variable.name == "airflow_environment":
            option, value = environment, _entry(variable.value, environment)
        else:
            continue
        if value:
            name = f"{variable.location}: {option} in {variable.name}"
            found.append(SetOption(name, str(value), variable.secret))
    return found


def _entry(mapping: object, key: str) -> object:
    return mapping.get(key) if isinstance(mapping, dict) else None
