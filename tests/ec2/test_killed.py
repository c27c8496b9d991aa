"""`up` and `down` killed (SIGKILL) at each of their calls in turn, just before AWS has it and just
after: the next run continues, and nothing is doubled, lost or left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import urllib.request
from collections.abc import Callable

import pytest
from cloud import ACCESS, NOTHING, REGION, Call, Cloud, Dropped

SMALL = f"""
region: {REGION}
image: al2023
address: elastic
access: [{ACCESS}]
instances:
  main: {{groups: [metadata_db, broker, scheduler, webserver], type: t3.medium}}
  worker: {{groups: [worker], type: t3.small}}
"""
ALL = {
    "instances": 2,
    "hosts": 2,
    "volumes": 2,
    "groups": 3,
    "rules": 7,
    "addresses": 2,
    "key pairs": 1,
}
# Forked from a process that has everything imported: a run takes a tenth of what it would.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["boto3", "toolkit.commands.ec2", "toolkit.ec2.up", "toolkit.rules"]
)


def _toolkit(arguments: list[str], environment: dict[str, str]) -> None:
    from toolkit.cli import main

    os.environ.clear()
    os.environ.update(environment)
    main(arguments)


def run_and_kill(cloud: Cloud, number: int, when: str, *arguments: str) -> bool:
    """Run `toolkit ec2` in a process of its own and kill it at its call of that number.

    Returns:
        Whether it came that far.
    """
    cloud.front.reset()
    process = PROCESSES.Process(
        target=_toolkit,
        args=(["ec2", *arguments, "-i", str(cloud.directory)], dict(os.environ)),
    )

    def kill(_: Call) -> None:
        if len(cloud.front.calls) == number:
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
            raise Dropped

    setattr(cloud.front, when, kill)
    process.start()
    process.join(60)
    cloud.front.before = cloud.front.after = lambda _: None
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode == -signal.SIGKILL


def calls_of(cloud: Cloud, work: Callable[[], object]) -> list[tuple[int, Call]]:
    """The numbered calls of an undisturbed run."""
    cloud.front.calls.clear()
    work()
    return list(enumerate(cloud.front.calls, start=1))


def moments(calls: list[tuple[int, Call]]) -> list[tuple[int, str]]:
    """When to kill; a call that only reads leaves the same behind before and after."""
    return [(number, "before") for number, _ in calls] + [
        (number, "after") for number, call in calls if call.changes
    ]


def empty(cloud: Cloud) -> None:
    urllib.request.urlopen(f"http://127.0.0.1:{cloud.moto}/moto-api/reset", data=b"").close()


@pytest.fixture
def small(cloud: Cloud) -> Cloud:
    cloud.set(SMALL)
    return cloud


def test_up(small: Cloud) -> None:
    calls = calls_of(small, small.up)
    assert small.whole() == ALL
    assert len(calls) > 20
    assert len([call for _, call in calls if call.changes]) == 1 + 3 + 7 + 2 + 2 * 2
    for number, when in moments(calls):
        empty(small)
        assert run_and_kill(small, number, when, "up", "--no-wait"), (number, when)
        small.up()
        assert small.whole() == ALL, (number, when, calls[number - 1])
        assert small.json("plan")["actions"] == [], (number, when)


def test_down(small: Cloud) -> None:
    confirmed = ["down", "--confirm", "prod"]
    small.up()
    calls = calls_of(small, lambda: small.toolkit(*confirmed))
    assert small.whole() == NOTHING
    assert len([call for _, call in calls if call.changes]) == 1 + 2 + 3 + 1
    for number, when in moments(calls):
        small.up()
        assert run_and_kill(small, number, when, *confirmed), (number, when)
        small.toolkit(*confirmed)
        assert small.whole() == NOTHING, (number, when, calls[number - 1])


def test_a_launch_that_aws_does_not_show_yet_is_not_launched_again(small: Cloud) -> None:
    """The tags do not help then; AWS tells by the client token (moto does not look at it)."""
    calls = calls_of(small, small.up)
    launch, first = next((n, call) for n, call in calls if call.action == "ec2:RunInstances")
    assert first.parameters["ClientToken"]
    empty(small)
    assert run_and_kill(small, launch, "after", "up", "--no-wait")
    token = small.front.calls[-1].parameters["ClientToken"]
    assert token != first.parameters["ClientToken"]

    def not_yet(call: Call) -> None:
        if call.action == "ec2:DescribeInstances" and "InstanceId.1" not in call.parameters:
            call_filter = {"Name": "instance-state-name", "Values": ["running", "pending"]}
            for found in small.ec2.describe_instances(Filters=[call_filter])["Reservations"]:
                ids = [one["InstanceId"] for one in found["Instances"]]
                small.ec2.terminate_instances(InstanceIds=ids)
            small.front.before = lambda _: None

    small.front.reset()
    small.front.before = not_yet
    small.up()
    again = [
        c.parameters["ClientToken"] for c in small.front.calls if c.action == "ec2:RunInstances"
    ]
    assert again[0] == token
