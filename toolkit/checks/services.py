"""The database and the broker that are run elsewhere, by what they said themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from toolkit.checks.common import error, host_rule, listed, note, warning
from toolkit.cluster import Cluster
from toolkit.cluster.releases import known
from toolkit.cluster.tables import engines, server_groups
from toolkit.findings import Finding
from toolkit.hosts.external import Service
from toolkit.hosts.facts import Probe

_VAULT = "group_vars/all/vault.yml"


@host_rule
def refused(_: Cluster, probe: Probe) -> Iterator[Finding]:
    """It has to let Airflow in."""
    for service in probe.services:
        setting = server_groups()[service.role].url
        if service.problem == "login":
            who = f"user {service.user}" if service.user else "password"
            yield error(
                "services.login",
                host="",
                what=f"{setting}: {service.address} refuses the {who}: {service.detail}",
                fix=f"correct user, password or database in {setting}: "
                f"ansible-vault edit {_VAULT}; odd characters need %-escapes in a URL",
            )
        elif service.problem == "tunnel":
            yield warning(
                "services.tunnel",
                host=service.detail,
                what=f"SSH forwards no connections here, so {service.address} was not asked whether it takes {setting}",
                fix="AllowTcpForwarding local in sshd_config, if it is to be asked; Airflow does not need it",
            )
        elif service.problem:
            yield error(
                f"services.{service.problem}",
                host="",
                what=f"{setting}: {service.address or 'its server'} gives no usable answer: "
                f"{service.detail}",
                fix=f"correct {setting} ({_VAULT}), or start the server and open the way to it",
            )


@host_rule
def server(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """A server that this Airflow can work with."""
    for service in _answering(probe):
        finding = partial(
            error, host="", fix=f"name another server in {server_groups()[service.role].url}"
        )
        if service.server == "MariaDB":
            allowed = cluster.setting("metadata_db_allow_unsupported")
            yield (warning if allowed else error)(
                "services.mariadb",
                host="",
                what=f"{service.address} is MariaDB {_text(service.version)}, not MySQL",
                fix="name a MySQL or PostgreSQL server in metadata_db_url; to use it all the same: "
                "metadata_db_allow_unsupported: true",
            )
            continue
        oldest = {one.title: one.oldest for one in engines().values()}.get(service.server, ())
        if service.version < oldest:
            yield finding(
                "services.version",
                what=f"{service.address} is {service.server} {_text(service.version)}, "
                f"{_text(oldest)} is the oldest that is supported",
            )


@host_rule
def database(_: Cluster, probe: Probe) -> Iterator[Finding]:
    """A database that tables can be created in, for any text."""
    for service in _answering(probe):
        if service.superuser:
            yield warning(
                "services.too_many_privileges",
                host="",
                what=f"user {service.user} may do everything on the server {service.address}",
                fix=f"ALTER ROLE {service.user} NOSUPERUSER"
                if service.server == "PostgreSQL"
                else f"REVOKE ALL ON *.* FROM {service.user}; GRANT ALL ON <database>.* TO "
                + service.user,
            )
        if service.role == "metadata_db" and not service.may_create:
            yield error(
                "services.privileges",
                host="",
                what=f"user {service.user} may not create tables in the database at "
                f"{service.address}",
                fix=f"ALTER DATABASE ... OWNER TO {service.user}"
                if service.server == "PostgreSQL"
                else f"GRANT ALL ON <database>.* TO {service.user}",
            )
        if service.encoding and service.encoding.lower() not in ("utf8", "utf8mb4"):
            yield error(
                "services.encoding",
                host="",
                what=f"the database at {service.address} has the encoding {service.encoding}",
                fix="create it again: CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"
                if service.server == "PostgreSQL"
                else "ALTER DATABASE ... CHARACTER SET utf8mb4",
            )


@host_rule
def mysql_options(_: Cluster, probe: Probe) -> Iterator[Finding]:
    """Variables that migrations stumble over."""
    for service in _answering(probe):
        for name, (wrong, id) in _MYSQL_OPTIONS.items():
            if service.options.get(name) == wrong:
                right, group = "OFF" if wrong == "ON" else "ON", service.parameter_group
                yield error(
                    id,
                    host="",
                    what=f"{service.address} has {name} = {wrong}",
                    fix=f"{name} = {right} in its {group}, and reboot the instance"
                    if group
                    else f"SET GLOBAL {name} = {right}; and the same in its configuration",
                )


_MYSQL_OPTIONS: Mapping[str, tuple[str, str]] = {
    "explicit_defaults_for_timestamp": ("OFF", "services.explicit_defaults"),
    "sql_require_primary_key": ("ON", "services.primary_key"),
}
"""Variable -> the value that it must not have, and the finding."""


@host_rule
def schema(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """An empty database, this release's schema, or one that a migration leads to it from."""
    version = cluster.version
    release = known(version)
    for service in _answering(probe):
        if service.role != "metadata_db" or release is None or not service.tables:
            continue
        if (
            probe.database.state and service.schemas
        ):  # versions.py goes by what Airflow itself knows
            continue
        if not service.schemas:
            yield error(
                "services.foreign_schema",
                host="",
                what=f"the database at {service.address} has {service.tables} table(s), and none "
                "of them is Airflow's",
                fix="CREATE DATABASE airflow, for this user alone, and name that one in metadata_db_url",
            )
        elif set(service.schemas) <= set(release.schemas):
            if release.schemas[0] not in service.schemas or version != release.version:
                severity = error if version == release.version else note
                yield severity(
                    "services.older_schema",
                    host="",
                    what=f"the database at {service.address} has Airflow's schema "
                    f"{listed(service.schemas)}, which is not the newest of Airflow {version}",
                    fix=f"toolkit provision -i {cluster.inventory} --allow-upgrade dumps and migrates it",
                )
        else:
            severity = error if version == release.version else note
            yield severity(
                "services.schema",
                host="",
                what=f"the database at {service.address} has Airflow's schema "
                f"{listed(service.schemas)}, which Airflow {version} does not know: a newer "
                "release made it",
                fix="set airflow_version to that release, or name an empty database",
            )


@host_rule
def broker(_: Cluster, probe: Probe) -> Iterator[Finding]:
    """A broker must be closed to others, and must not lose messages."""
    for service in _answering(probe):
        if service.role != "broker":
            continue
        if not service.password:
            yield warning(
                "services.no_password",
                host="",
                what=f"the broker at {service.address} lets everybody in without a password",
                fix="requirepass PASSWORD in its configuration, and broker_url: "
                f"redis://:PASSWORD@{service.address}",
            )
        if service.policy and service.policy != "noeviction":
            yield warning(
                "services.eviction",
                host="",
                what=f"the broker at {service.address} has maxmemory-policy {service.policy}",
                fix=f"maxmemory-policy noeviction in its {service.parameter_group}"
                if service.parameter_group
                else "CONFIG SET maxmemory-policy noeviction, and the same in its configuration",
            )
        if service.persistent is False:
            yield note(
                "services.persistence",
                host="",
                what=f"the broker at {service.address} keeps nothing on disk",
                fix="CONFIG SET appendonly yes, and the same in its configuration",
            )


def _answering(probe: Probe) -> Iterator[Service]:
    return (service for service in probe.services if not service.problem)


def _text(version: tuple[int, ...]) -> str:
    return ".".join(str(number) for number in version)
