"""How the web server is reached: one answer for tasks, the proof, users' links and the roles.

Pure functions, which the role uses as Jinja filters and the toolkit as functions
(toolkit/cluster/planner.py). `line` is a release line's entry of files/release_lines.yml.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

DEFAULTS: Mapping[str, Any] = {
    "airflow_base_url": "",
    "airflow_web_host": "0.0.0.0",
    "airflow_web_port": 8080,
    "airflow_config": {},
}
"""The settings of the web server's host that decide, as roles/airflow/defaults/main.yml has them."""
PORTS: Mapping[str, int] = {"http": 80, "https": 443}
PRIVILEGED = 1024
"""Ports below need a capability."""
EXECUTION = "/execution"


def settings_of(host: Mapping[str, Any], mine: Mapping[str, Any] = DEFAULTS) -> dict[str, Any]:
    """The deciding settings among a host's variables.

    Args:
        mine: those of the host that asks, for what is set for all by variables of the play.
    """
    return {name: host.get(name, mine[name]) for name in DEFAULTS}


def web(
    settings: Mapping[str, Any], line: Mapping[str, Any], address: str, here: bool = False
) -> dict[str, Any]:
    """Where the web server listens, and the URLs that lead to it.

    Args:
        settings: of the web server's host, by the names in DEFAULTS.
        address: where other hosts reach that host.
        here: whether that host itself asks.

    Returns:
        host, port: what it listens on; a host of IPv6 without brackets.
        certificate, key: files on the host; "" without TLS.
        url: where users reach the web UI, without a slash at the end.
        api: where the asking host reaches the same, which need not be the same way.
        chosen: whether airflow_config says so of api.
        execution: where tasks report (Airflow 3).
        proxied: whether users come by something in between.
    """
    host = str(settings["airflow_web_host"]).strip("[]")
    port = int(settings["airflow_web_port"])
    config = settings["airflow_config"]
    certificate, key = (_option(config, line["tls"][name]) for name in ("certificate", "key"))
    scheme = "https" if certificate else "http"
    url = str(settings["airflow_base_url"] or _url(scheme, address, port)).rstrip("/")
    public = urlsplit(url)
    direct = (public.scheme, public.port or PORTS.get(public.scheme)) == (scheme, port)
    # Behind a proxy that speaks TLS itself, the certificate is for the host's address.
    reached = _reached(host, address, here and not (certificate and not direct))
    if certificate and direct and public.hostname:
        reached = public.hostname  # the name that the certificate proves
    given = _option(config, ["core.execution_api_server_url"]).rstrip("/")
    api = given.removesuffix(EXECUTION) or _url(scheme, reached, port) + public.path
    return {
        "host": host,
        "port": port,
        "certificate": certificate,
        "key": key,
        "url": url,
        "api": api,
        "chosen": bool(given),
        "execution": f"{api}{EXECUTION}/",
        "proxied": not direct,
    }


def without_certificate(
    config: Mapping[str, Mapping[str, Any]], line: Mapping[str, Any], components: Iterable[str]
) -> dict[str, dict[str, Any]]:
    """A configuration without the web server's certificate, on hosts that have no web server.

    Airflow's client reads the file on each host where tasks run, and fails where there is none.
    """
    found = {section: dict(options) for section, options in config.items()}
    if not any(line["components"][name].get("web") for name in components):
        for names in line["tls"].values():
            for section, option in (name.split(".") for name in names):
                found.get(section, {}).pop(option, None)
    return found


def bind_options(
    line: Mapping[str, Any], component: str, port: int, unconfined: bool = False
) -> dict[str, str]:
    """Options of a component's unit that let it bind a port below 1024; {} for other ports.

    `unconfined` is a unit without restrictions.
    A service in a user namespace of its own (PrivateUsers) has no capability outside of it.
    """
    if not line["components"][component].get("web") or int(port) >= PRIVILEGED:
        return {}
    capability = {"AmbientCapabilities": "CAP_NET_BIND_SERVICE"}
    if unconfined:
        return capability
    return {**capability, "CapabilityBoundingSet": "CAP_NET_BIND_SERVICE", "PrivateUsers": "no"}


def is_any(host: str) -> bool:
    """Whether an address to listen on means all addresses."""
    return host in ("", "*", "0.0.0.0", "::")


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is one that other hosts do not reach."""
    return host == "localhost" or (_is_ip(host) and ipaddress.ip_address(host).is_loopback)


def _reached(host: str, address: str, here: bool) -> str:
    """The address at which to connect to a server that listens on `host`."""
    if is_any(host):
        return ("::1" if host == "::" else "127.0.0.1") if here else address
    # A name is one for the host itself; others may know it by another address.
    return host if here or _is_ip(host) else address


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _url(scheme: str, host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}" + ("" if PORTS[scheme] == port else f":{port}")


def _option(config: Mapping[str, Any], names: Iterable[str]) -> str:
    """An option as airflow_config sets it, under its name or a former one."""
    for section, option in (name.split(".") for name in names):
        options = config.get(section)
        if isinstance(options, Mapping) and options.get(option):
            return str(options[option])
    return ""


class FilterModule:
    """The functions that the role uses, as Jinja filters."""

    def filters(self) -> dict[str, Any]:
        """Filters by name."""
        return {
            "plan_web": web,
            "plan_web_settings": settings_of,
            "plan_without_certificate": without_certificate,
            "plan_bind_options": bind_options,
        }
