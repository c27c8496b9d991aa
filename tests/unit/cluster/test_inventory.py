"""Inventories as people have them: files and folders, several sources, templates, vaults."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.vault_files import write_encrypted

from toolkit.checks import validate_plan
from toolkit.cluster import Cluster, Inventory, vault
from toolkit.cluster.settings import validate
from toolkit.cluster.vaultfile import Passwords
from toolkit.content import content_dir
from toolkit.errors import Location, ToolkitError
from toolkit.findings import errors
from toolkit.run.playbook import environment

ONE = "scheduler: {hosts: {h1: }}\nwebserver: {hosts: {h1: }}\nmetadata_db: {hosts: {h1: }}\n"
INI = "[scheduler]\nh1 ansible_host=10.0.0.1\n[webserver]\nh1\n[metadata_db]\nh1\n"


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in list(os.environ):
        if name.startswith("ANSIBLE_"):
            monkeypatch.delenv(name)


def write(directory: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return directory


def encrypted(directory: Path, text: str, indent: int = 0) -> str:
    lines = Passwords(directory).encrypt(text).strip().splitlines()
    return "\n".join(" " * indent + line for line in lines)


def by_ansible(inventory: Inventory) -> dict[str, dict[str, object]]:
    """What Ansible has for each host, with the inventory's password."""
    from support.ansible_says import variables

    return variables(inventory)


# B1, B2: settings and secrets, wherever group_vars/all is


@pytest.mark.parametrize("name", ["all", "all.yml", "all.yaml", "all.json"])
def test_settings_in_a_file_for_all_apply_before_and_after_secrets_are_made(
    tmp_path: Path, name: str
) -> None:
    text = '{"airflow_web_port": 8099}' if name == "all.json" else "airflow_web_port: 8099 # mine\n"
    home = write(tmp_path / "prod", {"hosts.yml": ONE, f"group_vars/{name}": text})
    vault.ensure(Cluster.load(home))
    found = Cluster.load(home)
    assert found.setting("airflow_web_port") == 8099
    assert len(found.setting("airflow_fernet_key")) == 44
    assert (home / "group_vars" / name).read_text() == text
    ansible = by_ansible(found.inventory)["h1"]
    assert ansible["airflow_web_port"] == 8099
    assert ansible["airflow_fernet_key"] == found.setting("airflow_fernet_key")
    assert stat.S_IMODE((home / "airflow.secrets.yml").stat().st_mode) == 0o600
    before = (home / "airflow.secrets.yml").read_bytes()
    vault.ensure(found)
    assert (home / "airflow.secrets.yml").read_bytes() == before
    assert not errors(validate(found))


def test_of_a_file_and_a_folder_the_folder_is_read_and_the_file_reported(tmp_path: Path) -> None:
    home = write(
        tmp_path / "prod",
        {
            "hosts.yml": ONE,
            "group_vars/all.yml": "airflow_web_port: 1\n",
            "group_vars/all/a.yml": "airflow_web_port: 2\n",
            "host_vars/h1.yml": "airflow_parallelism: 3\n",
            "host_vars/h1.json": '{"airflow_parallelism": 4}',
        },
    )
    found = Cluster.load(home)
    assert (
        found.setting("airflow_web_port")
        == 2
        == by_ansible(found.inventory)["h1"]["airflow_web_port"]
    )
    assert found.setting("airflow_parallelism", found.host("h1")) == 3
    hidden = [one for one in validate_plan(found) if one.id == "inventory.hidden_file"]
    assert [one.what.split()[0] for one in hidden] == [
        f"{home}/group_vars/all.yml", f"{home}/host_vars/h1.json",
    ]  # fmt: skip
    assert hidden[0].fix == f"mv {home}/group_vars/all.yml {home}/group_vars/all/"


# B4: templates


