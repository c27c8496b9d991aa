"""The probe's facts under Ansible's names, so that a provision gathers once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.preflight_data import AMAZON, good_facts, make_cluster, probe_of

from toolkit.hosts.ansible_facts import ansible_facts
from toolkit.hosts.facts import Distribution, Facts, Packages


def test_the_roles_read_ansible_s_names(tmp_path: Path) -> None:
    found = ansible_facts(make_cluster(tmp_path), probe_of(make_cluster(tmp_path)))["h1"]
    assert found["_ansible_facts_gathered"]
    assert (found["ansible_distribution"], found["ansible_os_family"]) == ("Debian", "Debian")
    assert (found["ansible_distribution_major_version"], found["ansible_pkg_mgr"]) == ("12", "apt")


def test_amazon_linux_is_of_red_hat_s_family(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path)
    facts = good_facts(os=AMAZON, packages=Packages("dnf"))
    found = ansible_facts(cluster, probe_of(cluster, h1=facts))["h1"]
    assert (found["ansible_distribution"], found["ansible_os_family"]) == ("Amazon", "RedHat")
    assert found["ansible_pkg_mgr"] == "dnf"


@pytest.mark.parametrize(
    "facts",
    [
        Facts(),
        replace(good_facts(), memory=None),
        replace(good_facts(), os=Distribution("arch", version="1")),
        replace(good_facts(), packages=Packages("pacman")),
    ],
)
def test_what_is_not_known_for_certain_is_left_to_ansible(tmp_path: Path, facts: Facts) -> None:
    cluster = make_cluster(tmp_path)
    assert ansible_facts(cluster, probe_of(cluster, h1=facts)) == {}


def test_an_inventory_that_reads_a_fact_has_ansible_gather_them(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, base_address="{{ ansible_facts['default_ipv4'].address }}")
    assert ansible_facts(cluster, probe_of(cluster)) == {}
