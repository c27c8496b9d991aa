"""The web server as people configure it, on one host: a path, TLS, one address, a low port, a proxy, and back."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import yaml
from support.lab_cluster import Cluster
from support.saved_clusters import Provisioned

from toolkit.cluster import Cluster as Inventory

HOST = "e2eone1"
FILES = "/etc/ssl/airflow"


def checks(cluster: Cluster) -> dict[str, bool]:
    return {one["id"]: one["ok"] for one in cluster.json("verify")["checks"]}


def certificate(single: Provisioned, directory: Path, name: str) -> Path:
    """Put a self-signed certificate and its key, which only root can read, on the host."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", directory / "key.pem",
         "-out", directory / "cert.pem", "-days", "2", "-subj", "/CN=e2e", "-addext", f"subjectAltName={name}"],
        check=True, capture_output=True,
    )  # fmt: skip
    for file in ("cert.pem", "key.pem"):
        text = (directory / file).read_text()
        single.ssh(HOST, f"mkdir -p {FILES}; umask 077; cat > {FILES}/{file} <<'END'\n{text}END\n")
    single.ssh(HOST, f"chmod 644 {FILES}/cert.pem")
    return directory / "cert.pem"


def refused(cluster: Cluster, finding: str) -> str:
    """What `check` says of one error."""
    found = cluster.json("check", expect=2)["findings"]
    return next(f"{one['what']} {one['fix']}" for one in found if one["id"] == finding)


def test_a_path_tls_one_address_and_a_low_port_at_once_and_back(
    single: Provisioned, tmp_path: Path
) -> None:
    address = Inventory.load(single.directory).web.base_address
    tls = {"ssl_cert": f"{FILES}/cert.pem", "ssl_key": f"{FILES}/key.pem"}
    settings: dict[str, Any] = {
        "airflow_base_url": f"https://{address}/airflow/",
        "airflow_web_host": address,
        "airflow_web_port": 443,
        "airflow_config": {"api": tls},
    }
    single.set(yaml.safe_dump(settings))
    assert "is not there" in refused(single, "web.certificate")
    certificate(single, tmp_path, "DNS:elsewhere.example.com")
    assert "chgrp airflow" in refused(single, "web.certificate")
    single.ssh(HOST, f"chgrp airflow {FILES}/key.pem; chmod 640 {FILES}/key.pem")
    assert "elsewhere.example.com" in refused(single, "web.certificate")
    trusted = certificate(single, tmp_path, f"IP:{address}")
    single.ssh(HOST, f"chgrp airflow {FILES}/key.pem; chmod 640 {FILES}/key.pem")
    single.set(yaml.safe_dump({**settings, "base_ca_certificates": [str(trusted)]}))
    assert single.json("provision")["url"] == f"https://{address}/airflow"
    # Signed in by the public URL, from here: the certificate is trusted.
    found = checks(single)
    assert found["web.sign_in"] and "web.unreached" not in found and "web.untrusted" not in found
    assert "443" in single.ssh(HOST, "ss -Hltn 'sport = :443'")
    assert "'version': '3" in single.toolkit("airflowctl", "--", "version", "--remote").stdout

    single.set("")
    assert single.json("provision")["url"] == f"http://{address}:8080"
    unit = single.ssh(HOST, "systemctl cat airflow-api-server; cat /etc/airflow/airflow.cfg")
    assert "CAP_NET_BIND" not in unit and "ssl_cert" not in unit
    assert "cert.crt" not in single.ssh(HOST, "ls /usr/local/share/ca-certificates")
    assert single.json("provision", "--no-verify")["changes"] == []


def test_a_web_ui_that_is_closed_to_this_machine_is_said_with_the_tunnel(
    single: Provisioned,
) -> None:
    """Packets from outside are dropped, as by a security group."""
    single.ssh(
        HOST,
        "apt-get -qq update && apt-get -qq install -y nftables >/dev/null 2>&1 && /usr/sbin/nft -f - <<'X'\n"
        "table inet t {\nchain i {\ntype filter hook input priority 0\n"
        'iifname != "lo" tcp dport 8080 reject\n}\n}\nX\n',
    )
    try:
        said = single.toolkit("verify").stdout
    finally:
        single.ssh(HOST, "/usr/sbin/nft flush ruleset")
    assert "web.unreached" in said
    assert "ssh -N -L 8080:127.0.0.1:8080" in said