TEMPLATES = """
all:
  vars:
    ip: 10.0.0.7
    ports: {h1: 2201}
    airflow_web_port: "{{ 8000 + 99 }}"
    airflow_config: {core: {parallelism: "{{ 2 * 4 }}"}}
  hosts:
    h1:
      ansible_host: "{{ ip }}"
      ansible_port: "{{ ports[inventory_hostname] }}"
      ansible_ssh_private_key_file: "{{ inventory_dir }}/lab.pem"
      ansible_user: "{% if 'scheduler' in group_names %}ops{% else %}x{% endif %}"
      ansible_become_password: "{{ lookup('env', 'SUDO') }}"
    h2: {ansible_host: "{{ hostvars['h1'].ansible_host }}", airflow_parallelism: "{{ groups['all'] | length }}"}
    h3: {airflow_parallelism: "{{ ansible_facts['processor_vcpus'] * 4 }}"}
    h4: {ansible_user: !unsafe "{{ raw }}", airflow_admin_username: "{# note #}kim"}
scheduler: {hosts: {h1: }}
"""


def test_templates_are_what_ansible_makes_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO", "of-the-shell")
    home = write(tmp_path / "prod", {"hosts.yml": TEMPLATES})
    found = Cluster.load(home)
    h1, h2, h3, h4 = found.inventory_hosts
    assert (h1.address, h1.port, h1.user) == ("10.0.0.7", 2201, "ops")
    assert h1.key_file == home / "lab.pem"
    assert h1.become_password == "of-the-shell"
    assert h2.address == "10.0.0.7"
    assert found.setting("airflow_parallelism", h2) == 4
    # A fact is known only when Ansible is there; the setting stays what it is.
    assert "ansible_facts" in found.setting("airflow_parallelism", h3)
    assert h4.user == "{{ raw }}"
    assert found.setting("airflow_admin_username", h4) == "kim"
    assert found.setting("airflow_web_port") == 8099
    assert found.setting("airflow_config") == {"core": {"parallelism": 8}}


def test_a_template_of_a_wrong_value_is_reported_with_its_line(tmp_path: Path) -> None:
    home = write(
        tmp_path,
        {"hosts.yml": ONE, "group_vars/all.yml": "a: 1\nairflow_web_port: \"{{ a ~ 'x' }}\"\n"},
    )
    assert [
        "all.yml:2" in one.what and "whole number" in one.what
        for one in validate(Cluster.load(home))
    ] == [True]


def test_a_template_nobody_can_evaluate_is_refused_where_a_connection_needs_it(
    tmp_path: Path,
) -> None:
    home = write(
        tmp_path,
        {"hosts.yml": 'scheduler:\n  hosts:\n    h1:\n      ansible_host: "{{ nowhere }}"\n'},
    )
    with pytest.raises(ToolkitError, match="'nowhere' is undefined") as refused:
        Cluster.load(home)
    assert "hosts.yml" in str(refused.value.where)


def test_reading_templates_makes_no_password_files(tmp_path: Path) -> None:
    home = write(tmp_path / "prod", {
        "hosts.yml": ONE,
        "group_vars/all.yml": "airflow_admin_username: \"{{ lookup('password', inventory_dir ~ '/made') }}\"\n",
    })  # fmt: skip
    assert "lookup" in Cluster.load(home).setting("airflow_admin_username")
    assert not (home / "made").exists()


def test_what_ansible_said_is_remembered_but_no_secret(tmp_path: Path) -> None:
    home = write(tmp_path / "prod", {"hosts.yml": ONE, "group_vars/all/a.yml":
        "x: 8099\nairflow_web_port: '{{ x }}'\nairflow_jwt_secret: '{{ my_secret }}'\n"})  # fmt: skip
    write_encrypted(home / "group_vars/all/mine.yml", home, "my_secret: 471147114711\n")
    assert Cluster.load(home).setting("airflow_web_port") == 8099
    assert Cluster.load(home).setting("airflow_jwt_secret") == 471147114711
    cached = [path.read_text() for path in (tmp_path / "cache").rglob("*.json")]
    assert not any("471147114711" in text for text in cached)
    (home / "group_vars/all/a.yml").write_text("x: 8099\nairflow_web_port: '{{ x }}'\n")
    Cluster.load(home).setting("airflow_web_port")
    (kept,) = (tmp_path / "cache" / "toolkit" / "inventories").iterdir()
    kept.write_text(kept.read_text().replace("8099", "8098"))
    assert Cluster.load(home).setting("airflow_web_port") == 8098  # the cache was asked
    (home / "group_vars/all/a.yml").write_text("x: 8097\nairflow_web_port: '{{ x }}'\n")
    assert Cluster.load(home).setting("airflow_web_port") == 8097  # and another file is another one


