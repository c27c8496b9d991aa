"""The policy in docs/ec2.md allows what is called, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

from support.cloud import EC2, REGION, Cloud
from support.managed import MANAGED

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/ec2.md"
UNSEEN = {
    "ec2:CreateTags",
    "elasticache:AddTagsToResource",
    "iam:CreateServiceLinkedRole",
    "iam:PassRole",
    "rds:AddTagsToResource",
    "rds:CreateDBSnapshot",
}
"""Asked by AWS beside RunInstances and the like (its API reference); moto does not ask."""


def documented() -> set[str]:
    block = re.search(r"```json\n(\{.*?\n\})\n```", DOCUMENT.read_text(), re.DOTALL)
    assert block
    return {action for one in json.loads(block[1])["Statement"] for action in one["Action"]}


def test_the_policy_is_what_is_called(cloud: Cloud) -> None:
    from toolkit.cluster import Cluster
    from toolkit.providers.ec2 import trust
    from toolkit.providers.ec2.account import sign_in
    from toolkit.providers.ec2.apply import wait_healthy

    cloud.set(EC2 + "address: elastic\n")
    cloud.up()
    Cluster.load(cloud.directory)  # asks ansible-inventory, which asks AWS
    cloud.set(EC2.replace("count: 2", "count: 1").replace("203.0.113.7", "203.0.113.8"))
    cloud.up("--yes", "--no-drain")
    cloud.set(EC2.replace("[worker]", "[worker, webserver]"))
    cloud.up("--yes", "--no-drain")
    cloud.toolkit("down", "--confirm", "prod")
    cloud.set(MANAGED)
    (cloud.directory / "rds-ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    cloud.up()
    cloud.toolkit("stop")
    cloud.toolkit("start", "--no-wait")
    # What waiting for hosts that answer calls besides.
    account, instance = sign_in(None, REGION), cloud.instances()["worker1"][0]["InstanceId"]
    wait_healthy(account, {"worker1": instance})
    trust.from_console(account, "10.0.0.1", instance)
    cloud.toolkit("down", "--confirm", "prod")
    called = {call.action for call in cloud.front.calls}
    assert called | UNSEEN == documented()
