"""Of generated inventories, every variable of every host is what Ansible says it is."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support import ansible_says
from support.vault_files import write_encrypted

from toolkit.cluster import Cluster, Inventory
from toolkit.cluster.vaultfile import Passwords

GROUPS = [f"g{number}" for number in range(5)]
HOSTS = [f"h{number}" for number in range(4)]
NAMES = ["x", "y", "z", "ansible_group_priority"]
PASSWORD = "a vault's password"

VARIABLES = st.dictionaries(st.sampled_from(NAMES[:3]), st.integers(0, 999), max_size=3)
PRIORITIES = st.sampled_from([{}, {}, {"ansible_group_priority": 10}, {NAMES[3]: "2"}])
MEMBERS = st.dictionaries(st.sampled_from(HOSTS), VARIABLES | st.none(), max_size=2)
# A folder's files, below which ".yml" alone has another ending than its neighbours.
FOLDERS = st.dictionaries(
    st.sampled_from(["10.yml", "airflow.yml", "sub/x.json", "vault.yml", "zz", "x.txt", ".y.yml"]),
    VARIABLES,
    min_size=1,
    max_size=3,
)
# More than one: Ansible takes the first that there is.
FILES = st.dictionaries(st.sampled_from(["", ".yml", ".yaml", ".json"]), VARIABLES, max_size=2)


@st.composite
def host_lists(draw: st.DrawFn) -> dict[str, Any]:
    """Groups with hosts, variables and groups below, in any order: chains, diamonds, forests."""
    edges = draw(st.lists(st.sampled_from(list(combinations(GROUPS, 2))), max_size=7))
    found = {}
    for group in draw(st.permutations([*GROUPS, "all", "ungrouped"])):
        below = [child for parent, child in edges if parent == group]
        body = {
            "hosts": draw(MEMBERS) if group != "ungrouped" else {},
            "vars": {**draw(VARIABLES), **draw(PRIORITIES)},
            "children": dict.fromkeys(below),
        }
        found[group] = {part: body[part] for part in draw(st.permutations(list(body)))}
    found["all"]["hosts"] |= {HOSTS[0]: None}
    return found


@st.composite
def inventories(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    """Path -> variables or groups of an inventory directory."""
    groups = draw(host_lists())
    first = draw(st.integers(1, len(groups)))
    items = list(groups.items())
    files = {"a.yml": dict(items[:first]), "b.yml": dict(items[first:])}
    scopes = [f"group_vars/{name}" for name in ["all", "ungrouped", *GROUPS]]
    for scope in [*scopes, *(f"host_vars/{name}" for name in HOSTS)]:
        single, folder = draw(st.just({}) | FILES), draw(st.just({}) | FOLDERS)
        if folder:  # beside files of the same name
            single.pop("", None)
        files |= {f"{scope}{name}": content for name, content in single.items()}
        files |= {f"{scope}/{name}": content for name, content in folder.items()}
    return {path: content for path, content in files.items() if content}


def write(directory: Path, files: Mapping[str, Any]) -> None:
    (directory / ".vault-password").write_text(PASSWORD)
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.name == "vault.yml":
            write_encrypted(path, directory, json.dumps(content))
        else:
            path.write_text(json.dumps(content))


def by_ansible(directory: Path) -> tuple[dict[str, dict[str, Any]], dict[str, list[str]]]:
    """Host -> its variables, and group -> its hosts; in this process, as its start takes a second."""
    from ansible.inventory.manager import InventoryManager
    from ansible.parsing.dataloader import DataLoader
    from ansible.parsing.vault import VaultSecret
    from ansible.vars.manager import VariableManager

    loader = DataLoader()
    loader.set_vault_secrets([("default", VaultSecret(PASSWORD.encode()))])
    inventory = InventoryManager(loader=loader, sources=[str(directory)])
    manager = VariableManager(loader=loader, inventory=inventory)
    variables = {
        host.name: manager.get_vars(host=host, include_hostvars=False, stage="all")
        for host in inventory.get_hosts()
    }
    members = {
        name: [h.name for h in group.get_hosts()] for name, group in inventory.groups.items()
    }
    return {host: {name: found[name] for name in NAMES if name in found}
            for host, found in variables.items()}, members  # fmt: skip


def body(*children: str, **more: Any) -> dict[str, Any]:
    return {"hosts": {}, "vars": {}, "children": dict.fromkeys(children)} | more


# "g2" has more ancestors, "g4" is deeper.
WIDE_AND_DEEP = {
    "a.yml": {
        "p": body("g2"), "q": body("g2"), "r": body("g2"), "g0": body("g3"), "g1": body("g2"),
        "g3": body("g4"), "g2": body(hosts={"h0": {}}, vars={"x": "wide"}),
        "g4": body(hosts={"h0": {}}, vars={"x": "deep"}),
    }
}  # fmt: skip


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(inventories())
@example(WIDE_AND_DEEP)
def test_variables_and_members_are_ansibles(files: dict[str, Any]) -> None:
    with TemporaryDirectory() as name:
        directory = Path(name)
        write(directory, files)
        expected, members = by_ansible(directory)
        cluster = Cluster.load(directory)
        assert {host.name: dict(host.variables) for host in cluster.inventory_hosts} == expected
        ours = {group: [host.name for host in cluster.group(group)] for group in cluster.members}
        assert {group: sorted(hosts) for group, hosts in ours.items()} == {
            group: sorted(hosts) for group, hosts in members.items()
        }
        # Below its own groups Ansible has no order: it walks through sets.
        flat = [name for name in GROUPS if not grandchildren(files, name)]
        assert {group: ours[group] for group in flat} == {group: members[group] for group in flat}


def grandchildren(files: Mapping[str, Any], group: str) -> list[str]:
    groups = {**files["a.yml"], **files.get("b.yml", {})}
    return [below for child in groups[group]["children"] for below in groups[child]["children"]]


SETTINGS = ["airflow_web_port", "airflow_parallelism", "airflow_config"]
TEXTS = st.sampled_from(
    ["{{ 1 + 1 }}", "{{ base }}", "{{ base ~ 'x' }}", "{{ groups['all'] | length }}", "{% if true %}a{% endif %}",
     "{{ inventory_hostname }}", "{# c #}b", "plain", "{{ hostvars['h0'].base }}"]
)  # fmt: skip
VALUES = st.one_of(
    st.integers(0, 99), TEXTS, TEXTS.map(lambda text: {"core": {"parallelism": text}}),
    st.text("ab {}", max_size=6).map(lambda text: Tagged("!unsafe", text)),
    st.text("xyz{}", min_size=1, max_size=6).map(lambda text: Tagged("!vault", text)),
)  # fmt: skip
WRITTEN = st.dictionaries(st.sampled_from(SETTINGS), VALUES, max_size=2)


@dataclass(frozen=True)
class Tagged:
    """A text with one of the tags that Ansible adds to YAML."""

    tag: str
    text: str


@st.composite
def unusual(draw: st.DrawFn) -> dict[str, Any]:
    """Inventories that need Ansible's help: templates, tags, ranges, INI files, scripts."""
    hosts = draw(st.sampled_from([{"h0": {}}, {"h[0:2]": {}}, {"h0": {}, "h1:2222": {}}]))
    lists: dict[str, Any] = {
        "a.yml": {"all": {"hosts": hosts, "vars": {"base": draw(st.integers(0, 9)), **draw(WRITTEN)}},
                  "g0": {"children": {"g2": None}}, "g1": {"children": {"g2": None}},
                  "g2": {"hosts": {"h0": draw(WRITTEN)}, "vars": draw(WRITTEN)}},
    }  # fmt: skip
    if draw(st.booleans()):
        lists["b.ini"] = (
            f"[g1]\nh0 airflow_web_port={draw(st.integers(1, 9))}\n[g1:vars]\nbase='{{{{ 1 }}}}'\n"
        )
    if draw(st.booleans()):
        lists["c"] = (
            '#!/bin/sh\necho \'{"g0": {"hosts": ["h0"], "vars": {"airflow_config": {"a": "{{ 1 }}"}}}}\'\n'
        )
    for name in (
        "group_vars/all.yml",
        "group_vars/g2/a.yml",
        "group_vars/g2.yml",
        "host_vars/h0.yml",
    ):
        if draw(st.booleans()):
            lists[name] = draw(WRITTEN)
    return lists


