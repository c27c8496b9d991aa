"""Clusters and facts for tests of the rules: a good one of each, and a way to spoil it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from support.vault_files import write_encrypted
from toolkit.cluster import Cluster
from toolkit.cluster.disks import paths
from toolkit.cluster.vaultfile import vault_file
from toolkit.findings import Finding
from toolkit.hosts.facts import (
    Airflow,
    Distribution,
    Facts,
    Machine,
    Memory,
    Names,
    Packages,
    PathFacts,
    Probe,
    Python,
    Systemd,
)

AMAZON = Distribution("amzn", ("fedora",), "2023", "", "Amazon Linux 2023")
SINGLE = {"h1": ("metadata_db", "scheduler", "webserver")}
CELERY = {
    "d1": ("metadata_db", "broker"),
    "a1": ("scheduler", "webserver"),
    "w1": ("worker",),
    "w2": ("worker",),
}


def make_cluster(
    directory: Path,
    hosts: Mapping[str, Iterable[str]] = SINGLE,
    host_variables: Mapping[str, Mapping[str, Any]] | None = None,
    named_groups: Iterable[str] = (),
    vault: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Cluster:
    """An inventory directory with these hosts, groups and settings, read as a user's is.

    Args:
        vault: what is encrypted.
    """
    variables = {
        name: {"ansible_host": f"10.0.0.{number}"} | dict((host_variables or {}).get(name, {}))
        for number, name in enumerate(hosts, start=1)
    }
    tree: dict[str, Any] = {"all": {"hosts": variables}}
    for name, groups in hosts.items():
        for group in groups:
            tree.setdefault(group, {"hosts": {}})["hosts"][name] = None
    for group in named_groups:
        tree.setdefault(group, {"hosts": {}})
    (directory / "hosts.yml").write_text(yaml.safe_dump(tree, sort_keys=False))
    (directory / "group_vars" / "all").mkdir(parents=True, exist_ok=True)
    (directory / "group_vars" / "all" / "airflow.yml").write_text(yaml.safe_dump(settings))
    if vault is not None:
        write_encrypted(vault_file(directory), directory, yaml.safe_dump(dict(vault)))
    return Cluster.load(directory)


def good_facts(number: int = 1, **changes: Any) -> Facts:
    """A bare Debian 12 host without any fault, the `number`-th of its cluster."""
    good = Facts(
        os=Distribution("debian", (), "12", "bookworm", "Debian GNU/Linux 12 (bookworm)"),
        machine=Machine(architecture="x86_64", cpus=2, uid=0, id=f"id-{number}"),
        memory=Memory(total_mb=8000, available_mb=7000),
        systemd=Systemd(running=True, init="systemd", version=252),
        paths=tuple(
            PathFacts(path, device=1, mount="/", free_mb=20_000, total_mb=40_000,
                      free_inodes=1_000_000)
            for path in paths()
        ),
        packages=Packages(manager="apt-get"),
        pythons=(Python("/usr/bin/python3", "3.11.2", ("ensurepip",), default=True),),
        network=Names(f"h{number}", f"h{number}", ("127.0.0.1", "::1", f"10.0.0.{number}")),
        airflow=Airflow(),
        clock_start=100.2,
        clock_end=100.4,
        sent=100.0,
        received=100.6,
    )  # fmt: skip
    return replace(good, **changes)


def probe_of(cluster: Cluster, **changed: Facts) -> Probe:
    """Good facts for every host of the cluster, except for those given by name."""
    good = {host.name: good_facts(n) for n, host in enumerate(cluster.all_hosts, start=1)}
    return Probe(good | changed)


def ids(findings: Iterable[Finding]) -> list[str]:
    """The findings' ids, to compare with."""
    return [finding.id for finding in findings]


def only(findings: Iterable[Finding], id: str, host: str = "") -> Finding:
    """The one finding there is, which must have this id, all its texts, and this host."""
    found = list(findings)
    assert ids(found) == [id]
    assert found[0].host == host
    assert found[0].what
    assert found[0].why
    assert found[0].fix
    return found[0]