# B6, B10: sources


SCRIPT = """#!/bin/sh
cat <<'END'
{"scheduler": {"hosts": ["i-1"]}, "webserver": ["i-1"], "metadata_db": {"hosts": ["i-1"]},
 "_meta": {"hostvars": {"i-1": {"ansible_host": "10.0.0.1", "instance_type": "m5.large",
  "architecture": "x86_64", "tags": {"Name": "airflow {{ not a template }}"}, "state": 16}}}}
END
"""


def test_variables_of_a_script_are_nobodys_mistakes(tmp_path: Path) -> None:
    home = write(tmp_path, {"hosts": SCRIPT})
    (home / "hosts").chmod(0o755)
    found = Cluster.load(Inventory.of(home / "hosts"))
    assert found.host("i-1").address == "10.0.0.1"
    assert validate(found) == []


@pytest.mark.parametrize(("name", "text"), [
    ("hosts.ini", INI), ("hosts", INI), ("prod.yml", ONE),
    ("hosts.json", '{"scheduler": {"hosts": {"h1": {}}}}'),
    ("toml.toml", "[scheduler.hosts]\nh1 = {}\n"),
])  # fmt: skip
def test_an_inventory_may_be_one_file(tmp_path: Path, name: str, text: str) -> None:
    home = write(
        tmp_path / "prod", {name: text, "group_vars/all/a.yml": "airflow_web_port: 8099\n"}
    )
    found = Cluster.load(Inventory.of(home / name))
    assert (found.name, found.directory) == ("prod", home)
    assert found.setting("airflow_web_port", found.host("h1")) == 8099
    vault.ensure(found)
    again = Cluster.load(Inventory.of(home / name))
    assert vault.missing(again) == {}
    assert by_ansible(again.inventory)["h1"]["airflow_jwt_secret"] == again.setting(
        "airflow_jwt_secret"
    )


def test_two_clusters_of_one_directory_share_settings_and_no_secrets(tmp_path: Path) -> None:
    home = write(tmp_path / "inv", {
        "prod.ini": INI, "staging.ini": INI.replace("h1", "s1"),
        "group_vars/all/a.yml": "airflow_web_port: 8099\n",
    })  # fmt: skip
    clusters = {}
    for name in ("prod", "staging"):
        vault.ensure(Cluster.load(Inventory.of(home / f"{name}.ini")))
        clusters[name] = Cluster.load(Inventory.of(home / f"{name}.ini"))
        assert clusters[name].name == name
        assert (home / f"{name}.secrets.yml").exists()
    prod, staging = clusters.values()
    assert prod.setting("airflow_fernet_key") != staging.setting("airflow_fernet_key")
    assert prod.inventory.identity != staging.inventory.identity
    assert by_ansible(prod.inventory)["h1"]["airflow_fernet_key"] == prod.setting(
        "airflow_fernet_key"
    )


def test_several_sources_and_the_later_one_wins(tmp_path: Path) -> None:
    write(tmp_path / "a", {"hosts.yml": ONE, "group_vars/all.yml": "x: a\nairflow_web_port: 1\n"})
    write(tmp_path / "b", {"more.ini": "[worker]\nw[1:2]\n[all:vars]\nairflow_parallelism=5\n",
                           "group_vars/all.yml": "airflow_web_port: 2\n"})  # fmt: skip
    inventory = Inventory.of(tmp_path / "a", tmp_path / "b" / "more.ini")
    found = Cluster.load(inventory)
    assert [host.name for host in found.group("worker")] == ["w1", "w2"]
    assert found.setting("airflow_web_port") == 2
    assert {host.name: dict(host.variables) for host in found.inventory_hosts} == by_ansible(
        inventory
    )
    assert str(inventory).startswith(f"{tmp_path}/a -i ")


