"""A fact has one place: what is added as a data file is known everywhere, and nothing is copied."""

from __future__ import annotations

import functools
import gc
import runpy
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.ec2_config import load
from support.preflight_data import good_facts, make_cluster, only, probe_of

from toolkit.checks import validate_hosts, validate_plan
from toolkit.cluster import Cluster, tables
from toolkit.cluster.lock import wanted_of
from toolkit.cluster.settings import validate
from toolkit.cluster.specs import load_specs, roles
from toolkit.cluster.topology import server_port
from toolkit.content import CONTENT_VARIABLE, content_dir
from toolkit.errors import ToolkitError
from toolkit.hosts.facts import Airflow, Distribution, Facts, Listener, Packages, Probe
from toolkit.hosts.payload import host_and_port, payload
from toolkit.hosts.problem import NO_PYTHON, Login, of_start
from toolkit.hosts.tried import Reach
from toolkit.providers.ec2 import firewall
from toolkit.verbs import plan

ROCKY = Distribution("rocky", ("rhel", "centos", "fedora"), "9.6", "", "Rocky Linux 9.6")
HOSTS = {
    "d1": ("metadata_db", "broker"),
    "a1": ("scheduler", "webserver"),
    "w1": ("worker",),
}

# An engine, a component and a distribution that do not exist (Rocky Linux does; we do not know it).
ENGINE: dict[str, Any] = {
    "title": "OpenDB",
    "group": "metadata_db",
    "port": "opendb_port",
    "default_port": 6432,
    "schemes": ["opendb"],
    "drivers": {"pyopendb": {"scheme": "opendb+pyopendb", "extras": {"3": ["opendb"]}}},
    "oldest": [4, 1],
    "memory_mb": 333,
    "disk": {"first_mb": 7000, "again_mb": 100, "inodes": 10, "purpose": "the metadata database"},
}
ENGINE_ON_ROCKY: dict[str, Any] = {
    "client_packages": [],
    "server_packages": ["opendb-server"],
    "installed_packages": ["opendb-server*"],
    "units": ["opendbd.service"],
    "service": "opendbd",
    "data_directory": "/srv/opendb",
    "drop_in_file": "/etc/opendb.d/zz-airflow-toolkit.conf",
}
ENGINE_SETTINGS: dict[str, Any] = {
    "opendb_port": {"type": "int", "default": 6432, "description": ["TCP port."]},
    "opendb_adopt": {"type": "bool", "default": False, "description": ["Take one with data."]},
    "opendb_max_connections": {"type": "int", "default": 0, "description": ["How many."]},
}
COMPONENT: dict[str, Any] = {
    "group": "webserver",
    "arguments": "celery flower",
    "ports": [{"setting": "airflow_flower_port", "open_to": "people"}],
    "heartbeat": "FlowerJob",
    "memory_mb": 91,
    "connections": {"itself": 7},
}
DISTRIBUTION: dict[str, Any] = {
    "platform": "rocky",
    "family": "redhat",
    "releases": {"9.6": "Rocky Linux 9"},
}


def edit(path: Path, *keys: str, **values: Any) -> None:
    """Set values in a mapping of a YAML file, which is made when it is not there."""
    whole = yaml.safe_load(path.read_text()) if path.exists() else {}
    inner = whole
    for key in keys:
        inner = inner.setdefault(key, {})
    inner.update(values)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(whole, sort_keys=False))


def forget() -> None:
    """Have the toolkit read its content again."""
    for found in gc.get_objects():
        if isinstance(found, functools._lru_cache_wrapper) and found.__module__.startswith(
            "toolkit"
        ):
            found.cache_clear()


