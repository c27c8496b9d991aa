"""Existing servers on the hosts: refused before anything changes, or adopted with care."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import yaml
from support.lab_cluster import Cluster

POSTGRES, AIRFLOW, DATA = "e2etheirs1", "e2etheirs2", "e2etheirsid1"
APT = """set -e
export DEBIAN_FRONTEND=noninteractive
timeout 300 apt-get -qq update
apt-get -qq install -y --no-install-recommends {} >/dev/null
"""
CONFIGURATION = (
    "cat /etc/postgresql/*/*/*.conf /etc/mysql/*/* /etc/redis/* 2>/dev/null | md5sum;"
    " ls -d /usr/local/lib/airflow-toolkit /etc/airflow /opt/airflow 2>/dev/null || true"
)


@pytest.fixture(scope="module")
def single(make_cluster: Callable[..., Cluster]) -> Cluster:
    """A host with a PostgreSQL that somebody uses, and a bare one that no inventory names yet."""
    cluster = make_cluster("e2etheirs", hosts=2)
    path = cluster.directory / "hosts.yml"
    hosts = yaml.safe_load(path.read_text())["all"]["hosts"]
    (cluster.directory.parent / "bare.yml").write_text(yaml.safe_dump(hosts[AIRFLOW]))
    wanted = {"all": {"hosts": {POSTGRES: hosts[POSTGRES]}}}
    wanted |= {
        name: {"hosts": {POSTGRES: None}} for name in ("metadata_db", "scheduler", "webserver")
    }
    path.write_text(yaml.safe_dump(wanted))
    cluster.ssh(POSTGRES, APT.format("postgresql"))
    sql(cluster, "CREATE ROLE shop; CREATE DATABASE shop OWNER shop")
    sql(cluster, "CREATE TABLE orders AS SELECT generate_series(1, 1000) AS id", "shop")
    return cluster


@pytest.fixture(scope="module")
def data(make_cluster: Callable[..., Cluster], single: Cluster) -> Cluster:
    """A host for MySQL and Redis, and a bare one for Airflow."""
    cluster = make_cluster("e2etheirsid", image="debian-sid")
    path = cluster.directory / "hosts.yml"
    hosts = yaml.safe_load(path.read_text())["all"]["hosts"]
    hosts[AIRFLOW] = yaml.safe_load((single.directory.parent / "bare.yml").read_text())
    wanted = {"all": {"hosts": hosts}}
    wanted |= {name: {"hosts": {DATA: None}} for name in ("metadata_db", "broker")}
    wanted |= {name: {"hosts": {AIRFLOW: None}} for name in ("scheduler", "webserver", "worker")}
    path.write_text(yaml.safe_dump(wanted))
    known = (single.directory / "known_hosts").read_text()
    with (cluster.directory / "known_hosts").open("a") as file:
        file.write(known)
    return cluster


def sql(cluster: Cluster, statements: str, database: str = "postgres", port: int = 5432) -> str:
    script = (
        f"cd /; runuser -u postgres -- psql -p {port} -qtA -v ON_ERROR_STOP=1 {database} <<'X'\n"
    )
    return cluster.ssh(POSTGRES, script + statements.replace("; ", ";\n") + "\nX\n").strip()


def mysql(cluster: Cluster, statements: str) -> str:
    return cluster.ssh(DATA, f"mysql -N <<'X'\n{statements}\nX\n")


def refused(cluster: Cluster, host: str, settings: str, *needles: str) -> None:
    """Plain ansible-playbook, without the toolkit's rules, says all of this and changes nothing."""
    cluster.set(settings)
    before = cluster.ssh(host, CONFIGURATION)
    said = cluster.refused_playbook()
    for needle in (*needles, "fix:"):
        assert needle in said, said
    assert cluster.ssh(host, CONFIGURATION) == before


@contextmanager
def made(cluster: Cluster, host: str, break_: str, mend: str) -> Iterator[None]:
    cluster.ssh(host, "set -e\n" + break_)
    try:
        yield
    finally:
        cluster.ssh(host, mend)


