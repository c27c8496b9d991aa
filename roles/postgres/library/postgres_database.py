#!/usr/bin/python
"""Creates the database and its owner, as root: no task has to become a user other than root."""

import base64
import hashlib
import hmac
import unicodedata

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: postgres_database
short_description: Create a database and its owner
description:
  - Asks the server as user postgres by way of runuser, so it has to run as root. A become method
    that knows root's password only, such as su, is enough.
  - The password goes to the server on standard input, and is only sent when the stored one differs.
options:
  user: {description: The owner, type: str, required: true}
  password: {description: That the owner logs in with, type: str, required: true}
  database: {description: Name of the database; empty for the owner alone, type: str, default: ""}
  port: {description: TCP port of the server, type: int, required: true}
author: airflow-toolkit
"""
RETURN = """
user: {description: What was done to the owner (created or password), type: str, returned: always}
database: {description: What was done to the database (created or owner), type: str, returned: always}
"""


class Server:
    """The server of this host, as its superuser sees it."""

    def __init__(self, module: AnsibleModule, port: int) -> None:
        self._module = module
        self._port = port

    def ask(self, sql: str) -> list:
        """The lines that a statement answers with."""
        command = ["runuser", "-u", "postgres", "--", "psql", "-Xqtv", "ON_ERROR_STOP=1",
                   "-p", str(self._port), "-d", "postgres", "-A"]  # fmt: skip
        code, out, err = self._module.run_command(
            command, data=sql, cwd="/", environ_update={"LC_ALL": "C"}
        )
        if code:
            self._module.fail_json(msg=f"PostgreSQL refused: {(err or out).strip()}")
        return out.splitlines()

    def change(self, sql: str) -> None:
        """Carry out a statement, except in check mode."""
        if not self._module.check_mode:
            self.ask(sql)


def fits(stored: str, user: str, password: str) -> bool:
    """Whether a password is the one that PostgreSQL stores (pg_authid.rolpassword)."""
    if stored.startswith("md5"):
        # PostgreSQL's own way; that it is weak is the server's affair.
        digest = hashlib.new("md5", (password + user).encode())
        return hmac.compare_digest(stored[3:], digest.hexdigest())
    try:
        kind, rest, keys = stored.split("$")
        rounds, salt = rest.split(":")
    except ValueError:
        return False
    if kind != "SCRAM-SHA-256":
        return False
    normal = unicodedata.normalize("NFKC", password).encode()
    salted = hashlib.pbkdf2_hmac("sha256", normal, base64.b64decode(salt), int(rounds))
    key = hmac.new(salted, b"Client Key", hashlib.sha256).digest()
    wanted = base64.b64encode(hashlib.sha256(key).digest()).decode()
    return hmac.compare_digest(wanted, keys.partition(":")[0])


def name(text: str) -> str:
    """A quoted identifier of SQL."""
    return '"' + text.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string literal of SQL, whatever standard_conforming_strings is."""
    return " E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def set_user(server: Server, user: str, password: str) -> str:
    """Create the owner, or set its password where it has another."""
    query = "SELECT coalesce(rolpassword, '') FROM pg_authid WHERE rolname ="
    found = server.ask(query + literal(user))
    if found and fits(found[0], user, password):
        return ""
    verb = "ALTER" if found else "CREATE"
    server.change(f"{verb} ROLE {name(user)} LOGIN PASSWORD{literal(password)}")
    return "password" if found else "created"


def set_database(server: Server, database: str, user: str) -> str:
    """Create the database, or give it to its owner."""
    query = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname ="
    found = server.ask(query + literal(database))
    if found == [user]:
        return ""
    if found:
        server.change(f"ALTER DATABASE {name(database)} OWNER TO {name(user)}")
        return "owner"
    server.change(
        f"CREATE DATABASE {name(database)} OWNER {name(user)} ENCODING 'UTF8' TEMPLATE template0"
    )
    return "created"


def main() -> None:
    """Ansible calls it."""
    module = AnsibleModule(
        {
            "user": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "database": {"type": "str", "default": ""},
            "port": {"type": "int", "required": True},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    server = Server(module, wanted["port"])
    user = set_user(server, wanted["user"], wanted["password"])
    database = ""
    if wanted["database"] and not (module.check_mode and user == "created"):
        database = set_database(server, wanted["database"], wanted["user"])
    module.exit_json(changed=bool(user or database), user=user, database=database)


if __name__ == "__main__":
    main()
