"""Whatever stands in an inventory: findings or a clear error, never a traceback."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.preflight_data import good_facts

from toolkit import checks as rules
from toolkit.cluster import Cluster
from toolkit.cluster.settings import Setting, load_specs
from toolkit.commands.check import command
from toolkit.errors import ToolkitError
from toolkit.findings import entries, errors
from toolkit.hosts.facts import Probe
from toolkit.verbs.validate import validate

TEXTS = st.text(max_size=20) | st.sampled_from(
    ["{{ x }}", "sqlite:////a", "redis://:p@h:1", "a://b@c/d"]
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 70_000), st.floats(allow_nan=False), st.text(max_size=20),
    st.sampled_from(["{{ x }}", "{{", "sqlite:////a", "redis://:p/w@h:x", "postgresql://u:[@h/", "3.3.2",
                     "Asia/Soul", "http://", "%", "!", "10.0.0.1", "CeleryExecutor"]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=8) | st.sampled_from(["core", "executor", "username"]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
NAMES = st.sampled_from([*load_specs(), "airflow_web_prot", "ansible_host", "ansible_port"])
VARIABLES = st.dictionaries(NAMES, VALUES, max_size=5)
GROUPS = st.sampled_from(["metadata_db", "broker", "scheduler", "webserver", "worker", "other"])
MEMBERS = st.dictionaries(
    st.sampled_from(["h1", "h2", "h 3", "h[1:2]"]), VARIABLES | st.none(), max_size=3
)
BODIES = st.fixed_dictionaries(
    {}, optional={"hosts": MEMBERS | SCALARS, "vars": VARIABLES | SCALARS}
)
INVENTORIES = st.dictionaries(GROUPS | st.just("all"), BODIES | SCALARS, max_size=6) | VALUES


def write(directory: Path, hosts: Any, variables: Any, raw: str) -> None:
    (directory / "group_vars/all").mkdir(parents=True)
    (directory / "hosts.yml").write_text(raw or yaml.safe_dump(hosts))
    (directory / "group_vars/all/airflow.yml").write_text(yaml.safe_dump(variables))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(INVENTORIES, VARIABLES, st.just("") | st.text(max_size=30))
def test_check_never_ends_in_a_traceback(hosts: Any, variables: Any, raw: str) -> None:
    with TemporaryDirectory() as name:
        write(Path(name), hosts, variables, raw)
        try:
            found = validate(Cluster.load(Path(name)))
        except ToolkitError as error:
            assert error.what
            return
        for finding in found:
            assert finding.id in entries()
            assert finding.what
            assert finding.fix
        if errors(found):  # no host is asked then
            done = CliRunner().invoke(command, ["-i", name, "--json"], standalone_mode=False)
            assert json.loads(done.output)["ok"] is False


GOOD_HOSTS = {
    "all": {"hosts": {"h1": {"ansible_host": "10.0.0.1"}, "h2": {"ansible_host": "10.0.0.2"}}},
    **{
        group: {"hosts": {"h1": None}}
        for group in ("metadata_db", "broker", "scheduler", "webserver")
    },
}


BY_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "int": st.integers(0, 70_000),
    "float": st.floats(0, 1e6),
    "bool": st.booleans(),
    "list": st.lists(VALUES, max_size=3),
    "dict": st.dictionaries(st.text(max_size=8), VALUES, max_size=3),
}


def plausible(spec: Setting) -> st.SearchStrategy[Any]:
    """A value of the setting's type, or its default, which most variables have."""
    chosen = st.sampled_from(spec.choices) if spec.choices else BY_TYPE.get(spec.type, TEXTS)
    return st.just(spec.default) | chosen


PLAUSIBLE = st.lists(st.sampled_from(list(load_specs().values())), max_size=4).flatmap(
    lambda specs: st.fixed_dictionaries({spec.name: plausible(spec) for spec in specs})
)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(PLAUSIBLE, PLAUSIBLE)
def test_rules_bear_every_value_of_the_right_type(variables: Any, of_host: Any) -> None:
    with TemporaryDirectory() as name:
        hosts = {**GOOD_HOSTS, "worker": {"hosts": {"h2": {**of_host, "ansible_host": "10.0.0.2"}}}}
        write(Path(name), hosts, variables, "")
        try:
            cluster = Cluster.load(Path(name))
            found = validate(cluster)
        except ToolkitError:
            return
        if not errors(found):
            facts = {host.name: good_facts(n) for n, host in enumerate(cluster.all_hosts, start=1)}
            rules.validate_hosts(cluster, Probe(facts))