def test_a_list_of_hosts_behind_i_and_what_does_not_exist(tmp_path: Path) -> None:
    for text in ("h1,h2", "h1,"):
        with pytest.raises(ToolkitError, match="no place for settings and secrets"):
            Inventory.of(text)
    with pytest.raises(ToolkitError, match="there is no inventory"):
        Inventory.of(tmp_path / "nosuch")


def test_a_subdirectory_a_port_behind_a_name_and_a_bare_host(tmp_path: Path) -> None:
    home = write(tmp_path, {"sub/more.yml": "worker: {hosts: 'w1:2222'}\n", "hosts.yml": ONE})
    found = Cluster.load(home)
    assert found.host("w1").port == 2222
    assert {host.name: dict(host.variables) for host in found.inventory_hosts} == by_ansible(
        found.inventory
    )


# B5: groups


@pytest.mark.parametrize(("name", "meant"), [
    ("workers", "worker"), ("Worker", "worker"), ("airflow-workers", "worker"), ("wroker", "worker"),
    ("web_servers", "webserver"), ("brokers", "broker"), ("airflow_worker", "worker"),
])  # fmt: skip
def test_a_group_that_is_nearly_ours(tmp_path: Path, name: str, meant: str) -> None:
    home = write(tmp_path, {"hosts.yml": f"{ONE}{name}: {{hosts: {{w1: , w2: }}}}\n"})
    (found,) = (
        one for one in validate_plan(Cluster.load(home)) if one.id == "inventory.near_group"
    )
    assert f"group {name} (w1 and w2) is not {meant}" in found.what
    assert errors([found])


@pytest.mark.parametrize("more", [
    "workers: {children: {worker: }}\nworker: {hosts: {w1: }}\nbroker: {hosts: {w1: }}\n",
    "monitoring: {hosts: {m1: }}\n", "workers:\n", "databases: {hosts: {h1: }}\n",
    "api_servers: {hosts: {shop1: , shop2: }}\n", "web: {hosts: {shop1: }}\n",
    "postgres_backup: {hosts: {b1: }}\n", "databases: {hosts: {d1: }}\n",
    "airflow_servers: {children: {scheduler: , metadata_db: }, hosts: {h1: , w1: }}\n",
])  # fmt: skip
def test_groups_of_the_users_own(tmp_path: Path, more: str) -> None:
    home = write(tmp_path, {"hosts.yml": ONE + more})
    assert not [one for one in validate_plan(Cluster.load(home)) if one.id.startswith("inventory.")]


CLUSTER = ONE + "broker: {hosts: {h1: }}\n"


@pytest.mark.parametrize(("more", "severity", "meant"), [
    # Hosts that have another part of Airflow already.
    (CLUSTER + "workers: {hosts: {h1: }}\n", "error", "worker"),
    (CLUSTER + "celery_workers: {hosts: {w1: }}\n", "error", "worker"),
    (CLUSTER + "celery: {hosts: {w1: }}\n", "error", "worker"),
    (ONE + "worker-nodes: {hosts: {n1: }}\n", "warning", "worker"),
    (ONE + "workers: {hosts: {h1: }}\n", "error", "worker"),
    (ONE + "triggerer: {hosts: {n1: }}\n", "warning", "scheduler"),
    (ONE + "dag_processor: {hosts: {n1: }}\n", "warning", "scheduler"),
    (ONE + "api-server: {hosts: {n1: }}\n", "warning", "webserver"),
    (ONE + "webservers: {hosts: {n1: , h1: }}\n", "error", "webserver"),
    (ONE.replace("webserver", "web"), "error", "webserver"),
    (ONE.replace("scheduler", "schedulers"), "error", "scheduler"),
    (ONE.replace("metadata_db", "postgres"), "error", "metadata_db"),
])  # fmt: skip
def test_what_a_group_is_meant_for_is_told(
    tmp_path: Path, more: str, severity: str, meant: str
) -> None:
    home = write(tmp_path, {"hosts.yml": more})
    found = [one for one in validate_plan(Cluster.load(home)) if one.id.endswith("_group")]
    assert [one.severity.value for one in found if f"is not {meant}, " in one.what] == [severity]


