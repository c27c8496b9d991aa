"""Of generated inventories, every variable of every host is what Ansible says it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from toolkit.cluster import Cluster
from toolkit.cluster.vaultfile import write_encrypted

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
FILES = st.dictionaries(st.sampled_from(["", ".yml", ".yaml", ".json"]), VARIABLES, max_size=1)


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
        found = draw(st.just({}) | FILES | FOLDERS)
        ending = "" if found.keys() <= {"", ".yml", ".yaml", ".json"} else "/"
        files |= {f"{scope}{ending}{name}": content for name, content in found.items()}
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
        assert {host.name: dict(host.variables) for host in cluster.all_hosts} == expected
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
