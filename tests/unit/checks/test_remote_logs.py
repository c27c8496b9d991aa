"""Whether logs got to S3 and back, from the answers of the canary and of S3; no host needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.preflight_data import CELERY, SINGLE, make_cluster

from toolkit.checks.proof import Proof
from toolkit.checks.remote_logs import proofs, remedy
from toolkit.cluster import Cluster
from toolkit.hosts.canary import S3, Canary, Denied, TaskLog
from toolkit.verbs.verify import refusals

FOLDER = "s3://my-logs/prod"
KEY = f"{FOLDER}/dag_id=toolkit_canary/run_id=r/task_id=bash/attempt=1.log"
THERE = TaskLog(KEY)
MISSING = TaskLog(None, 200, "/var/log/airflow/x.log")
DENIED = Denied("s3:PutObject", "AccessDenied", "Access Denied")


def cluster_of(tmp_path: Path, hosts: Any = CELERY, folder: str = FOLDER) -> Cluster:
    return make_cluster(tmp_path, hosts, airflow_remote_log_folder=folder)


def proved(cluster: Cluster, logs: dict[str, TaskLog], **refused: S3) -> dict[str, Proof]:
    found = list(proofs(cluster, Canary(logs=logs), refused))
    assert {proof.name for proof in found} == {"remote logs"}
    return {proof.host: proof for proof in found}


def logs_of(*hosts: str) -> dict[str, TaskLog]:
    return {f"{kind}_on_{host}": THERE for kind in ("bash", "python") for host in hosts}


def test_nothing_is_said_when_logs_stay_on_the_hosts(tmp_path: Path) -> None:
    assert list(proofs(cluster_of(tmp_path, folder=""), Canary(state="success"), {})) == []


def test_every_worker_has_a_line(tmp_path: Path) -> None:
    found = proved(cluster_of(tmp_path), logs_of("w1", "w2"))
    assert {host: proof.ok for host, proof in found.items()} == {"w1": True, "w2": True}
    assert FOLDER in found["w1"].detail


def test_without_workers_the_scheduler_has_one(tmp_path: Path) -> None:
    found = proved(cluster_of(tmp_path, SINGLE), {"bash": THERE, "python": THERE})
    assert found["h1"].ok


def test_a_canary_that_failed_proves_nothing(tmp_path: Path) -> None:
    found = list(proofs(cluster_of(tmp_path, SINGLE), Canary(state="failed"), {}))
    assert [proof.ok for proof in found] == [False]
    assert "did not succeed" in found[0].detail


def test_what_s3_refuses_a_worker_is_named_with_the_statement(tmp_path: Path) -> None:
    logs = logs_of("w1", "w2") | {"python_on_w2": MISSING}
    found = proved(cluster_of(tmp_path), logs, w2=S3(DENIED), a1=S3())
    assert found["w1"].ok and not found["w2"].ok
    assert "s3:PutObject on arn:aws:s3:::my-logs/prod/*" in found["w2"].detail
    assert '"Resource": "arn:aws:s3:::my-logs/prod/*"' in found["w2"].fix
    assert '"Action": ["s3:ListBucket"], "Resource": "arn:aws:s3:::my-logs"' in found["w2"].fix


def test_what_s3_refuses_the_web_server_is_told_for_it(tmp_path: Path) -> None:
    listing = S3(replace(DENIED, action="s3:ListBucket"))
    proof = proved(cluster_of(tmp_path), {"bash_on_w1": MISSING}, w1=S3(), a1=listing)["w1"]
    assert proof.detail.startswith(
        "a1 gets AccessDenied for s3:ListBucket on arn:aws:s3:::my-logs:"
    )


def test_a_log_that_is_missing_for_no_reason_of_s3(tmp_path: Path) -> None:
    proof = proved(cluster_of(tmp_path), {"bash_on_w1": MISSING}, w1=S3())["w1"]
    assert "refuses nothing" in proof.detail and MISSING.text in proof.detail
    assert "journalctl" in proof.fix


@pytest.mark.parametrize(
    ("code", "needle"),
    [
        ("NoSuchBucket", "aws s3 mb s3://my-logs"),
        ("NoCredentialsError", "instance_profile"),
        ("PermanentRedirect", "airflow_aws_region"),
        ("EndpointConnectionError", "gateway endpoint"),
        ("InvalidAccessKeyId", "airflow_environment"),
        ("SlowDown", "airflow_remote_log_folder"),
    ],
)
def test_every_cause_has_a_remedy(code: str, needle: str) -> None:
    assert needle in remedy(Denied("s3:PutObject", code, "x"), FOLDER)


def test_a_key_of_kms_is_asked_for_too() -> None:
    said = "User: arn:aws:sts::1:x is not authorized to perform: kms:GenerateDataKey on resource: y"
    assert "kms:GenerateDataKey" in remedy(replace(DENIED, text=said), FOLDER)


class Remote:
    """Remembers who was asked what."""

    def __init__(self) -> None:
        self.asked: dict[str, list[str]] = {}

    def run_script(self, host: Any, _: str, payload: Any, **__: Any) -> dict[str, Any]:
        self.asked[host.name] = payload["actions"]
        return {"failed": None}


def test_s3_is_asked_only_where_a_log_is_missing(tmp_path: Path) -> None:
    cluster, remote = cluster_of(tmp_path), Remote()
    assert refusals(cluster, remote, Canary(logs=logs_of("w1", "w2"))) == {}  # type: ignore[arg-type]
    assert refusals(cluster, remote, Canary(state="failed")) == {}  # type: ignore[arg-type]
    assert remote.asked == {}
    refusals(cluster, remote, Canary(logs=logs_of("w1")))  # type: ignore[arg-type]
    assert remote.asked == {
        "w2": ["s3:ListBucket", "s3:PutObject", "s3:GetObject"],
        "a1": ["s3:ListBucket", "s3:GetObject"],
    }
