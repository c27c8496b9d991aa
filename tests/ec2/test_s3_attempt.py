"""What S3 refuses, asked by the program that runs on hosts; the answers are moto's."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from support.cloud import REGION, Front

from toolkit.checks.remote_logs import remedy
from toolkit.hosts.canary import Denied
from toolkit.onhost.in_airflow.s3 import attempt

ALL = ["s3:ListBucket", "s3:PutObject", "s3:GetObject"]


@pytest.fixture
def s3(front: Front, moto: int) -> Any:
    """A client of an account with one bucket."""
    assert front.calls == []
    client = boto3.client("s3", region_name=REGION, endpoint_url=f"http://127.0.0.1:{moto}")
    client.create_bucket(Bucket="my-logs", CreateBucketConfiguration={"LocationConstraint": REGION})
    return client


@pytest.mark.parametrize("folder", ["s3://my-logs", "s3://my-logs/prod"])
def test_nothing_is_refused(s3: Any, folder: str) -> None:
    assert attempt(s3, folder, ALL) is None
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket="my-logs")["Contents"]]
    assert keys == [f"{folder}/dag_id=toolkit_canary/verify.log".removeprefix("s3://my-logs/")]


def test_who_only_reads_may_find_nothing(s3: Any) -> None:
    assert attempt(s3, "s3://my-logs/prod", ["s3:ListBucket", "s3:GetObject"]) is None


def test_a_bucket_that_is_not_there(s3: Any) -> None:
    failed = attempt(s3, "s3://no-logs/prod", ALL)
    assert failed["action"] == "s3:ListBucket"
    assert failed["code"] == "NoSuchBucket"
    assert "aws s3 mb s3://no-logs" in remedy(Denied(**failed), "s3://no-logs/prod")


def test_nobody_answers() -> None:
    client = boto3.client("s3", region_name=REGION, endpoint_url="http://127.0.0.1:9",
                          aws_access_key_id="x", aws_secret_access_key="x")  # fmt: skip
    failed = attempt(client, "s3://my-logs/prod", ALL)
    assert failed["code"] == "EndpointConnectionError"
    assert "gateway endpoint" in remedy(Denied(**failed), "s3://my-logs/prod")


@pytest.mark.usefixtures("s3")
def test_no_credentials(monkeypatch: pytest.MonkeyPatch, moto: int) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    client = boto3.Session().client(
        "s3", region_name=REGION, endpoint_url=f"http://127.0.0.1:{moto}"
    )
    failed = attempt(client, "s3://my-logs/prod", ALL)
    assert failed["code"] == "NoCredentialsError"
    assert "instance_profile" in remedy(Denied(**failed), "s3://my-logs/prod")
