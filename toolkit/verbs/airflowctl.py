"""Runs Airflow's own API client on this machine, signed in to a cluster."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from toolkit.cluster import Cluster
from toolkit.cluster.topology import major, release_line
from toolkit.errors import EXIT_FAILED, ToolkitError
from toolkit.hosts import Remote, tls
from toolkit.hosts.payload import authorities
from toolkit.hosts.way import NoTunnelError
from toolkit.onhost import api, certificates
from toolkit.onhost.bundle import program
from toolkit.run.client import installed

_API: Callable[[dict[str, Any]], Any] = api.Api
_TRUSTING: Callable[..., ssl.SSLContext] = certificates.trusting
_ENVIRONMENT = "production"
"""What the client calls the cluster: the name of its file."""
_TAKEN_AWAY = (
    "http_proxy", "https_proxy", "all_proxy", "PYTHONPATH", "PYTHONHOME", "AIRFLOW_CLI_DEBUG_MODE",
)  # fmt: skip
"""Variables that would lead the client, or its Python, elsewhere."""
_SHORT_TOKEN = "/auth/token/cli"
"""Its tokens last an hour ([api_auth] jwt_cli_expiration_time), those of /auth/token a day."""


def airflowctl(
    cluster: Cluster, remote: Remote, arguments: tuple[str, ...], say: Callable[[str], None]
) -> int:
    """Run the client; returns its exit status, as sh has it where a signal ended it.

    Args:
        say: called with a line about what takes long.

    Raises:
        ToolkitError: it cannot be installed, or nobody lets it in.
        HostProblem: the web server's host cannot be reached.
    """
    refuse(cluster, arguments)
    python = installed(cluster.setting("python_index_url"), say)
    if {"-h", "--help"} & set(arguments):
        return _run(python, arguments, "", "")
    with reached(cluster, remote) as url:
        return _run(python, arguments, url, token(cluster, url))


def refuse(cluster: Cluster, arguments: tuple[str, ...]) -> None:
    """What the client cannot do.

    Raises:
        ToolkitError: there is such a thing.
    """
    if major(cluster) == "2":
        raise ToolkitError(
            f"airflowctl needs Airflow 3, and {cluster.name} has {cluster.version}",
            where=str(cluster.directory),
            fix=f"Airflow's own command line: toolkit airflow -i {cluster.inventory} -- ARGUMENTS...",
        )
    if not cluster.group("webserver"):
        raise ToolkitError(
            "no host is in group webserver, so there is no API",
            where=str(cluster.directory),
            fix=f"toolkit check -i {cluster.inventory}",
        )
    if arguments[0] == "auth":
        raise ToolkitError(
            "the toolkit signs in by itself, with a token for this one call, and keeps none",
            fix=f"leave that out, for example: toolkit airflowctl -i {cluster.inventory} -- dags list",
        )


@contextmanager
def reached(cluster: Cluster, remote: Remote) -> Iterator[str]:
    """A URL on this machine that leads to the web server by way of its own host, whatever is in between.

    Raises:
        ToolkitError: the host forwards no connections, or the certificate is not accepted.
        HostProblem: the host cannot be reached.
    """
    server = cluster.web_server()
    parts = urlsplit(server["api"])
    name = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with remote.tunnel(cluster.web, name, port) as tunnel:
            if parts.scheme == "http":
                yield f"http://127.0.0.1:{tunnel}{parts.path}"
                return
            context = _TRUSTING([], _trusted(cluster, remote, server))
            _refuse_certificate(cluster, tunnel, name, context)
            with tls.without_tls(tunnel, name, context) as plain:
                yield f"http://127.0.0.1:{plain}{parts.path}"
    except NoTunnelError:
        raise ToolkitError(
            "the SSH server of this host forwards no connections, and the web server is reached that way",
            where=cluster.web.name,
            fix="AllowTcpForwarding yes in /etc/ssh/sshd_config there; or the same on a scheduler host: "
            f"toolkit airflow -i {cluster.inventory} -- ARGUMENTS...",
        ) from None


def _trusted(cluster: Cluster, remote: Remote, server: Mapping[str, Any]) -> list[str]:
    """Certificates (PEM) to trust: what hosts are given, and the web server's own, as Airflow's client does there."""
    texts = authorities(cluster, cluster.web)
    if server["certificate"]:
        payload = {"path": server["certificate"]}
        texts += remote.run_script(cluster.web, program("certificates", "own"), payload)["texts"]
    return texts


def _refuse_certificate(cluster: Cluster, port: int, name: str, context: ssl.SSLContext) -> None:
    try:
        reason = tls.refused(port, name, context)
    except OSError as error:
        raise _silent(cluster, str(error)) from None
    if reason:
        raise ToolkitError(
            f"the web server's certificate is not accepted for {name}: {reason}",
            where=cluster.web.name,
            fix="name its authority in base_ca_certificates (docs/web-server.md)",
        )


def token(cluster: Cluster, url: str) -> str:
    """Sign in as the cluster's administrator.

    Raises:
        ToolkitError: the vault has no password, or the web server refuses it.
    """
    user = str(cluster.setting("airflow_admin_username", cluster.web))
    password = str(cluster.setting("airflow_admin_password", cluster.web) or "")
    again = f"toolkit provision -i {cluster.inventory}"
    if not password:
        raise ToolkitError(
            "there is no airflow_admin_password yet", where=str(cluster.vault.path), fix=again
        )
    asked = _API(
        {
            "url": url,
            "authorities": [],
            "api_prefix": (release_line(cluster) or {})["api_prefix"],
            "username": user,
            "password": password,
        }
    )
    status = asked.sign_in(_SHORT_TOKEN)
    if status == 0:
        raise _silent(cluster, "no answer")
    if status != 200:
        raise ToolkitError(
            f"the web server does not let {user} in with airflow_admin_password (HTTP {status}), and airflowctl "
            "needs an account that signs in by password",
            where=cluster.web.name,
            fix=f"if the password was changed in the web UI: {again} sets the vault's again; where people sign in "
            f"elsewhere (AUTH_TYPE in webserver_config.py): toolkit airflow -i {cluster.inventory} -- ARGUMENTS...",
            exit_code=EXIT_FAILED,
        )
    return str(asked.headers["Authorization"]).removeprefix("Bearer ")


def _silent(cluster: Cluster, reason: str) -> ToolkitError:
    return ToolkitError(
        f"the web server does not answer ({reason})",
        where=cluster.web.name,
        fix=f"toolkit status -i {cluster.inventory}",
        exit_code=EXIT_FAILED,
    )


def _run(python: Path, arguments: tuple[str, ...], url: str, token: str) -> int:
    """Run the client with a directory of its own, in which there is the URL alone: the token is in its environment."""
    with tempfile.TemporaryDirectory(prefix="toolkit-airflowctl-") as home:
        (Path(home) / f"{_ENVIRONMENT}.json").write_text(json.dumps({"api_url": url}))
        done = subprocess.run(
            [python, "-I", "-m", "airflowctl", *arguments],
            env=_environment(home, token),
            check=False,
        )
    return done.returncode if done.returncode >= 0 else 128 - done.returncode


def _environment(home: str, token: str) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in _TAKEN_AWAY and name.lower() not in _TAKEN_AWAY
    }
    return kept | {
        "AIRFLOW_HOME": home,
        "AIRFLOW_CLI_ENVIRONMENT": _ENVIRONMENT,
        "AIRFLOW_CLI_TOKEN": token,
        # Nothing of this person's keyring is read, and nothing is kept there.
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }
