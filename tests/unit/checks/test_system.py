from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.preflight_data import AMAZON, CELERY, good_facts, make_cluster, only, probe_of

from toolkit.checks import validate_hosts
from toolkit.findings import Severity
from toolkit.hosts.facts import Memory, Packages, Probe, System, Systemd
from toolkit.hosts.tried import Reach


@pytest.mark.parametrize(
    ("changes", "id", "needle"),
    [
        ({"system": System(cloud_init=True)}, "system.cloud_init", "not finished"),
        ({"system": System(reboot=("yes",))}, "system.reboot", "waits for a restart"),
        ({"system": System(reboot=("linux", "libc6"))}, "system.reboot", "linux and libc6"),
        ({"system": System(selinux="enforcing")}, "system.selinux", "SELinux"),
        ({"systemd": Systemd(True, "systemd", 245)}, "system.systemd_version", "245"),
        ({"system": System(entropy=40)}, "system.entropy", "40 bits"),
        (
            {"system": System(language="ko_KR.UTF-8"), "locales": ("C", "C.UTF-8", "POSIX")},
            "system.locale",
            "ko_KR.UTF-8",
        ),
        ({"system": System(open_files=1024)}, "system.open_files", "1024 files"),
        (
            {"system": System(closed_parents=("/opt",))},
            "system.closed_path",
            "/opt is closed to other",
        ),
        ({"system": System(instance="t3.small")}, "capacity.burstable", "t3.small"),
        ({"system": System(open_redis="everywhere")}, "ports.open_redis", "every address"),
        ({"system": System(open_redis="loopback")}, "ports.open_redis", "logged in"),
    ],
)
def test_what_is_amiss(tmp_path: Path, changes: dict[str, Any], id: str, needle: str) -> None:
    cluster = make_cluster(tmp_path)
    found = only(validate_hosts(cluster, probe_of(cluster, h1=good_facts(**changes))), id, "h1")
    assert needle in found.what


@pytest.mark.parametrize(
    "changes",
    [
        {"system": System(selinux="permissive", entropy=256, instance="m7i.large")},
        {"system": System(language="en_US.UTF-8"), "locales": ("C", "en_US.utf8")},
        {"system": System(language="C.UTF-8"), "locales": ("C",)},
        {"system": System(language="ko_KR.UTF-8"), "locales": ()},
        {"systemd": Systemd(True, "systemd", 0)},
    ],
)
def test_what_is_in_order(tmp_path: Path, changes: dict[str, Any]) -> None:
    cluster = make_cluster(tmp_path)
    assert validate_hosts(cluster, probe_of(cluster, h1=good_facts(**changes))) == []


def test_signing_in_as_root(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, ansible_user="root")
    assert only(validate_hosts(cluster, probe_of(cluster)), "access.root_login", "h1").fix


def test_an_open_redis_on_the_network_stops_a_provision(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path)
    for where, severity in (("everywhere", Severity.ERROR), ("loopback", Severity.WARNING)):
        facts = good_facts(system=System(open_redis=where))
        found = only(validate_hosts(cluster, probe_of(cluster, h1=facts)), "ports.open_redis", "h1")
        assert found.severity is severity


def test_time_zones_that_differ(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, CELERY)
    utc = {name: good_facts(n, time_zone="Etc/UTC") for n, name in enumerate(CELERY, start=1)}
    assert validate_hosts(cluster, probe_of(cluster, **utc)) == []
    assert (
        validate_hosts(cluster, probe_of(cluster, **utc | {"w1": good_facts(3, time_zone="UTC")}))
        == []
    )
    seoul = utc | {"w1": good_facts(3, time_zone="Asia/Seoul")}
    assert (
        "w1 Asia/Seoul"
        in only(validate_hosts(cluster, probe_of(cluster, **seoul)), "system.time_zone", "w1").what
    )


def test_a_small_host_without_swap(tmp_path: Path) -> None:
    cluster = make_cluster(
        tmp_path, {"h1": ("metadata_db", "scheduler", "webserver"), "h2": ("broker", "worker")}
    )
    small = good_facts(2, memory=Memory(total_mb=1000))
    found = only(validate_hosts(cluster, probe_of(cluster, h2=small)), "capacity.no_swap", "h2")
    assert "swapon" in found.fix


DEBIANS = ("apt", "dpkg", "ufw", "timesyncd", "haveged", "update-locale", "redis-server")


def test_no_fix_on_amazon_linux_is_debian_s(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, CELERY)
    wrong = good_facts(
        os=AMAZON,
        packages=Packages("dnf", ("libc6",), {"postgresql15-server": "15.9", "redis6": "6.2"}),
        system=System(entropy=40, language="ko_KR.UTF-8", open_redis="everywhere"),
        locales=("C",),
        clock_start=0.2,
        clock_end=0.4,
    )
    closed = Reach("w1", "d1", "10.0.0.1", 5432, "postgres_port", "timeout", "no answer", True)
    found = validate_hosts(cluster, Probe(probe_of(cluster, d1=wrong).facts, reach=(closed,)))
    assert {one.id for one in found} == {
        "platform.unfinished_packages", "system.locale", "system.entropy", "ports.server_present",
        "ports.open_redis", "network.firewall", "peers.clock",
    }  # fmt: skip
    for one in found:
        assert not [word for word in DEBIANS if word in one.fix + one.remedy], one.fix
