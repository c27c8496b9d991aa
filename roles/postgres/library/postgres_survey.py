#!/usr/bin/python
"""Finds the PostgreSQL server that the role may configure; refuses one that is not ours."""

import glob
import os
import shutil
from dataclasses import dataclass, field

from ansible.module_utils import addresses
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: postgres_survey
short_description: Find the PostgreSQL server that the role may configure
description:
  - A server is ours when the role configured it before, or when nobody has data in it.
  - Says why not where the only server is not ours. It does not fail itself, because a task
    that is given passwords is not shown.
options:
  port: {description: TCP port that the server is wanted on, type: int, required: true}
  database: {description: Name of the wanted database, type: str, required: true}
  user: {description: Its owner, type: str, required: true}
  password: {description: That the owner logs in with, type: str, required: true}
  service: {description: Unit of the server, type: str, required: true}
  oldest: {description: The oldest version that Airflow works with, type: int, required: true}
  adopt: {description: Take a server with data of others, type: bool, default: false}
  prepared: {description: Settings that the package goes by when it creates a server, type: path, default: ""}
  clients: {description: Addresses or names of the hosts that use it, type: list, elements: str, default: []}
author: airflow-toolkit
"""
RETURN = """
refusal: {description: Why there is none that may be configured, or "", type: str, returned: always}
clients: {description: Addresses of the hosts that use it, type: list, elements: str, returned: always}
directory: {description: Where the server's postgresql.conf is, or "", type: str, returned: always}
first: {description: Whether the role has not configured it before, type: bool, returned: always}
prepared: {description: Whether the server was created with the prepared settings, type: bool, returned: always}
unit: {description: Its unit of systemd, or "", type: str, returned: always}
running: {description: Whether it runs, type: bool, returned: always}
user_exists: {description: Whether the wanted owner is there, type: bool, returned: always}
serves:
  description: Whether our server starts at boot, and the owner can log in to the wanted database
  type: bool
  returned: always
"""
OURS = "conf.d/airflow-toolkit.conf"


@dataclass
class Server:
    """A PostgreSQL server on this host; `databases` are somebody's, by name."""

    version: int
    port: int
    directory: str
    data: str
    unit: str = ""
    running: bool = True
    databases: list = field(default_factory=list)
    problem: str = ""
    user_exists: bool = False

    @property
    def ours(self) -> bool:
        """Whether the role configured it before."""
        return os.path.exists(os.path.join(self.directory, OURS))

    def created_after(self, path: str) -> bool:
        """Whether there is such a file, and the server is younger."""
        configuration = os.path.join(self.directory, "postgresql.conf")
        return os.path.exists(path) and os.path.getmtime(configuration) >= os.path.getmtime(path)

    def __str__(self) -> str:
        return f"PostgreSQL {self.version} on port {self.port} ({self.directory})"


def choose(servers: list, port: int, adopt: bool, oldest: int) -> "tuple[Server | None, str]":
    """The server to configure, None where one has to be installed; or why there is none."""
    for server in servers:
        if server.ours:
            return server, ""
    on_port = [server for server in servers if server.port == port]
    empty = [server for server in servers if not server.databases]
    for server in on_port or empty:
        if server.version < oldest:
            return (
                None,
                f"{server}: Airflow needs {oldest} or later; fix: upgrade it with pg_upgradecluster, or name a server elsewhere in metadata_db_url",
            )
        if server.databases and not adopt:
            return None, (
                f"{server} has databases of others: {', '.join(server.databases)}; fix: create a database there and "
                "name it in metadata_db_url, so that the server stays as it is; or let it be configured for "
                "Airflow as well: postgres_adopt: true"
            )
        return server, server.problem
    if servers:
        return (
            None,
            f"{servers[0]} is installed here, not on port {port}; fix: postgres_port: {servers[0].port}, or name a server elsewhere in metadata_db_url",
        )
    return None, ""


class Survey:
    """Asks the servers of this host."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.database = module.params["database"]
        self.user = module.params["user"]

    def run(self, *command: str) -> str:
        """What a command prints; "" when it fails."""
        code, out, _ = self.module.run_command(list(command), cwd="/")
        return out if code == 0 else ""

    def servers(self) -> list:
        """Every server that is installed here, whatever installed it."""
        found = self._debian() if shutil.which("pg_lsclusters") else self._red_hat()
        for server in found:
            if not server.ours:
                self._ask(server)
        return found

    def _debian(self) -> list:
        rows = [line.split() for line in self.run("pg_lsclusters", "-h").splitlines()]
        return [
            Server(
                int(version.split(".")[0]),
                int(port),
                f"/etc/postgresql/{version}/{name}",
                data,
                f"postgresql@{version}-{name}",
                "online" in state,
            )
            for version, name, port, state, _, data, *_ in rows
            if "binaries_missing" not in state
        ]

    def _red_hat(self) -> list:
        found = []
        for path in glob.glob("/var/lib/pgsql/**/PG_VERSION", recursive=True):
            directory = os.path.dirname(path)
            if not os.path.exists(os.path.join(directory, "postgresql.conf")):
                continue
            with open(path) as file:
                version = int(file.read().split(".")[0])
            port = self.run(
                "runuser", "-u", "postgres", "--", "postgres", "-D", directory, "-C", "port"
            )
            running = os.path.exists(os.path.join(directory, "postmaster.pid"))
            found.append(
                Server(version, int(port or 5432), directory, directory, "postgresql", running)
            )
        return found

    def _ask(self, server: Server) -> None:
        if not server.running:
            server.databases = self._of_a_stopped(server)
            return
        named = self._query(
            server, "postgres", "SELECT datname FROM pg_database WHERE NOT datistemplate"
        )
        server.databases = [name for name in named if name not in ("postgres", self.database)]
        server.user_exists = self.user in self._query(
            server, "postgres", "SELECT rolname FROM pg_roles"
        )
        if self.database in named:
            server.problem = self._problem(server)

    def _of_a_stopped(self, server: Server) -> list:
        # Whatever a user creates has a number from 16384 on (pg_database.oid).
        numbers = [
            os.path.basename(path) for path in glob.glob(os.path.join(server.data, "base", "*"))
        ]
        return [
            f"number {number}" for number in numbers if number.isdigit() and int(number) >= 16384
        ]

    def _problem(self, server: Server) -> str:
        owner = self._query(
            server, "postgres",
            "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = " + literal(self.database),
        )  # fmt: skip
        if owner != [self.user]:
            return f"{server}: database {self.database} belongs to {owner[0]}, not to {self.user}; fix: choose another metadata_db_name"
        tables = self._query(
            server, self.database,
            "SELECT tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1",
        )  # fmt: skip
        if tables and "alembic_version" not in tables:
            return f"{server}: database {self.database} has tables of another application: {', '.join(tables[:5])}; fix: choose another metadata_db_name"
        return ""

    def serves(self, server: Server, service: str, password: str) -> bool:
        """Whether it starts at boot, and the owner can log in to a database that is theirs."""
        if not shutil.which("psql"):
            return False
        _, owns, _ = self.module.run_command(
            ["psql", "-Xwqt", "-h", "127.0.0.1", "-p", str(server.port), "-U", self.user, "-d", self.database, "-Ac",
             "SELECT pg_get_userbyid(datdba) = current_user FROM pg_database WHERE datname = current_database()"],
            environ_update={"PGPASSWORD": password, "PGCONNECT_TIMEOUT": "5"}, cwd="/",
        )  # fmt: skip
        return (
            owns.strip() == "t"
            and self.run("systemctl", "is-enabled", service).strip() == "enabled"
        )

    def _query(self, server: Server, database: str, query: str) -> list:
        return self.run(
            "runuser", "-u", "postgres", "--",
            "psql", "-X", "-p", str(server.port), "-d", database, "-qtAc", query,
        ).splitlines()  # fmt: skip


def literal(text: str) -> str:
    """A string literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def main() -> None:
    """Ansible calls it."""
    module = AnsibleModule(
        {
            "port": {"type": "int", "required": True},
            "database": {"type": "str", "required": True},
            "user": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "service": {"type": "str", "required": True},
            "oldest": {"type": "int", "required": True},
            "adopt": {"type": "bool", "default": False},
            "clients": {"type": "list", "elements": "str", "default": []},
            "prepared": {"type": "path", "default": ""},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    survey = Survey(module)
    server, refusal = choose(survey.servers(), wanted["port"], wanted["adopt"], wanted["oldest"])
    clients, unknown = addresses.clients(wanted["clients"])
    module.exit_json(
        changed=False,
        refusal=refusal or unknown,
        clients=clients,
        directory=server.directory if server else "",
        first=bool(server and not server.ours),
        prepared=bool(server and server.created_after(module.params["prepared"])),
        unit=server.unit if server else "",
        running=bool(server and server.running),
        user_exists=bool(server and server.user_exists),
        serves=bool(
            server and server.ours and survey.serves(server, wanted["service"], wanted["password"])
        ),
    )


if __name__ == "__main__":
    main()
