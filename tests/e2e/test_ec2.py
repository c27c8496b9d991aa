"""From an empty AWS account to a DAG that ran, a worker more, a worker less, and back to nothing."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from aws import ACCOUNT, REGION, Aws, aws
from conftest import TOOLKIT, Cluster

EC2 = """
region: {region}
vpc: {vpc}
image: lab-debian-12-*
image_owner: "{account}"
login_user: admin
address: private
access: [10.90.0.0/16]
ca_certificates: [ca.pem]
instances:
  main: {{groups: [metadata_db, broker, scheduler, webserver], type: t3.large}}
  worker: {{groups: [worker], type: t3.medium, count: {workers}}}
"""


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    with aws(tmp_path_factory.mktemp("aws"), f"e2eec2-{os.getpid()}") as made:
        yield made


@pytest.fixture(scope="module")
def cluster(account: Aws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    more = account.environment | {
        "COLUMNS": "200",
        "XDG_STATE_HOME": str(tmp_path_factory.mktemp("state")),
    }
    with pytest.MonkeyPatch.context() as patch:
        # Here too: whoever reads this inventory asks AWS.
        for name, value in more.items():
            patch.setenv(name, value)
        directory = tmp_path_factory.mktemp("inventory") / "prod"
        subprocess.run([TOOLKIT, "init", directory, "--sample", "ec2"], check=True)
        _certificate(directory / "ca.pem")
        yield Cluster(directory, dict(os.environ))


def _certificate(path: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", "/dev/null", "-out", path, "-days", "2", "-subj", "/CN=Test of user data"],
        check=True, capture_output=True,
    )  # fmt: skip


def _workers(cluster: Cluster, account: Aws, number: int) -> None:
    vpc = account.ec2.describe_subnets(SubnetIds=[account.subnet])["Subnets"][0]["VpcId"]
    text = EC2.format(region=REGION, vpc=vpc, account=ACCOUNT, workers=number)
    (cluster.directory / "ec2.yml").write_text(text)


def _ec2(
    cluster: Cluster, account: Aws, verb: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [TOOLKIT, "ec2", verb, "-i", cluster.directory, *arguments],
        env=cluster.environment, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    print(done.stdout, done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not account.broken, account.broken
    return done


def _canaries(cluster: Cluster) -> set[str]:
    checks = cluster.json("verify")["checks"]
    return {one["host"] for one in checks if one["name"] == "canary DAG" and one["ok"]}


def test_from_an_account_to_a_cluster_and_back(cluster: Cluster, account: Aws) -> None:
    _workers(cluster, account, 1)
    made = _ec2(cluster, account, "up")
    assert "main1: ready\n" in made.stderr and "worker1: ready\n" in made.stderr
    assert "accepted its host key on first use" in made.stderr
    assert f"next: toolkit provision -i {cluster.directory}" in made.stdout
    assert "Test of user data" in cluster.ssh(
        "worker1", "openssl x509 -noout -subject -in /etc/ssl/certs/user-data.pem"
    )
    done = cluster.toolkit("provision")
    print(done.stdout, done.stderr)
    assert "the canary DAG ran" in done.stdout
    assert _canaries(cluster) == {"worker1"}

    _workers(cluster, account, 2)
    _ec2(cluster, account, "up")
    cluster.toolkit("provision")
    assert _canaries(cluster) == {"worker1", "worker2"}

    _workers(cluster, account, 1)
    fewer = _ec2(cluster, account, "up", "--yes")
    assert "worker2: draining" in fewer.stderr
    cluster.toolkit("provision")
    assert _canaries(cluster) == {"worker1"}
    assert cluster.json("status")["ok"]

    _ec2(cluster, account, "stop")
    assert "unreachable" in cluster.toolkit("status", expect=1).stdout.lower()
    _ec2(cluster, account, "start")
    assert _canaries(cluster) == {"worker1"}

    _ec2(cluster, account, "down", "--confirm", "prod")
    assert account.left() == []
