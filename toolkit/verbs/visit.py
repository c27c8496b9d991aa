"""Asks the web server: its API, and its UI as a browser does, from this machine or from the web server's host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from toolkit.cluster import Cluster
from toolkit.cluster.topology import release_line
from toolkit.errors import ToolkitError
from toolkit.hosts.answer import read
from toolkit.hosts.canary import Visit, Visits
from toolkit.hosts.payload import authorities
from toolkit.onhost import browser

CANARY_USER = "toolkit-canary"
"""The account that the role makes for the proof (roles/airflow/vars/main.yml)."""
_VISIT: Callable[[dict[str, Any]], dict[str, Any]] = browser.main


def api_login(cluster: Cluster) -> dict[str, Any]:
    """What onhost/api.py needs to ask Airflow's API on the web server's host, as the account of the proof."""
    server = cluster.web_server()
    return {
        "url": server["api"],
        "authorities": [server["certificate"]] if server["certificate"] else [],
        "api_prefix": (release_line(cluster) or {})["api_prefix"],
        "username": CANARY_USER,
        "password": cluster.setting("airflow_canary_password", cluster.web),
    }


def visits(cluster: Cluster, login: str, ask: Callable[[dict[str, Any]], Visit]) -> Visits:
    """Sign in by the public URL.

    Args:
        login: AUTH_TYPE of webserver_config.py; the proof's user is FAB's own, in the database.
        ask: runs the same program on the web server's host.
    """
    payload = {**_payload(cluster), "form": login in ("", "AUTH_DB")}
    here = read(Visit, _VISIT({**payload, "authorities": []}))
    # One that is not as it has to be may have met something that is before this machine alone.
    return Visits(here) if here.reached and not here.wrong else Visits(here, ask(payload))


def _payload(cluster: Cluster) -> dict[str, Any]:
    server, web = cluster.web_server(), cluster.web
    try:
        texts = authorities(cluster, web)
    except ToolkitError:  # a provision says so
        texts = []
    return {
        "url": server["url"],
        "authorities": [server["certificate"]] if server["certificate"] else [],
        "texts": texts,
        "own": [
            urlsplit(server["api"]).hostname,
            *(host.base_address for host in cluster.all_hosts),
        ],
        "username": CANARY_USER,
        "password": cluster.setting("airflow_canary_password", web) or "",
        **(release_line(cluster) or {})["sign_in"],
    }