@pytest.mark.scenario("postgres")
def test_a_server_that_is_there_stops_the_toolkit(single: Cluster) -> None:
    findings = single.json("provision", expect=2)["findings"]
    (present,) = (finding for finding in findings if finding["severity"] == "error")
    assert present["id"] == "ports.server_present"
    assert "postgres_adopt: true" in present["fix"]


@pytest.mark.scenario("postgres")
def test_postgres_with_data_of_others(single: Cluster) -> None:
    refused(
        single, POSTGRES, "", "databases of others: shop", "metadata_db_url", "postgres_adopt: true"
    )


@pytest.mark.scenario("postgres")
def test_postgres_on_another_port(single: Cluster) -> None:
    port = "pg_conftool 15 main set port {}; systemctl restart postgresql"
    with made(single, POSTGRES, port.format(5433), port.format(5432)):
        refused(single, POSTGRES, "", "port 5433", "postgres_port: 5433")


@pytest.mark.scenario("postgres")
def test_a_stopped_postgres_counts(single: Cluster) -> None:
    with made(single, POSTGRES, "systemctl stop postgresql@15-main", "systemctl start postgresql"):
        refused(single, POSTGRES, "", "databases of others")


@pytest.mark.scenario("postgres")
def test_database_with_tables_of_another_application(single: Cluster) -> None:
    sql(
        single, "CREATE ROLE airflow LOGIN PASSWORD 'theirs'; CREATE DATABASE airflow OWNER airflow"
    )
    sql(single, "CREATE TABLE planes (i int); ALTER TABLE planes OWNER TO airflow", "airflow")
    refused(single, POSTGRES, "postgres_adopt: true\n", "tables of another application: planes")
    sql(single, "DROP TABLE planes", "airflow")


@pytest.mark.scenario("postgres")
def test_database_of_another_owner(single: Cluster) -> None:
    sql(single, "ALTER DATABASE airflow OWNER TO shop")
    refused(single, POSTGRES, "postgres_adopt: true\n", "belongs to shop", "metadata_db_name")
    sql(single, "ALTER DATABASE airflow OWNER TO airflow")


@pytest.mark.scenario("postgres")
def test_data_directory_that_takes_no_data(single: Cluster) -> None:
    data = "/var/lib/postgresql"
    with made(
        single,
        POSTGRES,
        f"mount --bind {data} {data}; mount -o remount,ro,bind {data}",
        f"umount {data}",
    ):
        refused(single, POSTGRES, "postgres_adopt: true\n", "read-only")
    with made(single, POSTGRES, f"mount -t tmpfs -o size=20m none {data}", f"umount {data}"):
        refused(single, POSTGRES, "postgres_adopt: true\n", "MB free")


@pytest.mark.scenario("postgres")
def test_user_with_another_password(single: Cluster) -> None:
    # Told later than the others: reading it needs a package on the host.
    single.set("postgres_adopt: true\n")
    before = single.ssh(POSTGRES, "cat /etc/postgresql/*/*/*.conf | md5sum")
    done = single.toolkit("provision", expect=1)
    assert "another password" in done.stdout + done.stderr
    assert single.ssh(POSTGRES, "cat /etc/postgresql/*/*/*.conf | md5sum") == before


@pytest.mark.scenario("postgres")
def test_adopted_server_keeps_what_it_has(single: Cluster) -> None:
    sql(single, "DROP DATABASE airflow; DROP ROLE airflow")
    single.set("postgres_adopt: true\n")
    assert single.json("provision")["ok"]
    assert sql(single, "SELECT count(*) FROM orders", "shop") == "1000"
    assert single.json("provision", "--no-verify")["changes"] == []


@pytest.mark.extended
@pytest.mark.scenario("mysql")
def test_mysql_with_data_of_others(data: Cluster) -> None:
    data.ssh(DATA, APT.format("mysql-server redis-server"))
    data.set("metadata_db_engine: mysql\n")
    findings = data.json("provision", expect=2)["findings"]
    assert [finding["id"] for finding in findings].count("ports.server_present") == 2
    mysql(data, "CREATE DATABASE shop; CREATE TABLE shop.orders (i int)")
    refused(
        data, DATA, "metadata_db_engine: mysql\n", "databases of others: shop", "mysql_adopt: true"
    )
    assert data.ssh(AIRFLOW, "ls /opt /usr/local/lib | grep airflow || true") == ""
    mysql(data, "DROP DATABASE shop")