def _dump(value: Any, passwords: Passwords) -> str:
    def tagged(dumper: yaml.SafeDumper, data: Tagged) -> yaml.Node:
        text = passwords.encrypt(data.text) if data.tag == "!vault" else data.text
        return dumper.represent_scalar(data.tag, text, style="|" if data.tag == "!vault" else "'")

    class Dumper(yaml.SafeDumper):
        pass

    Dumper.add_representer(Tagged, tagged)
    return str(yaml.dump(value, Dumper=Dumper))


@settings(max_examples=int(os.environ.get("TOOLKIT_EXAMPLES", "10")), deadline=None,
          suppress_health_check=list(HealthCheck))  # fmt: skip
@given(unusual())
def test_what_only_ansible_can_say_is_what_it_says(files: dict[str, Any]) -> None:
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", f"{name}/cache")
        home = Path(name) / "inventory"
        for place, content in files.items():
            path = home / place
            path.parent.mkdir(parents=True, exist_ok=True)
            text = content if isinstance(content, str) else _dump(content, Passwords(home))
            path.write_text(text)
            path.chmod(0o755 if text.startswith("#!") else 0o644)
        expected = ansible_says.variables(Inventory.of(home))
        for _ in ("asked", "remembered"):
            cluster = Cluster.load(home)
            for host in cluster.inventory_hosts:
                ours = {key: host.variables[key] for key in SETTINGS if key in host.variables}
                theirs = {
                    key: value for key, value in expected[host.name].items() if key in SETTINGS
                }
                assert ours == theirs
            assert set(expected) == {host.name for host in cluster.inventory_hosts}
