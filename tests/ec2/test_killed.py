"""`up` and `down` killed (SIGKILL) at each of their calls in turn, just before AWS has it and just
after: the next run continues, and nothing is doubled, lost or left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import urllib.request
from collections.abc import Callable

import pytest
from support.cloud import ACCESS, NOTHING, REGION, Call, Cloud, Dropped
from support.managed import PARTS, parts

from toolkit.cluster import vault as secrets
from toolkit.cluster.vaultfile import vault_file
from toolkit.providers.ec2 import config

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
MANAGED = f"""
region: {REGION}
image: al2023
access: [{ACCESS}]
instances:
  main: {{groups: [scheduler, webserver, worker], type: t3.medium}}
rds: {{type: db.t4g.medium}}
elasticache: {{type: cache.t4g.small}}
"""
MANAGED_ALL = {
    "instances": 1,
    "hosts": 1,
    "volumes": 1,
    "groups": 4,
    "rules": 4,
    "addresses": 0,
    "key pairs": 1,
}
SHARES = 3
"""Each test is several, so that they run at the same time."""
shared = pytest.mark.parametrize("share", range(SHARES))
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


def moments(calls: list[tuple[int, Call]], share: int) -> list[tuple[int, str]]:
    """When to kill, a third of all moments; a call that only reads leaves the same behind before
    and after."""
    found = [(number, "before") for number, _ in calls]
    found += [(number, "after") for number, call in calls if call.changes]
    return found[share::SHARES]


def changing(calls: list[tuple[int, Call]]) -> list[tuple[int, Call]]:
    """Removing goes by nothing but what there is, which only changes change."""
    return [(number, call) for number, call in calls if call.changes]


def empty(cloud: Cloud) -> None:
    urllib.request.urlopen(f"http://127.0.0.1:{cloud.moto}/moto-api/reset", data=b"").close()


@pytest.fixture
def small(cloud: Cloud) -> Cloud:
    cloud.set(SMALL)
    return cloud


@shared
def test_up(small: Cloud, share: int) -> None:
    calls = calls_of(small, small.up)
    assert small.whole() == ALL
    assert len(calls) > 20
    assert len([call for _, call in calls if call.changes]) == 1 + 3 + 7 + 2 + 2 * 2
    for number, when in moments(calls, share):
        empty(small)
        assert run_and_kill(small, number, when, "up", "--no-wait"), (number, when)
        small.up()
        assert small.whole() == ALL, (number, when, calls[number - 1])
        assert small.json("plan")["actions"] == [], (number, when)


@shared
def test_down(small: Cloud, share: int) -> None:
    confirmed = ["down", "--confirm", "prod"]
    small.up()
    calls = calls_of(small, lambda: small.toolkit(*confirmed))
    assert small.whole() == NOTHING
    assert len([call for _, call in calls if call.changes]) == 1 + 2 + 3 + 1
    for number, when in moments(changing(calls), share):
        small.up()
        assert run_and_kill(small, number, when, *confirmed), (number, when)
        small.toolkit(*confirmed)
        assert small.whole() == NOTHING, (number, when, calls[number - 1])


@pytest.fixture
def served(cloud: Cloud) -> Cloud:
    """A host, and servers that AWS runs."""
    cloud.set(MANAGED)
    (cloud.directory / "rds-ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    return cloud


def own(calls: list[tuple[int, Call]]) -> list[tuple[int, Call]]:
    """The calls of the services that run servers, from the first change on; before that there is
    nothing to lose, and the others are killed at above."""
    services = ("rds:", "elasticache:")
    found = [(number, call) for number, call in calls if call.action.startswith(services)]
    first = next(number for number, call in found if call.changes)
    return [(number, call) for number, call in found if number >= first]


def connected(cloud: Cloud) -> set[str]:
    """What the cluster's vault says about servers."""
    known = secrets.stored(config.load(cloud.directory).cluster())
    return {"metadata_db_url", "broker_url", "metadata_db_ca_certificate"} & set(known)


@shared
def test_up_with_servers(served: Cloud, share: int) -> None:
    calls = calls_of(served, served.up)
    assert served.whole() == MANAGED_ALL
    assert parts(served) == PARTS
    changes = [call for _, call in own(calls) if call.changes]
    # Each server: subnet group, parameter group, its parameters, itself.
    assert len(changes) == 2 * 4
    for number, when in moments(own(calls), share):
        empty(served)
        vault_file(served.directory).unlink()
        assert run_and_kill(served, number, when, "up", "--no-wait"), (number, when)
        served.up()
        assert (served.whole(), parts(served)) == (MANAGED_ALL, PARTS), (number, when)
        assert len(connected(served)) == 3, (number, when)
        rds = served.client("rds").describe_db_parameters(DBParameterGroupName="toolkit-prod")
        assert [one["ParameterName"] for one in rds["Parameters"]] == ["rds.force_ssl"]
        cache = served.client("elasticache").describe_cache_parameters(
            CacheParameterGroupName="toolkit-prod"
        )
        assert [one["ParameterValue"] for one in cache["Parameters"]] == ["noeviction"]
        assert served.json("plan")["actions"] == [], (number, when)


@shared
def test_down_with_servers(served: Cloud, share: int) -> None:
    confirmed = ["down", "--confirm", "prod"]
    served.up()
    calls = calls_of(served, lambda: served.toolkit(*confirmed))
    assert (served.whole(), parts(served)) == (NOTHING, dict.fromkeys(PARTS, 0))
    assert len([call for _, call in own(calls) if call.changes]) == 2 * 3
    for number, when in moments(changing(own(calls)), share):
        served.up()
        assert run_and_kill(served, number, when, *confirmed), (number, when)
        served.toolkit(*confirmed)
        left = (served.whole(), parts(served))
        assert left == (NOTHING, dict.fromkeys(PARTS, 0)), (number, when, calls[number - 1])
        assert connected(served) == set(), (number, when)


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
