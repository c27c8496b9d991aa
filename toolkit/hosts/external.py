"""The database and the broker that are run elsewhere: what they answer to Airflow's credentials."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

from toolkit.cluster import Cluster, Host
from toolkit.cluster.tables import engine_of, server_groups
from toolkit.cluster.yamlfile import is_template
from toolkit.hosts import HostProblem, Remote
from toolkit.hosts.payload import host_and_port
from toolkit.hosts.way import NoTunnelError

TIMEOUT = 10
"""Seconds for connecting to a server, and for each of its answers."""

_PARAMETER_GROUPS: Mapping[str, str] = {
    ".rds.amazonaws.com": "DB parameter group",
    ".cache.amazonaws.com": "cache parameter group",
}
"""Part of the host name that AWS gives a server -> what holds its options."""


@dataclass(frozen=True)
class Service:
    """What a server said, or why it said nothing.

    Attributes:
        role: metadata_db or broker.
        address: host:port, as the URL has it.
        user: who signed in; "" where the URL names nobody.
        problem: "", "url" (cannot be read), "login" (it refuses), "silent" (no usable answer) or "tunnel"
            (the host in `detail` forwards no connections, so nobody asked it).
        detail: the server's or driver's own words, when there is a problem.
        server: PostgreSQL, MySQL, MariaDB or Redis.
        version: as numbers.
        may_create: whether the user may create tables.
        superuser: whether the user may do everything on the whole server.
        encoding: of the database.
        options: variables of a MySQL server, by name, that decide whether migrations work.
        max_connections: how many it lets in at once; 0 when it does not say.
        tables: how many the database has.
        schemas: versions of Airflow's schema in it; () without one.
        policy: what the broker does when its memory is full; "" when it does not say.
        persistent: whether the broker keeps messages on disk; None when it does not say.
        password: whether the URL has a password.
    """

    role: str
    address: str
    user: str = ""
    problem: str = ""
    detail: str = ""
    server: str = ""
    version: tuple[int, ...] = ()
    may_create: bool = True
    superuser: bool = False
    encoding: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    max_connections: int = 0
    tables: int = 0
    schemas: tuple[str, ...] = ()
    policy: str = ""
    persistent: bool | None = None
    password: bool = True

    @property
    def parameter_group(self) -> str:
        """What its options are set in when AWS runs it; "" for other servers."""
        host = self.address.rpartition(":")[0]
        return next((kind for name, kind in _PARAMETER_GROUPS.items() if name in host), "")


def external_urls(cluster: Cluster, host: Host | None = None) -> dict[str, str]:
    """Role -> URL of a server that is run elsewhere.

    Raises:
        ToolkitError: the vault cannot be opened.
    """
    found = {
        role: str(cluster.setting(group.url, host) or "") for role, group in server_groups().items()
    }
    found = {role: url for role, url in found.items() if url and not is_template(url)}
    ca = str(cluster.setting("metadata_db_ca_certificate", host) or "")
    if ca and found.get("metadata_db", "").startswith("postgres"):
        verified = urlencode({"sslmode": "verify-full", "sslrootcert": ca})
        found["metadata_db"] += f"{'&' if '?' in found['metadata_db'] else '?'}{verified}"
    return found


def ask(remote: Remote, via: Host, role: str, url: str, authorities: Sequence[str] = ()) -> Service:
    """Sign in to a server, by way of a host that will use it, and ask what it is. Changes nothing.

    Args:
        authorities: certificates (PEM) that the hosts trust beside those of this machine.
    """
    parts, (address, port) = urlsplit(url), host_and_port(url)
    engine = engine_of(url)
    asker = _ASKERS.get(engine.name) if engine else None
    base: dict[str, Any] = {
        "role": role,
        "address": f"{address}:{port}",
        "user": unquote(parts.username or ""),
        "password": bool(parts.password),
    }
    if not address or not port or asker is None:
        reason = f"{parts.scheme.partition('+')[0]}:// is no server that can be asked"
        return Service(**base, problem="url", detail=reason)
    try:
        with remote.tunnel(via, address, port) as local:
            return Service(**base, **asker(parts, local, authorities))
    except HostProblem as problem:
        return Service(**base, problem="silent", detail=problem.what)
    except NoTunnelError:
        return Service(**base, problem="tunnel", detail=via.name)


def _ask_postgres(parts: SplitResult, port: int, _: Sequence[str]) -> dict[str, Any]:
    import psycopg2

    options: dict[str, Any] = dict(parse_qsl(parts.query))
    # A certificate's path is one on the hosts; without the file here, encryption has to do.
    if "sslrootcert" in options and not Path(options["sslrootcert"]).exists():
        del options["sslrootcert"]
        options["sslmode"] = "require"
    options |= {"host": parts.hostname or "", "hostaddr": "127.0.0.1", "port": str(port),
                "user": unquote(parts.username or ""), "password": unquote(parts.password or ""),
                "dbname": unquote(parts.path.lstrip("/")), "connect_timeout": str(TIMEOUT)}  # fmt: skip
    try:
        connection = psycopg2.connect(**options)
    except psycopg2.OperationalError as error:
        said = _sentence(str(error))
        refused = "FATAL" in str(error)
        return {"problem": "login" if refused else "silent", "detail": said}
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('server_version_num')::int, current_setting('server_encoding'),"
            " has_schema_privilege(current_schema(), 'CREATE'),"
            " current_setting('max_connections')::int,"
            " (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)"
        )
        number, encoding, may_create, limit, superuser = cursor.fetchone() or (0, "", False, 0, 0)
        tables = _tables(cursor, "current_schema()")
    connection.close()
    return {"server": "PostgreSQL", "version": (number // 10000, number % 10000),
            "encoding": encoding, "may_create": bool(may_create), "superuser": bool(superuser),
            "max_connections": limit, **tables}  # fmt: skip


def _tables(cursor: Any, schema: str) -> dict[str, Any]:
    """How many tables the database has, and the versions of Airflow's schema among them."""
    cursor.execute(
        f"SELECT table_name FROM information_schema.tables WHERE table_schema = {schema}"
    )
    names = {str(row[0]) for row in cursor.fetchall()}
    found: tuple[str, ...] = ()
    if {"alembic_version", "dag_run"} <= names:
        cursor.execute("SELECT version_num FROM alembic_version")
        found = tuple(sorted(str(row[0]) for row in cursor.fetchall()))
    return {"tables": len(names), "schemas": found}


