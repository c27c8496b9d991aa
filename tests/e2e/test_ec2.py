"""From an empty AWS account to a DAG that ran, a worker more, a worker less, and back to nothing."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.aws import ACCOUNT, REGION, Aws, aws
from support.instance_role import BUCKET, PREFIX, allow, documented, metadata_service
from support.lab_cluster import TOOLKIT, Cluster

from toolkit.cluster import Cluster as Inventory
from toolkit.onhost.canary import Api

EC2 = """
region: {region}
vpc: {vpc}
image: lab-debian-12-*
image_owner: "{account}"
login_user: admin
address: private
access: [10.90.0.0/16]
ca_certificates: [ca.pem]
instance_profile: airflow
instances:
  main: {{groups: [metadata_db, broker, scheduler, webserver], type: t3.large}}
  worker: {{groups: [worker], type: t3.medium, count: {workers}}}
"""


# What a user writes is the first two lines; the others stand for AWS.
SETTINGS = f"""
airflow_remote_log_folder: s3://{BUCKET}/{PREFIX}
airflow_aws_region: {REGION}
airflow_aws_endpoint_url: {{url}}
airflow_environment: {{{{AWS_EC2_METADATA_SERVICE_ENDPOINT: "http://{{gateway}}:{{port}}"}}}}
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
        made = Cluster(directory, dict(os.environ))
        with metadata_service(account.setup, account.has_profile) as port:
            made.set(SETTINGS.format(url=account.inside_url, gateway=account.gateway, port=port))
            yield made


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
    account.settle()
    assert not account.broken, account.broken
    return done


def _canaries(checks: list[dict[str, Any]]) -> set[str]:
    """The hosts on which a DAG ran, whose logs the web UI then showed from S3."""
    ran, shown = (
        {one["host"] for one in checks if one["name"] == name and one["ok"]}
        for name in ("canary DAG", "remote logs")
    )
    assert ran == shown
    return ran


def _a_dag_uses_s3(cluster: Cluster, account: Aws) -> None:
    """Its task needs no key, and its log is shown although S3 alone has it."""
    dag = base64.b64encode((Path(__file__).parent / "dags/uses_s3.py").read_bytes()).decode()
    for host in ("main1", "worker1"):
        cluster.ssh(host, f"echo {dag} | base64 -d > /var/lib/airflow/dags/current/uses_s3.py")
    cluster.reserialize("main1")
    cluster.toolkit("airflow", "--", "dags", "trigger", "uses_s3", "--run-id", "one")
    key = f"{PREFIX}/dag_id=uses_s3/run_id=one/task_id=count/attempt=1.log"
    account.client("s3").get_waiter("object_exists").wait(
        Bucket=BUCKET, Key=key, WaiterConfig={"Delay": 1, "MaxAttempts": 120}
    )
    cluster.ssh("worker1", "rm -r /var/log/airflow/dag_id=uses_s3")
    api = Api({"api_prefix": "/api/v2", "url": "", "authorities": [], "username": "admin",
               "password": cluster.vault()["airflow_admin_password"]})  # fmt: skip
    api.root = f"http://{Inventory.load(cluster.directory).host('main1').address}:8080"
    assert api.sign_in() == 200
    path = "/api/v2/dags/uses_s3/dagRuns/one/taskInstances/count/logs/1"
    status, log = api.call("GET", path)
    assert status == 200, log
    lines = [line["event"] for line in log["content"]]
    assert f"s3://{BUCKET}/{key}" in lines
    assert any(re.fullmatch(r"the bucket holds \d+ logs", line) for line in lines), lines


def _no_keys_on(cluster: Cluster, account: Aws, *hosts: str) -> None:
    """Neither the role's keys nor the administrator's stand in a file."""
    role, admin = account.setup.role, account.setup.admin
    keys = [role.id, role.secret, str(role.token), admin.id, admin.secret]
    for host in hosts:
        for wanted, found in ((BUCKET,), "/etc/airflow/airflow.cfg\n"), (keys, ""):
            patterns = " ".join(f"-e '{one}'" for one in wanted)
            told = cluster.ssh(
                host, f"grep -rlaFs {patterns} /etc /home /root /run /srv /tmp /var; echo end"
            )
            assert found in told and told.endswith("end\n")
            assert found or told == "end\n"


def _refused_upload(cluster: Cluster, account: Aws) -> None:
    """A role that may not write: the canary runs, and the line says which permission is missing."""
    iam = account.client("iam")
    allow(iam, [one for one in documented()["Statement"] if "s3:PutObject" not in one["Action"]])
    said = {one["name"]: one for one in cluster.json("verify", expect=1)["checks"]
            if one["host"] == "worker1"}  # fmt: skip
    assert said["canary DAG"]["ok"]
    assert not said["remote logs"]["ok"]
    arn = f"arn:aws:s3:::{BUCKET}/{PREFIX}/*"
    assert f"AccessDenied for s3:PutObject on {arn}" in said["remote logs"]["detail"]
    assert (
        f'"Action": ["s3:PutObject", "s3:GetObject"], "Resource": "{arn}"'
        in said["remote logs"]["fix"]
    )
    allow(iam, documented()["Statement"])


def _running_since(cluster: Cluster) -> str:
    """When what a worker more or less does not concern has started."""
    # Airflow's units of the scheduler's host start again: parallelism is the sum of the workers' slots.
    return cluster.ssh(
        "main1", "systemctl show -p Id,ActiveEnterTimestamp postgresql@15-main redis-server"
    )


@pytest.mark.extended
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
    checks = json.loads((cluster.last_run() / "checks.json").read_text())
    assert _canaries(checks) == {"worker1"}
    _a_dag_uses_s3(cluster, account)
    _no_keys_on(cluster, account, "main1", "worker1")
    _refused_upload(cluster, account)

    _ec2(cluster, account, "stop")
    assert "unreachable" in cluster.toolkit("status", expect=1).stdout.lower()
    _ec2(cluster, account, "start")
    assert _canaries(cluster.json("verify")["checks"]) == {"worker1"}
    _down(cluster, account)


@pytest.mark.extended
def test_a_worker_more_and_a_worker_less(cluster: Cluster, account: Aws) -> None:
    _workers(cluster, account, 1)
    _ec2(cluster, account, "up")
    cluster.toolkit("provision", "--no-verify")

    since = _running_since(cluster)
    _workers(cluster, account, 2)
    _ec2(cluster, account, "up")
    assert _canaries(cluster.json("provision")["checks"]) == {"worker1", "worker2"}

    _workers(cluster, account, 1)
    fewer = _ec2(cluster, account, "up", "--yes")
    assert "worker2: draining" in fewer.stderr
    assert _canaries(cluster.json("provision")["checks"]) == {"worker1"}
    assert cluster.json("status")["ok"]
    assert _running_since(cluster) == since
    _down(cluster, account)


def _down(cluster: Cluster, account: Aws) -> None:
    _ec2(cluster, account, "down", "--confirm", "prod")
    assert account.left() == []
