"""What the host script is asked: paths, URLs and ports that this host will need."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from toolkit.cluster import Cluster, Host
from toolkit.cluster.disks import paths
from toolkit.cluster.hardening import chosen_options, read_paths, written_paths
from toolkit.cluster.ownership import adopted, wanted
from toolkit.cluster.passwords import DEFAULT_PASSWORDS
from toolkit.cluster.tables import (
    all_components,
    engine_of,
    installed_packages,
    server_groups,
)
from toolkit.cluster.topology import (
    airflow_components,
    engine,
    ports,
    release_line,
    reports_to_web,
    uses,
)
from toolkit.cluster.yamlfile import is_template
from toolkit.content import expanded
from toolkit.errors import ToolkitError

NETWORK_TIMEOUT = 4
"""Seconds for each URL and port; they are tried at the same time."""


def payload(
    cluster: Cluster, host: Host, index: str, external: Mapping[str, str]
) -> dict[str, Any]:
    """What `onhost.probe.main` gets on this host.

    Args:
        cluster: the cluster.
        host: one of its hosts.
        index: URL of the package index; "" leaves it unchecked.
        external: role -> URL of a server that is run elsewhere.

    Raises:
        ToolkitError: a certificate of base_ca_certificates cannot be read.
    """
    installs = bool(airflow_components(cluster, host))
    urls = []
    if index and installs:
        # The page of the package itself: some indexes have no front page, some a huge one.
        urls = [{"url": f"{index.rstrip('/')}/apache-airflow/", "role": "index"}]
    return {
        "paths": list(paths()),
        "reads": read_paths(cluster, host) if installs else [],
        "writes": written_paths(cluster, host) if installs else [],
        "unit_options": chosen_options(cluster, host) if installs else [],
        "interpreter": str(cluster.setting("python_interpreter", host) or ""),
        "environment": _environment(cluster, host),
        "ca_certificates": authorities(cluster, host),
        "certificate": _certificate(cluster, host),
        "mirrors": True,
        "urls": urls,
        "ports": [*_external_ports(cluster, host, external), *_peer_ports(cluster, host)],
        "timeout": NETWORK_TIMEOUT,
        "default_passwords": list(DEFAULT_PASSWORDS),
        "wanted": wanted(cluster, host),
        "adopted": list(adopted(cluster, host)),
        "secrets": list((release_line(cluster) or {"secrets": ()})["secrets"]),
        "server_packages": list(installed_packages()),
        "airflow_commands": sorted(
            {"standalone", *(one.arguments.split()[0] for one in all_components())}
        ),
    }


def index_url(cluster: Cluster) -> str:
    """The package index that hosts install from: the setting's, else the one built into uv.

    uv's configuration on this machine does not count, as it does not go to the hosts. "" when uv
    does not say.
    """
    chosen = cluster.setting("python_index_url")
    if chosen:
        return str(chosen)
    from uv import find_uv_bin

    environment = {name: value for name, value in os.environ.items() if not name.startswith("UV_")}
    command = [find_uv_bin(), "--no-config", "--offline", "--quiet", "pip", "compile",
               "--emit-index-url", "--no-header", "-"]  # fmt: skip
    done = subprocess.run(
        command, input="", env=environment, capture_output=True, text=True, check=False
    )
    words = done.stdout.split()
    return words[words.index("--index-url") + 1] if "--index-url" in words else ""


def _environment(cluster: Cluster, host: Host) -> dict[str, str]:
    """What the host's own downloads get, proxies for example."""
    environment = cluster.setting("python_environment", host) or {}
    return {
        str(name): str(value) for name, value in environment.items() if not is_template(str(value))
    }


def authorities(cluster: Cluster, host: Host) -> list[str]:
    """The certificates that the host is going to trust beside its own, as PEM texts.

    Raises:
        ToolkitError: one of them cannot be read.
    """
    return list(_certificates(cluster, host))


def _certificates(cluster: Cluster, host: Host) -> Iterator[str]:
    for name in cluster.setting("base_ca_certificates", host) or ():
        path = cluster.directory / expanded(str(name))
        try:
            yield path.read_text(encoding="ascii")
        except (OSError, ValueError) as error:
            raise ToolkitError(
                f"base_ca_certificates names {path}, which cannot be read as a PEM file: {error}",
                where=host.name,
                fix="correct base_ca_certificates in group_vars/all/airflow.yml",
            ) from None


def _certificate(cluster: Cluster, host: Host) -> dict[str, Any]:
    """The web server's certificate, on its host; {} without one."""
    if host not in cluster.group("webserver"):
        return {}
    server = cluster.web_server()
    if not server["certificate"]:
        return {}
    others = [
        one
        for one in cluster.all_hosts
        if one.name != cluster.web.name and airflow_components(cluster, one)
    ]
    ways = [server, *([cluster.web_server(others[0])] if others else [])]
    urls = [urlsplit(way["api"]) for way in ways if not way["chosen"]]
    return {
        "certificate": server["certificate"],
        "key": server["key"],
        "names": sorted({url.hostname for url in urls if url.hostname}),
        "texts": authorities(cluster, host),
        "elsewhere": any(reports_to_web(cluster, one) for one in others),
    }


def _external_ports(
    cluster: Cluster, host: Host, external: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """The database and broker outside the cluster, for the hosts that talk to them."""
    for role, url in external.items():
        if uses(cluster, host, role):
            address, port = host_and_port(url)
            if address and port:
                yield {"host": address, "port": port, "role": role, "peer": ""}


def host_and_port(url: str) -> tuple[str, int]:
    """Where a database or broker URL leads to; "" and 0 when it cannot be read."""
    try:
        parts = urlsplit(url)
        known = engine_of(url)
        port = parts.port or (known.default_port if known else 0)
    except ValueError:  # a slash or colon in a password that is not escaped
        return "", 0
    return parts.hostname or "", port


def _peer_ports(cluster: Cluster, host: Host) -> Iterator[dict[str, Any]]:
    """The cluster's own servers on other hosts: is there a way to them at all?"""
    for group in server_groups():
        for peer in cluster.group(group):
            if peer.name == host.name or not uses(cluster, host, group):
                continue
            for port in ports(cluster, peer):
                if port.setting == engine(cluster, group).port:
                    yield {
                        "host": peer.base_address,
                        "port": port.number,
                        "role": group,
                        "peer": peer.name,
                    }
