"""What the metadata database of an installed Airflow holds, asked on the first scheduler host."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from toolkit.cluster import Cluster, Host
from toolkit.cluster.host_secrets import database_url
from toolkit.content import content_dir, expanded
from toolkit.hosts import HostProblem, Remote
from toolkit.hosts.answer import read
from toolkit.onhost.bundle import program


@dataclass(frozen=True)
class Problem:
    """What is wrong, as a finding has it."""

    id: str
    severity: str
    what: str
    fix: str


@dataclass(frozen=True)
class Upgrade:
    """The last change of version: from, to, and HOST:PATH of the dump that was made before."""

    former: str = ""
    to: str = ""
    dump: str = ""


@dataclass(frozen=True)
class Examined:
    """The answer of roles/airflow/files/examine_database.py.

    Attributes:
        state: of the schema, for the release that is current: missing, current, older or unknown;
            "" when nothing was examined.
        schema: its versions.
        problems: what does not fit the settings.
        upgrade: the last one on this host.
        reached: whether it is the database that the settings name, not the one in use until now.
        in_use: whether the host has been given a database already.
    """

    state: str = ""
    schema: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    upgrade: Upgrade = field(default_factory=Upgrade)
    reached: bool = False
    in_use: bool = False

    @property
    def unreadable(self) -> Problem | None:
        """Why what the database holds cannot be read."""
        ids = {"database.fernet_key", "database.unreadable"}
        found = (one for one in self.problems if one.severity == "error" and one.id in ids)
        return next(found, None)

    @property
    def import_errors(self) -> tuple[Problem, ...]:
        """The files of DAGs that Airflow could not import."""
        return tuple(one for one in self.problems if one.id == "database.import_error")


def examine(cluster: Cluster, remote: Remote) -> Examined:
    """Examine the database on the first scheduler host in play that answers; an empty answer where none can.

    Raises:
        ToolkitError: the vault's password is missing or wrong.
    """
    text = (content_dir() / "roles/airflow/files/examine_database.py").read_text(encoding="utf-8")
    for host in (one for one in cluster.group("scheduler") if one in cluster.hosts):
        url = database_url(cluster, host)
        # Whatever is wrong with a host is reported by its probe.
        with suppress(HostProblem):
            if url:
                payload = {"program": text, "question": question(cluster, host, url)}
                return read(Examined, remote.run_script(host, program("examine"), payload, timeout=90))  # fmt: skip
    return Examined()


def question(cluster: Cluster, host: Host, url: str) -> dict[str, Any]:
    """What the program is asked; passwords of users are left to the provision."""
    ca = expanded(str(cluster.setting("metadata_db_ca_certificate", host) or ""))
    return {
        "url": url,
        "own": True,
        "ca": ca.read_text(encoding="utf-8") if ca.is_file() else "",
        "fernet_key": str(cluster.setting("airflow_fernet_key", host) or ""),
        "users": [{"username": name, "email": email} for name, email in wanted_users(cluster)],
        "inventory": str(cluster.directory),
    }


def wanted_users(cluster: Cluster) -> list[tuple[str, str]]:
    """Name and e-mail address of each user that a provision makes, as roles/airflow/vars has them."""
    given = [user for user in cluster.setting("airflow_users") or () if isinstance(user, dict)]
    found = [(cluster.setting("airflow_admin_username"), cluster.setting("airflow_admin_email"))]
    found += [(user.get("username"), user.get("email")) for user in given]
    # What is missing is generated.
    found.append(("toolkit-canary", "toolkit-canary@localhost"))
    texts = [(str(name or ""), str(email or "")) for name, email in found]
    return [(name, email) for name, email in texts if name and "{{" not in name + email]
