"""Whose host it is, and what of others is in the way."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from toolkit.checks.common import (
    SETTINGS_FILE,
    answering,
    error,
    host_rule,
    is_set,
    listed,
    note,
    plan_rule,
    warning,
)
from toolkit.cluster import Cluster
from toolkit.cluster.ownership import FORMS, ID, adoptable, adopted, roles_of, service_users
from toolkit.cluster.tables import server_groups
from toolkit.findings import Finding
from toolkit.hosts.facts import Probe
from toolkit.hosts.ownership import Claim, members_of

BROKEN = "restore it from a backup"


@plan_rule
def login_user(cluster: Cluster) -> Iterator[Finding]:
    """The user whom Airflow runs as is nobody's login."""
    for host in cluster.hosts:
        if host.user in service_users() and roles_of(cluster, host)[:1] == ["airflow"]:
            yield error(
                "ownership.login_user",
                host=host.name,
                what=f"ansible_user is {host.user}, whom Airflow runs as",
                fix="ansible_user: another user, with sudo",
            )


@plan_rule
def adopted_names(cluster: Cluster) -> Iterator[Finding]:
    """base_adopt names what a refusal named."""
    names = {name for host in cluster.hosts for name in adopted(cluster, host) if "{{" not in name}
    possible = list(adoptable(cluster)) if names else []
    wrong = [name for name in names if not any(fnmatchcase(name, one) for one in possible)]
    for name in sorted(wrong):
        form = "" if FORMS.fullmatch(name) else " (it is no path, unit, user:NAME or group:NAME)"
        yield error(
            "ownership.adopt",
            what=f"base_adopt names {name}, where nothing of ours belongs{form}",
            fix=f"correct base_adopt, for example in {cluster.directory / SETTINGS_FILE}",
        )


@host_rule
def cluster_of_host(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """A host belongs to one cluster."""
    for host, facts in answering(cluster, probe):
        claim = facts.claim
        if claim.broken:
            what, _, fix = claim.broken.partition("; fix: ")
            yield error("ownership.broken", host=host.name, what=what, fix=fix or BROKEN)
        elif claim.id and claim.id != str(cluster.setting(ID, host) or ""):
            yield error(
                "ownership.other_cluster",
                host=host.name,
                what=_belongs(claim),
                fix="use that cluster's inventory; if its vault was lost: toolkit secrets recover -i "
                f"{cluster.directory}; to give the host away: docs/ownership.md",
            )


def _belongs(claim: Claim) -> str:
    last = [f"{claim.by} provisioned it last"] if claim.by else []
    last += [f"from {claim.origin}"] if claim.origin else []
    last += [f"at {claim.at}"] if claim.at else []
    return f"it belongs to cluster {claim.cluster or '?'} (id {claim.id})" + (
        f": {', '.join(last)}" if last else ""
    )


@host_rule
def left(_: Cluster, probe: Probe) -> Iterator[Finding]:
    """A host that was taken out of the groups, or the inventory, keeps what was installed there."""
    for name, one in probe.left.items():
        where = f"{one.member.address} was in {listed(one.member.groups)}"
        if one.problem:
            yield note(
                "ownership.left",
                host=name,
                what=f"{where} at an earlier provision, and cannot be asked what is left there: {one.problem}",
                fix="if it exists, clean it: docs/ownership.md; it is remembered for 30 days",
            )
            continue
        there = [f"{unit} runs" for unit in one.running]
        there += ["secrets in /etc/airflow/airflow.env"] if one.secrets else []
        there += [f"database {database}" for database in one.databases]
        there += [f"{one.files} files of ours"] if one.files else []
        yield warning(
            "ownership.left",
            host=name,
            what=f"{where} at an earlier provision, and still has: {', '.join(there) or 'its list'}",
            fix="put it back into a group, or clean it: docs/ownership.md, Giving a host away",
        )


@host_rule
def moved_server(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """A server that is to be on another host than at the last provision would be new and empty there."""
    claims = (facts.claim for _, facts in answering(cluster, probe))
    members = members_of(claims, str(cluster.setting(ID) or ""))
    for group, server in server_groups().items():
        now = cluster.group(group)
        names, addresses = {one.name for one in now}, {(one.address, one.port) for one in now}
        before = {
            name: (member.address, member.port)
            for name, member in members.items()
            if group in member.groups and not member.left
        }
        stays = not names.isdisjoint(before) or not addresses.isdisjoint(before.values())
        if not now or not before or stays or is_set(cluster, server.url):
            continue
        # Of a database that can be asked the examination knows more (database.moved).
        unseen = group == "metadata_db" and probe.database.in_use and not probe.database.reached
        report = error if unseen else warning
        yield report(
            "ownership.moved_server",
            host=now[0].name,
            what=f"it has {group}'s server now; at the last provision that was {listed(before)}, and "
            "what is stored there stays there",
            fix=f"put {listed(before)} back into {group}, "
            + ("or copy the data first: docs/upgrades.md, Moving the database" if unseen
               else "or clean that host: docs/ownership.md, Giving a host away"),
        )  # fmt: skip


@host_rule
def in_the_way(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """What stood there before is adopted by name, or refused."""
    for host, facts in answering(cluster, probe):
        claim = facts.claim
        names = [thing.name for thing in claim.things if not thing.fix]
        for thing in claim.things:
            yield error(
                "ownership.in_the_way" if thing.fix else "ownership.existing",
                host=host.name,
                what=f"not ours: {thing.what}",
                fix=thing.fix
                or f"move it away; or have it taken over, with a copy in {claim.backups}: "
                f"base_adopt: [{', '.join(names)}]",
            )
