"""Places that settings name: files on this machine, servers, addresses; nothing is connected to for these."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from toolkit.checks.common import SETTINGS_FILE, error, listed, plan_rule, set_options, warning
from toolkit.cluster import Cluster, Host, planner
from toolkit.cluster.tables import release_lines, server_groups
from toolkit.cluster.topology import major, reports_to_web, uses
from toolkit.cluster.yamlfile import VaultedValue, is_template
from toolkit.content import expanded
from toolkit.findings import Finding
from toolkit.onhost.addresses import literal

_FILES = (
    "airflow_lock", "metadata_db_ca_certificate", "mysql_repository_key", "base_ca_certificates"
)  # fmt: skip
"""Settings that name files on this machine."""


@plan_rule
def files(cluster: Cluster) -> Iterator[Finding]:
    """Files of this machine are there."""
    for variable in cluster.variables:
        named = variable.value if isinstance(variable.value, list) else [variable.value]
        for name in named if variable.name in _FILES else ():
            if not isinstance(name, str) or isinstance(name, VaultedValue) or is_template(name):
                continue
            path = expanded(name)
            if name and not _is_file(path) and not _is_file(cluster.directory / path):
                yield error(
                    "addresses.no_file",
                    host="",
                    what=f"{variable.location}: {variable.name} names {name[:200]}, and there is no such file on this machine",
                    fix="correct the path, or remove the setting",
                )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # too long: a certificate's text in place of its path
        return False


def _urls(cluster: Cluster) -> Iterator[tuple[str, str, list[Host]]]:
    """Setting, URL, and the hosts that will use it."""
    for group, server in server_groups().items():
        for setting in (
            f"airflow_{'database' if group == 'metadata_db' else group}_url",
            server.url,
        ):
            found: dict[str, list[Host]] = {}
            for host in cluster.all_hosts:
                url = cluster.setting(setting, host)
                if (
                    isinstance(url, str)
                    and url
                    and not is_template(url)
                    and uses(cluster, host, group)
                ):
                    found.setdefault(url, []).append(host)
            yield from ((setting, url, hosts) for url, hosts in found.items())


@plan_rule
def local_servers(cluster: Cluster) -> Iterator[Finding]:
    """Each host would look for the server on itself."""
    for setting, url, hosts in _urls(cluster):
        try:
            server = urlsplit(url).hostname or ""
        except ValueError:
            continue
        if len(hosts) > 1 and planner.is_loopback(server):
            yield warning(
                "addresses.local_server",
                host="",
                what=f"{setting} leads to {server}, which is another machine for each of "
                + listed(host.name for host in hosts),
                fix=f"write the address at which these hosts reach the server into {setting}; leave it where "
                "each of them has a proxy to the server",
            )


@plan_rule
def encryption(cluster: Cluster) -> Iterator[Finding]:
    """Airflow 3 gives the URL to asyncpg as well, which refuses libpq's options."""
    if set_options(cluster, "database", "sql_alchemy_conn_async"):
        return  # the second driver has a URL of its own
    for setting, url, _ in _urls(cluster):
        query = parse_qs(url.partition("?")[2])
        names = [name for name in query if name.startswith("ssl")]
        if major(cluster) == "3" and url.startswith("postgres") and names:
            yield error(
                "addresses.libpq_options",
                host="",
                what=f"{setting} has {listed(names)} behind its ?, which Airflow 3's second driver (asyncpg) refuses",
                fix="take it out, and name the server's CA: metadata_db_ca_certificate: FILE; or, to encrypt "
                "without verifying: airflow_environment: {PGSSLMODE: require}",
            )


@plan_rule
def web_server(cluster: Cluster) -> Iterator[Finding]:
    """Whoever has to reach the web server can, where it listens."""
    if not cluster.group("webserver") or major(cluster) not in release_lines():
        return
    listens = str(cluster.setting("airflow_web_host", cluster.web)).strip("[]")
    if not isinstance(cluster.setting("airflow_web_port", cluster.web), int) or is_template(
        listens
    ):
        return
    others = [
        host
        for host in cluster.all_hosts
        if host.name != cluster.web.name and reports_to_web(cluster, host)
    ]
    if others and planner.is_loopback(listens):
        yield error(
            "addresses.web_host",
            host=cluster.web.name,
            what=f"airflow_web_host is {listens}, and tasks on {listed(host.name for host in others)} report to the web server",
            fix=f"set airflow_web_host to an address that they reach in {SETTINGS_FILE}, or leave it out",
        )
    address = literal(cluster.web.base_address)
    if listens == "::" and address and address.version == 4:
        yield error(
            "addresses.web_host",
            host=cluster.web.name,
            what=f"airflow_web_host is ::, where the web server may answer IPv6 alone, and {cluster.web.base_address} is IPv4",
            fix=f"leave airflow_web_host out, or set base_address of {cluster.web.name} to an address of IPv6",
        )