def test_a_server_elsewhere_may_be_named_for_one_group_alone(tmp_path: Path) -> None:
    home = write(tmp_path, {
        "hosts.yml": "scheduler: {hosts: {h1: }}\nwebserver: {hosts: {h1: }}\ndatabases: {hosts: {h1: }}\n",
        "group_vars/scheduler.yml": "metadata_db_url: postgresql://u@db.example.com/airflow\n",
    })  # fmt: skip
    assert not [one for one in validate_plan(Cluster.load(home)) if one.id.startswith("inventory.")]


def test_a_broker_for_nobody(tmp_path: Path) -> None:
    home = write(tmp_path, {"hosts.yml": CLUSTER})
    assert [one.id for one in validate_plan(Cluster.load(home)) if one.id.startswith("inv")] == [
        "inventory.broker_for_nobody"
    ]


# B8, B9: vaults


def test_a_password_file_that_is_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = write(tmp_path / "prod", {"hosts.yml": ONE})
    program = tmp_path / "get-password"
    program.write_text("#!/bin/sh\necho 'from a program'\n")
    program.chmod(0o755)
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", str(program))
    vault.ensure(Cluster.load(home))
    assert not (home / ".vault-password").exists()
    monkeypatch.setenv(
        "ANSIBLE_VAULT_PASSWORD_FILE", str(write(tmp_path, {"same": "from a program\n"}) / "same")
    )
    assert len(Cluster.load(home).setting("airflow_fernet_key")) == 44


@pytest.mark.parametrize(("content", "mode", "why"), [
    ("", 0o600, "empty"), ("\n\n", 0o600, "empty"), ("#!/bin/sh\nexit 3\n", 0o755, "returned non-zero"),
    ("#!/nosuch\n", 0o755, "Problem running"),
])  # fmt: skip
def test_a_password_file_that_has_none(tmp_path: Path, content: str, mode: int, why: str) -> None:
    home = write(tmp_path / "prod", {"hosts.yml": ONE})
    vault.ensure(Cluster.load(home))
    (home / ".vault-password").write_text(content)
    (home / ".vault-password").chmod(mode)
    with pytest.raises(ToolkitError, match=r"(?i)the vault password cannot be had") as refused:
        Cluster.load(home).setting("airflow_fernet_key")
    assert why in refused.value.what or "Invalid vault password" in refused.value.what


def test_vault_ids_and_several_encrypted_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"dev": "password of dev\n", "prod": "password of prod\n"})
    home = write(tmp_path / "inv", {"hosts.yml": ONE})
    monkeypatch.setenv("ANSIBLE_VAULT_IDENTITY_LIST", f"prod@{tmp_path}/prod")
    write_encrypted(
        home / "group_vars/all/vault.yml", home, "# why\nairflow_jwt_secret: mine\nnote: kept\n"
    )
    monkeypatch.setenv("ANSIBLE_VAULT_IDENTITY_LIST", f"dev@{tmp_path}/dev, prod@{tmp_path}/prod")
    write_encrypted(home / "group_vars/all/z_secrets.yml", home, "metadata_db_password: of-dev\n")
    vault.ensure(Cluster.load(home))
    found = Cluster.load(home)
    path = home / "group_vars/all/vault.yml"
    assert path.read_text().startswith("$ANSIBLE_VAULT;1.2;AES256;prod\n")
    text = Passwords(home).decrypt(path.read_text(), Location(path))
    assert text.startswith("# why\nairflow_jwt_secret: mine\nnote: kept\n")
    assert "metadata_db_password" not in text
    assert found.setting("metadata_db_password") == "of-dev"
    assert found.setting("airflow_jwt_secret") == "mine"
    assert by_ansible(found.inventory)["h1"]["metadata_db_password"] == "of-dev"
    monkeypatch.setenv("ANSIBLE_VAULT_IDENTITY_LIST", f"dev@{tmp_path}/dev")
    with pytest.raises(ToolkitError, match="does not open it"):
        Cluster.load(home).setting("airflow_jwt_secret")