@pytest.mark.extended
@pytest.mark.scenario("mysql")
def test_mysql_whose_root_has_a_password(data: Cluster) -> None:
    engine = "metadata_db_engine: mysql\n"
    mysql(data, "ALTER USER root@localhost IDENTIFIED WITH caching_sha2_password BY 'of root'")
    refused(data, DATA, engine, "does not let root in", "mysql_root_password")
    refused(data, DATA, engine + "mysql_root_password: wrong\n", "does not let root in")
    data.ssh(DATA, "redis-cli set their key >/dev/null")
    # With the right one the next refusal is that of Redis.
    refused(data, DATA, engine + "mysql_root_password: of root\n", "Redis", "data of others")
    data.ssh(
        DATA, "MYSQL_PWD='of root' mysql -e 'ALTER USER root@localhost IDENTIFIED WITH auth_socket'"
    )


@pytest.mark.extended
@pytest.mark.scenario("mysql")
def test_mysql_database_and_user_of_another_application(data: Cluster) -> None:
    engine = "metadata_db_engine: mysql\n"
    mysql(data, "CREATE DATABASE airflow; CREATE TABLE airflow.planes (i int)")
    refused(data, DATA, engine, "tables of another application: planes")
    mysql(data, "DROP TABLE airflow.planes; CREATE USER airflow@localhost IDENTIFIED BY 'theirs'")
    refused(data, DATA, engine, "user airflow has another password")
    mysql(data, "DROP DATABASE airflow; DROP USER airflow@localhost")


@pytest.mark.extended
@pytest.mark.scenario("mysql")
def test_redis_with_a_configuration_of_its_own(data: Cluster) -> None:
    engine = "metadata_db_engine: mysql\n"
    data.ssh(DATA, "redis-cli flushall >/dev/null; echo 'maxmemory 100mb' >> /etc/redis/redis.conf")
    refused(data, DATA, engine, "configuration of its own", "broker_url", "redis_adopt: true")


@pytest.mark.extended
@pytest.mark.scenario("mariadb")
def test_mariadb_is_not_replaced(single: Cluster) -> None:
    bare = yaml.safe_load((single.directory.parent / "bare.yml").read_text())
    path = single.directory / "hosts.yml"
    hosts = yaml.safe_load(path.read_text())
    hosts["all"]["hosts"][AIRFLOW] = bare
    hosts["metadata_db"]["hosts"] = {AIRFLOW: None}
    hosts["scheduler"]["hosts"] = hosts["webserver"]["hosts"] = {AIRFLOW: None}
    path.write_text(yaml.safe_dump(hosts))
    single.ssh(AIRFLOW, APT.format("mariadb-server"))
    settings = "metadata_db_engine: mysql\nmysql_repository_url: http://127.0.0.1:9/\nmysql_repository_key: /etc/hostname\n"
    refused(single, AIRFLOW, settings, "MariaDB", "would remove it")


@pytest.mark.extended
@pytest.mark.scenario("mariadb")
def test_mariadb_by_setting(single: Cluster) -> None:
    path = single.directory / "hosts.yml"
    hosts = yaml.safe_load(path.read_text())
    del hosts["metadata_db"], hosts["all"]["hosts"][POSTGRES]
    path.write_text(yaml.safe_dump(hosts))
    single.ssh(
        AIRFLOW,
        "mariadb -e \"CREATE DATABASE theirs CHARACTER SET utf8mb4; GRANT ALL ON theirs.* TO them@localhost IDENTIFIED BY 'pw'\"",
    )
    url = "metadata_db_url: mysql+mysqldb://them:pw@127.0.0.1:3306/theirs\n"
    single.set(url)
    (single.directory / "airflow.lock").unlink(missing_ok=True)  # made for PostgreSQL
    ids = [
        f["id"] for f in single.json("provision", expect=2)["findings"] if f["severity"] == "error"
    ]
    assert ids == ["services.mariadb"]
    single.set(url + "metadata_db_allow_unsupported: true\n")
    result = single.json("provision")
    assert result["ok"]
    assert "services.mariadb" in [finding["id"] for finding in result["findings"]]
