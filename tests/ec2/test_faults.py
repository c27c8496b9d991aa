"""AWS says no, in the ways it does: what a person is told, and that the next run mends it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from support.cloud import ALL, EC2, HOSTS, NOTHING, REGION, Answer, Call, Cloud, Dropped

from toolkit.errors import ToolkitError

Fault = Callable[[Call], None]


def once(action: str, fault: Exception, *, at: int = 1, times: int = 1) -> Fault:
    """Raise the fault at the at-th call of an action and the next ones, `times` in all."""
    seen = 0

    def before(call: Call) -> None:
        nonlocal seen
        if call.action == f"ec2:{action}":
            seen += 1
            if at <= seen < at + times:
                raise fault

    return before


def from_then_on(action: str, fault: Exception) -> Fault:
    """Raise the fault at the first call of an action and at every call after it."""
    begun = False

    def before(call: Call) -> None:
        nonlocal begun
        begun = begun or call.action == f"ec2:{action}"
        if begun:
            raise fault

    return before


def test_throttling_is_waited_out(cloud: Cloud) -> None:
    cloud.front.before = once("RunInstances", Answer("RequestLimitExceeded", status=503), times=2)
    cloud.up()
    assert cloud.whole() == ALL
    tokens = [
        c.parameters["ClientToken"] for c in cloud.front.calls if c.action == "ec2:RunInstances"
    ]
    assert len(tokens) == 6 and len(set(tokens)) == 4


def test_throttling_without_end_is_told(cloud: Cloud) -> None:
    cloud.front.before = from_then_on("RunInstances", Answer("RequestLimitExceeded", status=503))
    assert "AWS throttles RunInstances" in cloud.up(expect=1).stderr


def test_another_subnet_where_a_zone_is_full(cloud: Cloud) -> None:
    cloud.front.before = once("RunInstances", Answer("InsufficientInstanceCapacity"))
    assert "no capacity for t3.medium; trying the next subnet" in cloud.up().stderr
    zones = {host: found[0]["Placement"]["AvailabilityZone"][-1]
             for host, found in cloud.instances().items()}  # fmt: skip
    assert zones == {"data1": "b", "airflow1": "a", "worker1": "a", "worker2": "a"}
    assert cloud.whole() == ALL


def test_no_subnet_has_capacity(cloud: Cloud) -> None:
    full = Answer("InsufficientInstanceCapacity")
    cloud.front.before = once("RunInstances", full, at=4, times=9)
    done = cloud.up(expect=1)
    assert "no subnet has capacity" in done.stderr and "fix:" in done.stderr
    cloud.front.reset()
    cloud.up()
    assert cloud.whole() == ALL


def test_an_instance_that_ends_while_it_is_waited_for(cloud: Cloud) -> None:
    def after(call: Call) -> None:
        if call.action == "ec2:RunInstances" and len(cloud.instances()) == 2:
            [one] = cloud.instances()["airflow1"]
            cloud.ec2.terminate_instances(InstanceIds=[one["InstanceId"]])
            cloud.front.after = lambda _: None

    cloud.front.after = after
    done = cloud.up(expect=1)
    assert "airflow1 (i-" in done.stderr and "is terminated: " in done.stderr
    cloud.front.reset()
    cloud.up()
    assert cloud.whole() == ALL


def test_an_instance_that_ends_before_its_status_checks(cloud: Cloud) -> None:
    from toolkit.providers.ec2.account import sign_in
    from toolkit.providers.ec2.apply import wait_healthy

    cloud.up()
    ids = {host: found[0]["InstanceId"] for host, found in cloud.instances().items()}
    account = sign_in(None, REGION)
    wait_healthy(account, ids)
    cloud.ec2.terminate_instances(InstanceIds=[ids["worker1"]])
    with pytest.raises(ToolkitError, match=r"worker1 .* is terminated"):
        wait_healthy(account, ids)


def test_a_key_pair_with_another_key(cloud: Cloud) -> None:
    cloud.ec2.create_key_pair(KeyName="toolkit-prod", KeyType="ed25519")
    (cloud.directory / ".ssh-key").write_text("private")
    (cloud.directory / ".ssh-key.pub").write_text("ssh-ed25519 AAAAmine me")
    done = cloud.up(expect=2)
    assert "key pair toolkit-prod exists in AWS with another key" in done.stderr
    assert "aws ec2 delete-key-pair --key-name toolkit-prod" in done.stderr
    assert cloud.front.changes() == []


def test_a_key_pair_that_does_not_exist(cloud: Cloud) -> None:
    cloud.set(EC2 + "key_pair: mine\nkey_file: ~/.ssh/none\n")
    done = cloud.up(expect=2)
    assert "there is no private key" in done.stderr
    assert cloud.front.changes() == []


def test_a_quota(cloud: Cloud) -> None:
    said = Answer("VcpuLimitExceeded", "You have requested more vCPU capacity than your limit")
    cloud.front.before = once("RunInstances", said, at=3)
    done = cloud.up(expect=1)
    assert "AWS refused RunInstances (VcpuLimitExceeded)" in done.stderr
    assert "Service Quotas" in done.stderr
    assert len(cloud.instances()) == 2
    cloud.front.reset()
    cloud.up()
    assert cloud.whole() == ALL


@pytest.mark.parametrize(
    "action", ["ImportKeyPair", "AuthorizeSecurityGroupIngress", "RunInstances"]
)
def test_the_api_goes_down_in_the_middle_of_up(cloud: Cloud, action: str) -> None:
    cloud.front.before = from_then_on(action, Dropped())
    done = cloud.up(expect=1)
    assert "AWS cannot be reached" in done.stderr
    assert "run the same command again to continue" in done.stderr
    cloud.front.reset()
    cloud.up()
    assert cloud.whole() == ALL


@pytest.mark.parametrize("action", ["TerminateInstances", "DeleteSecurityGroup", "DeleteKeyPair"])
def test_the_api_goes_down_in_the_middle_of_down(cloud: Cloud, action: str) -> None:
    cloud.up()
    cloud.front.before = from_then_on(action, Dropped())
    assert "AWS cannot be reached" in cloud.toolkit("down", "--confirm", "prod", expect=1).stderr
    cloud.front.reset()
    cloud.toolkit("down", "--confirm", "prod")
    assert cloud.whole() == NOTHING


def test_credentials_expire_half_way(cloud: Cloud) -> None:
    cloud.front.before = from_then_on("CreateSecurityGroup", Answer("RequestExpired"))
    done = cloud.up(expect=1)
    assert "the AWS credentials have expired" in done.stderr
    assert "aws sso login" in done.stderr
    cloud.front.reset()
    cloud.up()
    assert sorted(cloud.instances()) == HOSTS
    assert cloud.whole() == ALL


def test_a_missing_permission_names_the_statement(cloud: Cloud) -> None:
    said = Answer(
        "UnauthorizedOperation",
        "You are not authorized to perform this operation. User: arn:aws:iam::1:user/kim is not "
        "authorized to perform: ec2:RunInstances on resource: arn:aws:ec2:eu-central-1:1:subnet/* "
        "because no identity-based policy allows the ec2:RunInstances action",
        403,
    )
    cloud.front.before = once("RunInstances", said)
    done = cloud.up(expect=1)
    resource = "arn:aws:ec2:eu-central-1:1:subnet/*"
    assert f"may not do ec2:RunInstances on {resource}" in done.stderr
    statement = {"Effect": "Allow", "Action": "ec2:RunInstances", "Resource": resource}
    assert json.dumps(statement) in done.stderr


def test_no_credentials(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    done = cloud.toolkit("plan", expect=2)
    assert "no credentials for AWS" in done.stderr and "aws configure" in done.stderr
    assert "profile" in cloud.toolkit("plan", "--profile", "none", expect=2).stderr


def test_no_way_to_aws(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert "AWS cannot be reached" in cloud.toolkit("plan", expect=1).stderr


def test_a_security_group_in_use_by_somebody_else(cloud: Cloud) -> None:
    cloud.up()
    cloud.front.before = once("DeleteSecurityGroup", Answer("DependencyViolation"), times=9)
    done = cloud.toolkit("down", "--confirm", "prod", expect=1)
    assert "something that the toolkit did not make uses it" in done.stderr