def test_the_vault_passwords_of_a_users_ansible_cfg(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = write(tmp_path / "prod", {"hosts.yml": ONE})
    write(
        tmp_path / "here",
        {"ansible.cfg": "[defaults]\nvault_password_file = secret/pw\n", "secret/pw": "x\n"},
    )
    monkeypatch.chdir(tmp_path / "here")
    vault.ensure(Cluster.load(home))
    assert not (home / ".vault-password").exists()
    assert [str(one) for one in Passwords(home).identities] == [
        f"default@{tmp_path}/here/secret/pw"
    ]


def test_inline_secrets_anywhere_are_read_and_nothing_is_rewritten(tmp_path: Path) -> None:
    home = write(tmp_path / "prod", {"hosts.yml": ONE})
    Passwords(home).encrypt("x")
    text = (
        "# ours\nbroker_url: !vault |\n" + encrypted(home, "redis://:pw@redis.example.com:6379", 2)
        + "\nairflow_users:\n  - username: kim\n    email: kim@example.com\n    password: !vault |\n"
        + encrypted(home, "a long password {{ of kim }}", 6) + "\n"
    )  # fmt: skip
    write(home, {"group_vars/all/a.yml": text, "group_vars/all/vault.yml":
                 "# mine\nairflow_jwt_secret: !vault |\n" + encrypted(home, "0123456789", 2) + "\n"})  # fmt: skip
    before = {path: path.read_text() for path in home.rglob("*") if path.is_file()}
    vault.ensure(Cluster.load(home))
    found = Cluster.load(home)
    assert found.setting("broker_url") == "redis://:pw@redis.example.com:6379"
    assert found.setting("airflow_users")[0]["password"] == "a long password {{ of kim }}"
    assert found.setting("airflow_jwt_secret") == "0123456789"
    assert not errors(validate(found))
    changed = {path.name for path, old in before.items() if path.read_text() != old}
    assert changed == {"vault.yml"}
    assert (
        (home / "group_vars/all/vault.yml")
        .read_text()
        .startswith(before[home / "group_vars/all/vault.yml"])
    )
    assert by_ansible(found.inventory)["h1"]["airflow_fernet_key"] == found.setting(
        "airflow_fernet_key"
    )
    assert "a long password" not in vault.mask("a long password {{ of kim }}", vault.values(found))


def test_a_secret_that_changes_leaves_the_rest_of_its_file_alone(tmp_path: Path) -> None:
    home = write(tmp_path / "prod", {"hosts.yml": ONE})
    path = home / "group_vars/all/vault.yml"
    write_encrypted(
        path, home, "# first\na: 1 # one\nbroker_url: >-\n  redis://\n  x\n# last\nb: [1,\n  2]\n"
    )
    vault.update(Cluster.load(home), {"broker_url": "redis://y:6379", "new": "n"})
    text = Passwords(home).decrypt(path.read_text(), Location(path))
    assert text == "# first\na: 1 # one\n# last\nb: [1,\n  2]\nbroker_url: redis://y:6379\nnew: n\n"
    vault.update(Cluster.load(home), {"b": None, "a": None})
    text = Passwords(home).decrypt(path.read_text(), Location(path))
    assert text == "# first\n# last\nbroker_url: redis://y:6379\nnew: n\n"
    write_encrypted(path, home, json.dumps({"a": 1, "b": "x"}))
    vault.update(Cluster.load(home), {"b": "y"})
    assert vault.stored(Cluster.load(home)) == {"a": 1, "b": "y"}


BESIDE = {
    "README": "Hosts of the shop\n\nAsk [ops] first, correct horse\n",
    "Makefile": "all:\n\tansible-playbook -i . site.yml\n",
    "LICENSE": "Copyright [yyyy] [name of the owner], all rights reserved\n",
    "id_rsa": "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk=\n",
    "ssh_config": "Host *\n  User ubuntu\n",
    "hosts.yml.j2": "{% for h in hosts %}{{ h }}:{% endfor %}\n",
    "main.tf": 'resource "aws_instance" "h1" {\n}\n',
    "site.yml": "---\n# all\n- hosts: all\n  roles: [x]\n",
    "requirements.yaml": "- src: somebody.else\n",
}


@pytest.mark.parametrize("plain", [True, False])
def test_what_lies_beside_the_host_lists_is_left_out_and_told(tmp_path: Path, plain: bool) -> None:
    lists = {"hosts.yml": ONE} if plain else {"hosts.ini": INI}
    home = write(tmp_path / "prod", {**lists, **BESIDE})
    found = Cluster.load(home)
    assert [host.name for host in found.all_hosts] == ["h1"]
    told = [one for one in validate_plan(found) if one.id == "inventory.unread_file"]
    assert not errors(told) and "horse" not in str(told)
    assert {"site.yml", "requirements.yaml", "Makefile"} <= {path.name for path in found.unread}


@pytest.mark.parametrize(
    "name", ["vault-pass.sh", "vault_pass", "vault-password", "secret", "pw-client.py"]
)
def test_a_vault_password_beside_the_host_lists_is_no_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Ansible would take it for the name of one, and run a program to see whether it lists any."""
    program = name.endswith((".sh", ".py"))
    text = "#!/bin/sh\ntouch ran\necho horse\n" if program else "horse\n"
    home = write(tmp_path / "prod", {"hosts.ini": INI, name: text})
    (home / name).chmod(0o700 if program else 0o600)
    if "vault" not in name:
        monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", str(home / name))
    monkeypatch.chdir(tmp_path)
    found = Cluster.load(home)
    assert [host.name for host in found.inventory_hosts] == ["h1"]
    assert not (tmp_path / "ran").exists()
    cache = tmp_path / "cache"
    assert not [path for path in cache.rglob("*.json") if "horse" in path.read_text()]
    told = environment(found) | {"PATH": os.environ["PATH"]}
    listed = subprocess.run(
        [Path(sys.executable).with_name("ansible-inventory"), "-i", home, "--list"],
        env=told, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "h1" in listed.stdout and "horse" not in listed.stdout + listed.stderr


def test_many_lines_before_the_first_group_take_no_time(tmp_path: Path) -> None:
    """Each blank line once doubled the time."""
    home = write(tmp_path, {"hosts.yml": "# a comment\n\n" * 5000 + ONE})
    assert [host.name for host in Cluster.load(home).all_hosts] == ["h1"]


def test_a_program_that_lists_nothing_is_refused(tmp_path: Path) -> None:
    """One that prints a warning before its JSON must not lose its hosts."""
    home = write(tmp_path / "prod", {"hosts.ini": INI, "more.sh": "#!/bin/sh\necho hello\n"})
    assert Cluster.load(home).unread
    (home / "more.sh").chmod(0o755)
    with pytest.raises(ToolkitError, match=r"none of its plugins reads .*more\.sh .script: "):
        Cluster.load(home)


def test_an_encrypted_host_list_that_no_password_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = write(tmp_path / "prod", {})
    home.mkdir()
    (home / "hosts.ini").write_text(encrypted(home, INI))
    (home / ".vault-password").unlink()
    with pytest.raises(ToolkitError, match=r"vault password file .* is missing"):
        Cluster.load(home)
    (tmp_path / "other").write_text("other\n")
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", str(tmp_path / "other"))
    with pytest.raises(ToolkitError, match="does not open it"):
        Cluster.load(home)


@pytest.mark.parametrize(("line", "where"), [
    ("h1 ansible_become_password=my horse", 2), ("h1 ansible_become_password='horse", 2),
])  # fmt: skip
def test_a_wrong_line_of_an_ini_file_is_not_quoted(tmp_path: Path, line: str, where: int) -> None:
    home = write(tmp_path / "prod", {"hosts.ini": f"[scheduler]\n{line}\n"})
    with pytest.raises(ToolkitError, match=rf"hosts\.ini .*, line {where}\)") as told:
        Cluster.load(home)
    assert "horse" not in str(told.value)


def test_what_a_plugin_answers_is_asked_each_time(tmp_path: Path) -> None:
    home = write(tmp_path / "prod", {
        "a.yml": ONE, "b.yml": '"plugin": ansible.builtin.constructed\nstrict: false\ncompose: {x: "1"}\n',
    })  # fmt: skip
    Cluster.load(home)
    assert not [*(tmp_path / "cache").rglob("inventories/*.json")]


def test_a_host_list_without_hosts_is_blamed_before_what_lies_beside_it(tmp_path: Path) -> None:
    home = write(tmp_path / "prod", {"hosts.yml": "scheduler:\n", "requirements.yml": "- src: x\n"})
    with pytest.raises(ToolkitError, match=r"hosts\.yml: the inventory names no host"):
        Cluster.load(home)
    (home / "hosts.yml").unlink()
    with pytest.raises(ToolkitError, match=r"requirements\.yml:1: expected `name: value` lines"):
        Cluster.load(home)


@pytest.mark.parametrize(("name", "text"), [("hosts.yml", ONE), ("hosts.ini", INI), ("hosts", INI)])
def test_a_host_list_that_is_encrypted(tmp_path: Path, name: str, text: str) -> None:
    home = write(tmp_path / "prod", {})
    home.mkdir()
    more = (
        "all: {vars: {airflow_web_port: 8099}}\n"
        if name.endswith("yml")
        else "[all:vars]\nairflow_web_port=8099\n"
    )
    (home / name).write_text(encrypted(home, text + more))
    for _ in range(2):
        found = Cluster.load(home)
        assert [host.name for host in found.all_hosts] == ["h1"]
        assert found.setting("airflow_web_port", found.host("h1")) == 8099
        assert found.sources.of_host("h1", found.host("h1").groups).find("airflow_web_port").secret
    assert not [*(tmp_path / "cache").rglob("inventories/*.json")]


def test_a_mistake_in_an_encrypted_host_list_is_not_quoted(tmp_path: Path) -> None:
    home = write(tmp_path / "prod", {})
    home.mkdir()
    (home / "hosts.ini").write_text(encrypted(home, "[scheduler]\nh1 horse\n"))
    with pytest.raises(ToolkitError, match=r"reads .*hosts.ini .it is encrypted") as told:
        Cluster.load(home)
    assert "horse" not in str(told.value)


@pytest.mark.parametrize("more", [
    {"hosts.sh": """#!/bin/sh\necho '{"scheduler": {"hosts": ["h1"], "vars": {"NAME": "x"}}}'\n"""},
    {"more.yml": "plugin: ansible.builtin.constructed\nstrict: false\ncompose: {NAME: inventory_hostname}\n"},
])  # fmt: skip
@pytest.mark.parametrize("name", ["python_version", "base_image", "airflow_role", "redis_endpoint"])
def test_names_that_programs_give_are_nobodys_mistakes(
    tmp_path: Path, more: dict[str, str], name: str
) -> None:
    home = write(
        tmp_path / "prod",
        {"hosts.yml": ONE, **{k: v.replace("NAME", name) for k, v in more.items()}},
    )
    for path in home.glob("*.sh"):
        path.chmod(0o755)
    assert not validate(Cluster.load(home))
    (home / "hosts.yml").write_text(f"{ONE}all: {{vars: {{{name}: 1}}}}\n")
    assert validate(Cluster.load(home))


def test_a_program_is_run_whatever_its_name(tmp_path: Path) -> None:
    script = """#!/bin/sh\necho '{"scheduler": {"hosts": ["h7"]}}'\n"""
    home = write(tmp_path / "prod", {"hosts.yml": script})
    (home / "hosts.yml").chmod(0o755)
    assert [host.name for host in Cluster.load(home).all_hosts] == ["h7"]


def test_a_key_twice_is_refused_beside_other_host_lists(tmp_path: Path) -> None:
    home = write(tmp_path / "prod", {"hosts.yml": ONE + ONE, "more.ini": INI})
    with pytest.raises(ToolkitError, match="is set twice in one file"):
        Cluster.load(home)


def test_variables_of_a_play_are_the_playbooks(tmp_path: Path) -> None:
    text = "airflow_lock: '{{ playbook_dir }}/mine.lock'\n"
    home = write(tmp_path / "prod", {"hosts.yml": ONE, "group_vars/all.yml": text})
    assert Cluster.load(home).setting("airflow_lock") == f"{content_dir() / 'playbooks'}/mine.lock"
