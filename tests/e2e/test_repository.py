"""MySQL from a signed repository of its own, another driver, and the newest Python: one host with Debian's development branch."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.lab_cluster import Cluster

pytestmark = [pytest.mark.scenario, pytest.mark.extended]
HOST = "e2erepo1"
# Debian's own packages under a newer version, so that it shows where they came from.
REPOSITORY_OF_OURS = """set -e
export DEBIAN_FRONTEND=noninteractive GNUPGHOME=/root/keys
timeout 300 apt-get -qq update
apt-get -qq install -y --no-install-recommends gnupg apt-utils >/dev/null
install -d -m 700 /root/keys; install -d /srv/repository
cd /srv/repository
apt-get -qq download mysql-server mysql-server-core mysql-client mysql-client-core
for package in *.deb; do
    dpkg-deb --raw-extract $package /root/unpacked
    version=$(sed -n 's/^Version: //p' /root/unpacked/DEBIAN/control)
    sed -i "s/$version/$version+ours/g" /root/unpacked/DEBIAN/control
    rm $package
    dpkg-deb --build -Znone /root/unpacked . >/dev/null
    rm -r /root/unpacked
done
apt-ftparchive packages . > Packages
apt-ftparchive release . > /root/Release
for who in signer stranger; do
    gpg --batch --quiet --passphrase '' --quick-gen-key $who@example.com 2>/dev/null
    gpg --armor --export $who@example.com > /root/$who.asc
done
gpg --batch --local-user signer@example.com --clearsign --output InRelease /root/Release
systemd-run --quiet --unit=repository python3 -m http.server 8000 --directory /srv/repository
sleep 1
"""
SETTINGS = """metadata_db_engine: mysql
metadata_db_mysql_driver: pymysql
mysql_repository_url: http://127.0.0.1:8000/
mysql_repository_suite: ./
mysql_repository_key: {}
"""


@pytest.fixture(scope="module")
def cluster(make_cluster: Callable[..., Cluster]) -> Cluster:
    cluster = make_cluster("e2erepo", image="debian-sid")
    cluster.ssh(HOST, REPOSITORY_OF_OURS)
    for who in ("signer", "stranger"):
        (cluster.directory / f"{who}.asc").write_text(cluster.ssh(HOST, f"cat /root/{who}.asc"))
    cluster.set(SETTINGS.format(cluster.directory / "signer.asc"))
    cluster.toolkit("lock")
    return cluster


def failed(cluster: Cluster) -> str:
    done = cluster.toolkit("provision", expect=1)
    assert cluster.ssh(HOST, "command -v mysqld || true") == ""
    return done.stdout + done.stderr


def test_what_the_key_does_not_sign_is_not_installed(cluster: Cluster) -> None:
    cluster.set(SETTINGS.format(cluster.directory / "stranger.asc"))
    said = failed(cluster)
    assert "mysql_repository_key is the key that signs it" in said
    assert "fix:" in said
    assert "mysql" not in cluster.ssh(HOST, "ls /etc/apt/sources.list.d /etc/apt/keyrings")
    cluster.set(SETTINGS.format(cluster.directory / "signer.asc"))


def test_a_repository_that_stops_half_way(cluster: Cluster) -> None:
    cluster.ssh(HOST, "mv /srv/repository/mysql-server_*.deb /root")
    said = failed(cluster)
    assert "404" in said
    cluster.ssh(HOST, "mv /root/mysql-server_*.deb /srv/repository")


def test_run_again_finishes(cluster: Cluster) -> None:
    assert cluster.json("provision")["ok"]
    assert cluster.json("provision", "--no-verify")["changes"] == []


def test_it_came_from_there(cluster: Cluster) -> None:
    version = cluster.ssh(HOST, "dpkg-query --show --showformat '${Version}' mysql-server-core")
    assert version.endswith("+ours")


def test_the_driver_is_the_one_that_is_set(cluster: Cluster) -> None:
    assert "mysql+pymysql://" in cluster.ssh(HOST, "cat /etc/airflow/airflow.env")


def test_the_newest_python_runs_it(cluster: Cluster) -> None:
    version = cluster.ssh(HOST, "/opt/airflow/current/bin/python --version").split()[1]
    assert version.startswith("3.14.")