@pytest.mark.parametrize(
    ("line", "what", "fix"),
    [
        ('ansible_port: "{{ p }}"', "ansible_port of host h1 is a template", "number itself: 22"),
        ("ansible_port: ssh", "has to be a TCP port (1 to 65535), not 'ssh'", "number itself: 22"),
        ("ansible_port: true", "has to be a TCP port (1 to 65535), not True", "number itself: 22"),
        (
            "ansible_port: 70000",
            "has to be a TCP port (1 to 65535), not 70000",
            "number itself: 22",
        ),
        ('ansible_host: "{{ ip }}"', "ansible_host of host h1 is a template", "address itself"),
        ("ansible_host: 'http://10.0.0.1/'", "has to be an address or a name", "address itself"),
        ("ansible_host: '10.0.0.1:22'", "has to be an address or a name", "address itself"),
        ("ansible_ssh_host: me@10.0.0.1", "has to be an address or a name", "address itself"),
        ("ansible_host: [10.0.0.1]", "has to be an address or a name", "address itself"),
        ("ansible_user: '{% if x %}a{% endif %}'", "ansible_user of host h1 is a template", "name"),
        ("ansible_ssh_private_key_file: '{{ k }}'", "is a template", "the path itself"),
    ],
)
def test_no_connection_is_tried_with_what_is_no_login(
    tmp_path: Path, line: str, what: str, fix: str
) -> None:
    write(tmp_path, GOOD_HOSTS, {}, "")
    path = tmp_path / "host_vars" / "h1.yml"
    path.parent.mkdir()
    path.write_text(f"---\n{line}\n")
    with pytest.raises(ToolkitError) as told:
        Cluster.load(tmp_path)
    assert what in told.value.what
    assert fix in str(told.value.fix)
    assert str(told.value.where) == f"{path}:2"


def test_a_port_in_quotes_and_one_without_a_value(tmp_path: Path) -> None:
    write(tmp_path, GOOD_HOSTS, {"ansible_port": "2222"}, "")
    assert Cluster.load(tmp_path).host("h1").port == 2222
    (tmp_path / "group_vars/all/airflow.yml").write_text("ansible_port:\n")
    assert Cluster.load(tmp_path).host("h1").port is None


def test_a_group_below_itself(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text(
        "a: {children: {b: }, hosts: {h1: }}\nb: {children: {a: }}\n"
    )
    with pytest.raises(ToolkitError, match="is below itself: "):
        Cluster.load(tmp_path)


@pytest.mark.parametrize("name", ["''", "' '", '"\\t"'])
def test_a_host_without_a_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "hosts.yml").write_text(f"a: {{hosts: {{h1: , {name}: }}}}\n")
    with pytest.raises(ToolkitError, match="has no name"):
        Cluster.load(tmp_path)


def test_a_priority_that_is_no_number(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text(
        "a: {vars: {ansible_group_priority: high}, hosts: {h1: }}\n"
    )
    with pytest.raises(ToolkitError, match="whole number, not 'high'"):
        Cluster.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("hosts", "[scheduler]\nh1 203.0.113.7\n", "assignment, line 2"),
        ("prod.ini", "[scheduler\nh1\n", "line 1"),
        ("more.sh", "#!/bin/sh\necho no credentials >&2\nexit 3\n", "script: .* exit code 3"),
        ("cloud.yml", "plugin: nobody.has.it\n", "unknown plugin 'nobody.has.it'"),
    ],
)
def test_a_host_list_that_ansible_only_warns_of_is_refused_with_the_reason(
    tmp_path: Path, name: str, text: str, why: str
) -> None:
    """Its hosts would be missing, as if they had left the cluster."""
    (tmp_path / "a.yml").write_text("scheduler: {hosts: {h0: {ansible_host: 203.0.113.6}}}\n")
    (tmp_path / name).write_text(text)
    (tmp_path / name).chmod(0o755 if name.endswith(".sh") else 0o644)
    with pytest.raises(ToolkitError, match=rf"reads {tmp_path / name} .*{why}"):
        Cluster.load(tmp_path)
