"""A change of Airflow's version: what runs, what is wanted, and the schema of the database."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.version import InvalidVersion, Version

from toolkit.checks.common import answering, error, host_rule, listed
from toolkit.cluster import Cluster
from toolkit.cluster.releases import known
from toolkit.findings import Finding
from toolkit.hosts.facts import Probe


@host_rule
def change(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """Only with a word of the user's, and never to a release that does not know the schema."""
    wanted = cluster.version
    running = {host.name: facts.airflow.version
               for host, facts in answering(cluster, probe) if facts.airflow.version}  # fmt: skip
    others = sorted({version for version in running.values() if version != wanted})
    unknown = not _knows(wanted, others[0], probe) if others else probe.database.state == "unknown"
    if unknown:
        yield _unknown(wanted, others, probe)
        return
    allow = f"toolkit provision -i {cluster.inventory} --allow-upgrade"
    for host, version in running.items():
        if version != wanted:
            yield error(
                "versions.upgrade",
                host=host,
                what=f"Airflow {version} runs, and airflow_version is {wanted}{_same(wanted, probe)}",
                fix=f"{allow} imports the DAGs under {wanted}, dumps the database, then migrates it",
            )
    if probe.database.state == "older" and not others:
        yield error(
            "versions.older_schema",
            host="",
            what=f"the database has the schema {listed(probe.database.schema)} of an older release than "
            f"Airflow {wanted}",
            fix=f"{allow} dumps and migrates it, or continues an upgrade that was cut off",
        )


def _unknown(wanted: str, others: list[str], probe: Probe) -> Finding:
    upgrade = probe.database.upgrade
    dump = upgrade.dump if upgrade.former == wanted else ""
    stays = f", or set airflow_version: {others[0]}" if others else ""
    return error(
        "versions.unknown_schema",
        host="",
        what=f"the database has the schema {listed(probe.database.schema)}, which Airflow {wanted} does "
        f"not know{f'; Airflow {others[0]} runs' if others else ''}",
        fix=f"restore {f'the dump {dump}' if dump else 'a dump of that release'} as docs/upgrades.md says"
        + stays,
    )


def _knows(wanted: str, runs: str, probe: Probe) -> bool:
    """Whether a release knows the schema, as far as release_N.json says; the role asks its migrations."""
    release, schema = known(wanted), set(probe.database.schema)
    if release is None or not schema or schema <= set(release.schemas):
        return True
    try:
        back = Version(wanted).major < Version(runs).major
    except InvalidVersion:
        back = False
    return not back and wanted != release.version


def _same(wanted: str, probe: Probe) -> str:
    release = known(wanted)
    same = release and release.version == wanted and probe.database.schema == release.schemas[:1]
    return ", with the same schema" if same else ""