@pytest.fixture
def content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The content with an engine, a component and a distribution more: data files alone."""
    there = tmp_path / "content"
    for name in ("roles", "playbooks", "templates"):
        shutil.copytree(content_dir() / name, there / name)
    shutil.copy(content_dir() / "ansible.cfg", there)
    role = there / "roles"
    edit(role / "opendb/engine.yml", **ENGINE)
    edit(role / "opendb/platforms/rocky.yml", **ENGINE_ON_ROCKY)
    specs = ("argument_specs", "main", "options")
    edit(role / "opendb/meta/argument_specs.yml", *specs, **ENGINE_SETTINGS)
    choices = ["postgres", "mysql", "opendb"]
    edit(
        role / "metadata_db/meta/argument_specs.yml", *specs, "metadata_db_engine", choices=choices
    )
    edit(role / "airflow/files/release_lines.yml", "3", "components", flower=COMPONENT)
    flower = {"type": "int", "default": 5555, "description": ["TCP port of Flower."]}
    edit(role / "airflow/meta/argument_specs.yml", *specs, airflow_flower_port=flower)
    edit(role / "base/distributions.yml", rocky=DISTRIBUTION)
    for name in ("airflow", "python", "redis"):
        shutil.copy(role / name / "platforms/amazon.yml", role / name / "platforms/rocky.yml")
    monkeypatch.setenv(CONTENT_VARIABLE, str(there))
    forget()
    yield there
    monkeypatch.undo()
    forget()


@pytest.fixture
def cluster(content: Path, tmp_path: Path) -> Cluster:
    assert content == content_dir()
    (tmp_path / "prod").mkdir()
    return make_cluster(tmp_path / "prod", HOSTS, metadata_db_engine="opendb")


def rocky(number: int, **changes: Any) -> Facts:
    return good_facts(number, os=ROCKY, **changes)


def probe(cluster: Cluster, **changed: Facts) -> Probe:
    return probe_of(cluster, **({"d1": rocky(1), "a1": rocky(2), "w1": rocky(3)} | changed))


def full(facts: Facts, path: str) -> Facts:
    paths = [replace(p, device=9, mount=p.path, free_mb=64) if p.path == path else p
             for p in facts.paths]  # fmt: skip
    return replace(facts, paths=tuple(paths))


def test_the_plan_has_them(cluster: Cluster) -> None:
    made = plan.make(cluster, probe(cluster), {})
    hosts = {host.name: host for host in made.hosts}
    assert hosts["d1"].components["opendb"] == (6432,)
    assert hosts["a1"].components["flower"] == (5555,)
    assert hosts["d1"].memory and hosts["d1"].memory["opendb"] == 333
    assert hosts["a1"].memory and hosts["a1"].memory["flower"] == 91
    assert hosts["a1"].connections and hosts["a1"].connections["flower"] == 7
    assert made.servers["metadata_db"] == "opendb on d1"
    assert ("a1", "d1", 6432) in {(link.source, link.target, link.number) for link in made.links}


def test_settings_know_them(cluster: Cluster) -> None:
    assert validate(cluster) == []
    assert "opendb" in roles()
    assert load_specs()["opendb_port"].role == "opendb"
    assert wanted_of(cluster)[1].count("opendb") == 1


def test_a_good_cluster_of_them_has_no_findings(cluster: Cluster) -> None:
    found = [*validate_plan(cluster), *validate_hosts(cluster, probe(cluster))]
    assert [one for one in found if one.id.partition(".")[0] != "secrets"] == []


def test_ports_and_servers_know_them(cluster: Cluster) -> None:
    listener = Listener(7, "opendbd", "opendb", "opendbd.service", 6432, "0.0.0.0")
    packages = Packages(manager="dnf", servers={"opendb-server": "4.2"})
    there = {"packages": packages, "listeners": (listener,)}
    ours = Airflow(ours=True)
    assert validate_hosts(cluster, probe(cluster, d1=rocky(1, airflow=ours, **there))) == []
    found = validate_hosts(cluster, probe(cluster, d1=rocky(1, **there)))
    assert "sudo dnf remove opendb-server" in only(found, "ports.server_present", "d1").fix
    other = Listener(7, "nginx", "www", "nginx.service", 6432, "0.0.0.0")
    found = validate_hosts(cluster, probe(cluster, d1=rocky(1, listeners=(other,))))
    assert "opendb_port" in only(found, "ports.taken", "d1").fix
    other = Listener(7, "nginx", "www", "nginx.service", 5555, "0.0.0.0")
    found = validate_hosts(cluster, probe(cluster, a1=rocky(2, listeners=(other,))))
    assert "airflow_flower_port" in only(found, "ports.taken", "a1").fix


def test_disks_and_drift_and_the_probe_know_them(cluster: Cluster) -> None:
    found = validate_hosts(cluster, probe(cluster, d1=full(rocky(1), "/srv/opendb")))
    assert "/srv/opendb 7000 MB" in only(found, "capacity.disk", "d1").what
    put = payload(cluster, cluster.host("d1"), "", {})["wanted"]["files"]
    assert {"path": "/etc/opendb.d/zz-airflow-toolkit.conf"} in put
    asked = payload(cluster, cluster.host("a1"), "", {})
    assert "airflow-flower.service" in asked["wanted"]["units"]
    assert "opendb-server*" in asked["server_packages"]
    assert {"host": "10.0.0.1", "port": 6432, "role": "metadata_db", "peer": "d1"} in asked["ports"]
    assert host_and_port("opendb+pyopendb://u:p@db/airflow") == ("db", 6432)


def test_a_release_without_the_engine_is_refused(cluster: Cluster, content: Path) -> None:
    (content / "roles/opendb/platforms/rocky.yml").unlink()
    forget()
    found = validate_hosts(cluster, probe(cluster))
    assert "OpenDB" in only(found, "platform.no_mysql", "d1").what


def test_fixes_are_the_distribution_s_own(cluster: Cluster) -> None:
    reach = Reach("a1", "d1", "10.0.0.1", 6432, "opendb_port", "timeout", "no answer", True)
    facts = probe(cluster)
    (found,) = validate_hosts(cluster, Probe(facts.facts, reach=(reach,)))
    assert found.id == "network.firewall"
    assert "firewall-cmd --permanent --add-port=6432/tcp" in found.remedy
    assert "ufw" not in found.fix + found.remedy
    problem = of_start(f"{NO_PYTHON}::rocky rhel centos fedora", Login("h1", "kim", "h", 22, ""))
    assert "sudo dnf install -y python3" in str(problem.fix)
    system = Distribution("rocky", (), "8", "", "Rocky Linux 8")
    found = only(validate_hosts(cluster, probe(cluster, w1=good_facts(3, os=system))),
                 "platform.distribution", "w1")  # fmt: skip
    assert "Rocky Linux 9" in found.fix


@pytest.mark.usefixtures("content")
def test_security_groups_know_them(tmp_path: Path) -> None:
    (tmp_path / "ec2" / "group_vars" / "all").mkdir(parents=True)
    (tmp_path / "ec2/group_vars/all/airflow.yml").write_text("metadata_db_engine: opendb\n")
    text = (
        "region: eu-central-1\ninstances:\n"
        "  data: {groups: [metadata_db], type: t3.small}\n"
        "  main: {groups: [scheduler, webserver], type: t3.medium}\n"
    )
    config = load(tmp_path / "ec2", text)
    groups = firewall.wanted(config, config.cluster(), ["203.0.113.7/32"])
    rules = {group.name.rpartition("-")[2]: {str(rule) for rule in group.rules} for group in groups}
    assert f"port 6432 from {groups[0].name}" in rules["data"]
    assert "port 5555 from 203.0.113.7/32" in rules["main"]
    assert not [rule for rule in rules["data"] if "5432" in rule]


def test_units_start_after_the_engine(content: Path) -> None:
    plugin = runpy.run_path(str(content / "roles/airflow/filter_plugins/airflow_plan.py"))
    assert "opendbd.service" in plugin["server_units"](str(content / "roles"))


def test_names_of_tables_go_from_release_to_family() -> None:
    names = tables.platform_names
    assert names(tables.OsRelease("ubuntu", ("debian",), "24.04")) == (
        "ubuntu-24.04", "ubuntu", "debian",
    )  # fmt: skip
    assert names(tables.OsRelease("amzn", ("fedora",), "2023")) == (
        "amazon-2023", "amazon", "redhat",
    )  # fmt: skip
    assert names(tables.OsRelease("linuxmint", ("ubuntu", "debian"), "22")) == ("debian",)
    assert names(tables.OsRelease("arch")) == ()


def test_a_port_that_is_no_number_is_advised_the_engine_s_own(tmp_path: Path) -> None:
    made = make_cluster(tmp_path, metadata_db_engine="mysql", mysql_port="{{ port }}")
    with pytest.raises(ToolkitError, match="mysql_port") as told:
        server_port(made, "metadata_db")
    assert told.value.fix == "mysql_port: 3306"


@pytest.mark.parametrize("name", sorted(tables.engines()))
def test_the_default_port_of_an_engine_is_its_setting_s(name: str) -> None:
    engine = tables.engines()[name]
    assert load_specs()[engine.port].default == engine.default_port
    for setting in (engine.driver_setting, engine.repository):
        assert not setting or setting in load_specs()


def test_every_setting_of_a_component_is_one() -> None:
    switches = {one.enabled_by for one in tables.all_components() if one.enabled_by}
    assert (switches | set(tables.openings())) <= set(load_specs())
    connected = {name for one in tables.all_components() for name in one.connects_to}
    assert connected <= set(tables.openings())
