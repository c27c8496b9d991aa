"""Waiting for AWS: botocore's waiters, and those that it lacks, in its own form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolkit.providers.ec2.account import Account

DELAY = 5
"""Seconds between two questions."""

_GONE = ("shutting-down", "terminated", "stopping", "stopped")
_ENDED: list[Mapping[str, Any]] = [
    {"state": "failure", "matcher": "pathAny", "expected": state,
     "argument": "InstanceStatuses[].InstanceState.Name"}
    for state in _GONE
]  # fmt: skip
# AWS' own instance_status_ok waits ten minutes for an instance that has ended: it asks only for
# those that run. AWS has no waiter for when the last interface has left a security group, or
# when an RDS instance has stopped.
_MODEL: Mapping[str, Any] = {
    "version": 2,
    "waiters": {
        "StatusOk": {
            "operation": "DescribeInstanceStatus",
            "delay": DELAY,
            "maxAttempts": 180,
            "acceptors": [
                *_ENDED,
                {"state": "success", "matcher": "path", "expected": True,
                 "argument": "length(InstanceStatuses) > `0` && length(InstanceStatuses["
                    "?InstanceStatus.Status != 'ok' || SystemStatus.Status != 'ok']) == `0`",
                },
                {"state": "retry", "matcher": "error", "expected": "InvalidInstanceID.NotFound"},
            ],
        },
        "InterfacesGone": {
            "operation": "DescribeNetworkInterfaces",
            "delay": DELAY,
            "maxAttempts": 24,
            "acceptors": [{"state": "success", "matcher": "path", "expected": True,
                           "argument": "length(NetworkInterfaces) == `0`"}],
        },
        "DatabaseStopped": {
            "operation": "DescribeDBInstances",
            "delay": DELAY,
            "maxAttempts": 360,
            "acceptors": [{"state": "success", "matcher": "pathAll", "expected": "stopped",
                           "argument": "DBInstances[].DBInstanceStatus"}],
        },
    },
}  # fmt: skip


def wait(account: Account, name: str, service: str = "ec2", **arguments: Any) -> None:
    """Wait with a waiter of a service's client or of ours.

    Raises:
        botocore.exceptions.WaiterError: it will not come about, or did not in time.
    """
    if name in _MODEL["waiters"]:
        from botocore.waiter import WaiterModel, create_waiter_with_client

        client = account.client(service)
        waiter = create_waiter_with_client(name, WaiterModel(dict(_MODEL)), client)
        waiter.wait(**arguments)
    else:
        # Ten minutes; half an hour for a server that AWS runs.
        limits = {"Delay": DELAY, "MaxAttempts": 120 if service == "ec2" else 360}
        account.client(service).get_waiter(name).wait(WaiterConfig=limits, **arguments)
