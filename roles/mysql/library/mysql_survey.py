#!/usr/bin/python
"""Finds the MySQL server that the role may configure; refuses one that is not ours, and MariaDB."""

import glob
import os
import shutil
from dataclasses import dataclass, field

from ansible.module_utils import addresses
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: mysql_survey
short_description: Find the MySQL server that the role may configure
description:
  - A server is ours when the role configured it before, or when nobody has data in it.
  - Says why not where the only server is not ours. It does not fail itself, because a task
    that is given passwords is not shown.
options:
  configuration: {description: The file that the role writes, type: path, required: true}
  socket: {description: The server's socket, type: path, required: true}
  root_password: {description: Password of MySQL's root, type: str, default: ""}
  database: {description: Name of the wanted database, type: str, required: true}
  user: {description: Its user, type: str, required: true}
  password: {description: The user's password, type: str, required: true}
  oldest: {description: The numbers of the oldest version that Airflow works with, type: list, elements: int, required: true}
  adopt: {description: Take a server with data of others, type: bool, default: false}
  clients: {description: Addresses or names of the hosts that use it, type: list, elements: str, default: []}
author: airflow-toolkit
"""
RETURN = """
present: {description: Whether a server is installed, type: bool, returned: always}
clients: {description: Addresses of the hosts that use it, type: list, elements: str, returned: always}
refusal: {description: Why it may not be configured, or "", type: str, returned: always}
"""
SYSTEM = ("mysql", "sys", "information_schema", "performance_schema")
ACCESS_DENIED, CANNOT_CONNECT = "ERROR 1045", "ERROR 2002"
ELSEWHERE = "name a server elsewhere in metadata_db_url"


@dataclass
class Server:
    """What a MySQL server said; `databases` are somebody's, by name."""

    version: str
    denied: bool = False
    running: bool = True
    databases: list = field(default_factory=list)
    tables: list = field(default_factory=list)
    other_password: bool = False


def refusal(server: Server, database: str, user: str, adopt: bool, oldest: list) -> str:
    """Why the server is not configured, and what to do; "" when it may be."""
    if "MariaDB" in server.version:
        return f"{server.version} is installed here, and MySQL's packages would remove it; fix: choose another database host, or {ELSEWHERE}"
    if number(server.version) < tuple(oldest):
        return f"MySQL {server.version} is installed here, and Airflow needs {'.'.join(map(str, oldest))} or later; fix: upgrade it, or {ELSEWHERE}"
    if server.denied:
        return "MySQL is installed here and does not let root in over its socket; fix: put root's password into vault.yml as mysql_root_password (ansible-vault edit)"
    if server.databases and not adopt:
        return (
            f"MySQL {server.version} has databases of others: {', '.join(server.databases)}; fix: create a database there "
            "and name it in metadata_db_url, so that the server stays as it is; or let it be configured for Airflow as "
            "well: mysql_adopt: true"
        )
    if server.tables and "alembic_version" not in server.tables:
        return f"database {database} has tables of another application: {', '.join(server.tables[:5])}; fix: choose another metadata_db_name"
    if server.other_password:
        return f"user {user} has another password, and somebody may be using it; fix: give that password (metadata_db_password, with ansible-vault edit), or choose another metadata_db_user"
    return ""


def number(version: str) -> tuple:
    """The numbers of a version."""
    return tuple(int(part) for part in version.partition("-")[0].split(".") if part.isdigit())


class Survey:
    """Asks the server of this host."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.wanted = module.params

    def server(self) -> "Server | None":
        """The server that is installed here, or None."""
        daemon = shutil.which("mysqld") or shutil.which("mariadbd")
        # What an interrupted installation left is no server yet.
        if daemon is None or (
            shutil.which("dpkg") and self.module.run_command(["dpkg", "--audit"])[1]
        ):
            return None
        _, output, _ = self.module.run_command([daemon, "--no-defaults", "--version"])
        version = output.partition("Ver ")[2].split()[0] if "Ver " in output else output.strip()
        found = Server(f"MariaDB {version}" if "MariaDB" in output else version)
        if found.version.startswith("MariaDB"):
            return found
        names, error = self._query("root", self.wanted["root_password"], "SHOW DATABASES")
        found.denied, found.running = ACCESS_DENIED in error, CANNOT_CONNECT not in error
        if not found.running:
            names = [
                os.path.basename(path.rstrip("/")) for path in glob.glob("/var/lib/mysql/[a-z]*/")
            ]
        found.databases = [name for name in names if name not in (*SYSTEM, self.wanted["database"])]
        if self.wanted["database"] in names and found.running:
            self._ask(found)
        return found

    def _ask(self, server: Server) -> None:
        tables = (
            "SELECT table_name FROM information_schema.tables WHERE table_schema = '{}' ORDER BY 1"
        )
        server.tables, _ = self._query(
            "root",
            self.wanted["root_password"],
            tables.format(self.wanted["database"].replace("'", "''")),
        )
        users, _ = self._query(
            "root", self.wanted["root_password"], "SELECT DISTINCT user FROM mysql.user"
        )
        if self.wanted["user"] in users:
            _, error = self._query(self.wanted["user"], self.wanted["password"], "SELECT 1")
            server.other_password = ACCESS_DENIED in error

    def _query(self, user: str, password: str, query: str) -> tuple:
        _, out, error = self.module.run_command(
            ["mysql", "--no-defaults", "--protocol=socket", "--socket=" + self.wanted["socket"],
             "--user=" + user, "--skip-column-names", "--batch", "--execute=" + query],
            environ_update={"MYSQL_PWD": password},
        )  # fmt: skip
        return out.splitlines(), error


def main() -> None:
    """Ansible calls it."""
    module = AnsibleModule(
        {
            "configuration": {"type": "path", "required": True},
            "socket": {"type": "path", "required": True},
            "root_password": {"type": "str", "default": "", "no_log": True},
            "database": {"type": "str", "required": True},
            "user": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "oldest": {"type": "list", "elements": "int", "required": True},
            "adopt": {"type": "bool", "default": False},
            "clients": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    wanted, server, found = module.params, Survey(module).server(), ""
    if server and not os.path.exists(wanted["configuration"]):
        found = refusal(
            server, wanted["database"], wanted["user"], wanted["adopt"], wanted["oldest"]
        )
    clients, unknown = addresses.clients(wanted["clients"])
    module.exit_json(
        changed=False, present=server is not None, refusal=found or unknown, clients=clients
    )


if __name__ == "__main__":
    main()