_MYSQL_OPTIONS = ("explicit_defaults_for_timestamp", "sql_require_primary_key", "max_connections")


def _ask_mysql(parts: SplitResult, port: int, _: Sequence[str]) -> dict[str, Any]:
    import pymysql

    encrypted = "ssl" in parts.query
    try:
        connection = pymysql.connect(
            host="127.0.0.1", port=port, user=unquote(parts.username or ""),
            password=unquote(parts.password or ""), database=unquote(parts.path.lstrip("/")),
            connect_timeout=TIMEOUT, read_timeout=TIMEOUT,
            ssl={"check_hostname": False} if encrypted else None,
        )  # fmt: skip
    except pymysql.err.OperationalError as error:
        number, said = (*error.args, "")[:2]
        return {"problem": "login" if number < 2000 else "silent", "detail": _sentence(str(said))}
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT VERSION(), @@character_set_database")
        version, encoding = cursor.fetchone() or ("", "")
        cursor.execute("SHOW GRANTS")
        grants = [str(row[0]) for row in cursor.fetchall()]
        names = ", ".join(f"'{name}'" for name in _MYSQL_OPTIONS)
        cursor.execute(f"SHOW VARIABLES WHERE Variable_name IN ({names})")
        options = {str(name): str(value) for name, value in cursor.fetchall()}
        tables = _tables(cursor, "DATABASE()")
    # MySQL lists what ALL is made of. The master user of RDS has much of it, but not SUPER.
    wide = [grant for grant in grants if " ON *.* " in grant]
    everything = any("ALL PRIVILEGES" in grant or "SUPER" in grant for grant in wide)
    return {"server": "MariaDB" if "MariaDB" in version else "MySQL", "version": _numbers(version),
            "encoding": encoding, "superuser": everything,
            "may_create": any("ALL PRIVILEGES" in grant or "CREATE," in grant for grant in grants),
            "max_connections": int(options.pop("max_connections", 0)), "options": options,
            **tables}  # fmt: skip


def _ask_redis(parts: SplitResult, port: int, authorities: Sequence[str]) -> dict[str, Any]:
    import redis

    server = redis.Redis(
        host="127.0.0.1", port=port, username=unquote(parts.username or "") or None,
        password=unquote(parts.password or "") or None, socket_timeout=TIMEOUT,
        socket_connect_timeout=TIMEOUT, ssl=parts.scheme == "rediss", ssl_check_hostname=False,
        ssl_ca_data="\n".join(authorities) or None,
    )  # fmt: skip
    try:
        version = str(server.info("server").get("redis_version", ""))
        policy = str(server.info("memory").get("maxmemory_policy", ""))
    except (redis.AuthenticationError, redis.ResponseError) as error:
        return {"problem": "login", "detail": _sentence(str(error))}
    except redis.RedisError as error:
        return {"problem": "silent", "detail": _sentence(str(error))}
    try:
        config = {**server.config_get("save"), **server.config_get("appendonly")}
    except redis.RedisError:  # managed services hide it
        config = {}
    persistent = bool(config.get("save")) or config.get("appendonly") == "yes" if config else None
    return {"server": "Redis", "version": _numbers(version), "persistent": persistent,
            "policy": policy}  # fmt: skip


_ASKERS: Mapping[str, Callable[[SplitResult, int, Sequence[str]], dict[str, Any]]] = {
    "postgres": _ask_postgres,
    "mysql": _ask_mysql,
    "redis": _ask_redis,
}
"""Engine -> the function that speaks its protocol."""


def _numbers(version: str) -> tuple[int, ...]:
    plain = version.partition("-")[0].split(".")
    return tuple(int(part) for part in plain if part.isdigit())


def _sentence(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0].rpartition("FATAL:")[2].strip() if lines else "it gave no reason"
