"""EC2 without AWS: ec2.yml, plans, host keys, client tokens."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from toolkit.cluster import Cluster
from toolkit.errors import ToolkitError
from toolkit.providers.ec2 import config, firewall, network, trust, userdata
from toolkit.providers.ec2.errors import of_answer
from toolkit.providers.ec2.found import Found, FoundGroup, Instance
from toolkit.providers.ec2.launches import Launches
from toolkit.providers.ec2.plan import plan
from toolkit.verbs.init import create

KEY = "ssh-ed25519 AAAAC3Nza"
ONE = "instances: {main: {groups: [metadata_db, scheduler, webserver], type: t3.medium}}\n"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "prod").mkdir()
    return tmp_path / "prod"


def load(directory: Path, text: str = ONE) -> config.Config:
    (directory / "ec2.yml").write_text(text)
    return config.load(directory)


def wanted(
    chosen: config.Config, access: str = "203.0.113.7/32"
) -> tuple[firewall.SecurityGroup, ...]:
    return firewall.wanted(chosen, chosen.cluster(), [access])


def instance(host: str, **more: object) -> Instance:
    given = {"id": f"i-{host}", "host": host, "groups": (), "type": "t3.medium", "state": "running",
             "zone": "", "private": "", "public": "", "launched": ""} | more  # fmt: skip
    return Instance(**given)  # type: ignore[arg-type]


def test_the_sample_is_a_cluster_of_four(tmp_path: Path) -> None:
    made = create(tmp_path / "prod", sample="ec2")
    chosen = config.load(made)
    assert chosen.name == "prod"
    assert [host.name for host in chosen.cluster().all_hosts] == [
        "data1", "airflow1", "worker1", "worker2",
    ]  # fmt: skip
    assert ".ssh-key" in (made / ".gitignore").read_text().split()
    with pytest.raises(ToolkitError, match="toolkit ec2 makes them"):
        create(tmp_path / "x", sample="ec2", groups={"worker": ["a@b"]})
    with pytest.raises(ToolkitError, match="do not exist yet") as told:
        Cluster.load(made)
    assert told.value.fix == f"toolkit ec2 up -i {made}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "instances is missing"),
        ("instances: {}", "there are no instances"),
        ("instances: {main: [worker]}", "has to consist of groups"),
        ("instances: {main: {type: t3.small}}", "groups is missing"),
        (ONE + "name: a b", "not a name"),
        (ONE + "image: ami-12345678", "login_user is missing"),
        (ONE + "image: my-*", "there is no image"),
        (ONE + "key_pair: mine", "key_file is missing"),
        (ONE + "address: private", "access is missing"),
        (ONE + "address: none", "address cannot be"),
        (ONE + "volume_gb: 4", "4 GB"),
        (ONE + "volume_gb: '30'", "a whole number"),
        (ONE + "subnets: [vpc-1]", "not the id of a subnet"),
        (ONE + "tags: {Name: x}", "tag Name"),
        (ONE + "region: '{{ x }}'", "no template"),
        (ONE + "spot: true", "there is no key spot"),
        (ONE.replace("t3.medium", "t3.medium, spot: true"), "spot is for workers"),
        (ONE + "ssh_proxy: -oProxyCommand", "not a host to go through"),
        (ONE + "ssh_proxy: bastion", "access is missing"),
        (ONE + "bastion: small", "not an instance type"),
        (ONE + "bastion: t3.nano\naddress: elastic", "does not go together with address"),
        (ONE + "bastion: t3.nano\nssh_proxy: admin@gate", "does not go together with ssh_proxy"),
        (ONE.replace("main", "bastion"), "cannot name a set"),
    ],
)
def test_a_wrong_ec2_yml(directory: Path, text: str, said: str) -> None:
    with pytest.raises(ToolkitError, match=said) as told:
        load(directory, text)
    assert "ec2.yml" in str(told.value.where) and told.value.fix


def test_a_single_host_opens_nothing_to_members(directory: Path) -> None:
    assert {
        group.name: {str(rule) for rule in group.rules} for group in wanted(load(directory))
    } == {
        "toolkit-prod": {"port 22 from 203.0.113.7/32"},
        "toolkit-prod-main": {"port 8080 from 203.0.113.7/32"},
    }


def test_an_external_database_is_no_port_of_ours(directory: Path) -> None:
    text = ("instances: {main: {groups: [scheduler, webserver], type: t3.medium}, "
            "worker: {groups: [worker], type: t3.medium}}")  # fmt: skip
    ports = {rule.port for group in wanted(load(directory, text)) for rule in group.rules}
    assert ports == {22, 8080, 8793, 8794}


def test_a_plan_is_empty_when_all_is_there(directory: Path) -> None:
    chosen = load(directory)
    groups = wanted(chosen)
    there = {g.name: FoundGroup(f"sg-{g.name}", g.name, "vpc-1", g.rules) for g in groups}
    main = instance("main1", groups=("webserver", "scheduler", "metadata_db"))
    found = Found((main,), there, key=f"{KEY} comment")
    assert plan(chosen, groups, f"{KEY} mine", found).actions == ()
    with pytest.raises(ToolkitError, match="another key"):
        plan(chosen, groups, "ssh-ed25519 other", found)
    larger = plan(chosen, groups, KEY, Found((instance("main1", type="t3.small"),), there, key=KEY))
    assert [(a.verb, a.name) for a in larger.actions] == [("tag", "main1")]
    assert "main1 is t3.small, ec2.yml says t3.medium" in larger.notes[0]


def test_known_hosts_follow_the_instances() -> None:
    text = "\n".join([
        f"10.0.0.1 {KEY} i-0a", f"10.0.0.2 {KEY} i-0b", f"10.0.0.3 {KEY}", f"10.0.0.4 {KEY}",
        f"10.0.0.5 {KEY} i-0e",
    ])  # fmt: skip
    members = {"10.0.0.1": "i-0a", "10.0.0.2": "i-0c", "10.0.0.3": "i-0d"}
    known = trust.current(text, members)
    # An address that another instance had, one that was never claimed, and one that is gone, go.
    assert known.splitlines() == [f"10.0.0.1 {KEY} i-0a", f"10.0.0.4 {KEY}"]
    assert trust.unknown(known, members) == {"10.0.0.2": "i-0c", "10.0.0.3": "i-0d"}
    met = trust.claimed(f"{known}10.0.0.2 {KEY}\n", members)
    assert met.splitlines()[-1] == f"10.0.0.2 {KEY} i-0c"
    assert trust.unknown(met, members) == {"10.0.0.3": "i-0d"}


def test_host_keys_in_a_console_output() -> None:
    output = (
        "[  12.1] cloud-init[900]: -----BEGIN SSH HOST KEY KEYS-----\r\n"
        "ecdsa-sha2-nistp256 AAAAE2VjZHNh= root@ip-10-0-0-1\r\n"
        f"[  12.2] cloud-init[900]: {KEY} root@ip-10-0-0-1\r\n"
        "-----END SSH HOST KEY KEYS-----\r\n"
    )
    assert trust.console_keys({"Output": output}) == ["ecdsa-sha2-nistp256 AAAAE2VjZHNh=", KEY]
    assert trust.console_keys({"Output": f"{KEY} not in the block"}) == []
    assert trust.console_keys({}) == []


def test_a_client_token_stays_until_the_instance_was_seen(
    directory: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    token = Launches(directory).token("worker1", {"ImageId": "ami-1"})
    assert len(token) == 64
    assert Launches(directory).token("worker1", {"ImageId": "ami-1"}) == token
    assert Launches(directory).token("worker1", {"ImageId": "ami-2"}) != token
    assert Launches(directory).token("worker2", {"ImageId": "ami-1"}) != token
    Launches(directory).forget(["worker1"])
    assert Launches(directory).token("worker1", {"ImageId": "ami-1"}) != token


def test_user_data_has_a_limit(directory: Path) -> None:
    assert userdata.render(load(directory)) == ""
    (directory / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n" + "A" * userdata.LIMIT)
    with pytest.raises(ToolkitError, match="EC2 takes 16384"):
        userdata.render(load(directory, ONE + "ca_certificates: [ca.pem]"))
    (directory / "ca.pem").write_text("no certificate")
    with pytest.raises(ToolkitError, match="no PEM certificate"):
        userdata.render(load(directory, ONE + "ca_certificates: [ca.pem]"))


@contextmanager
def answering(body: bytes) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_own_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for body, found in {
        b"203.0.113.7\n": "203.0.113.7/32",
        b"2001:db8::1": "2001:db8::1/128",
    }.items():
        with answering(body) as service:
            assert network.own_network(service) == found
    with answering(b"<html>login</html>") as service, pytest.raises(ToolkitError, match="access"):
        network.own_network(service)


def test_a_refused_action_without_a_sentence_of_aws_names_the_permission() -> None:
    from botocore.exceptions import ClientError

    error = ClientError(
        {"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetParameter"
    )
    assert '"Action": "ssm:GetParameter"' in str(of_answer(error))


def test_errors_are_called_as_aws_calls_them() -> None:
    """By botocore's own description of the services."""
    import botocore.session

    from toolkit.providers.ec2 import errors, managed

    session = botocore.session.get_session()

    def codes(shapes: object) -> set[str]:
        return {one.metadata.get("error", {}).get("code", one.name) for one in shapes}  # type: ignore[attr-defined]

    known: set[str] = set()
    for service in managed.SERVICES:
        model = session.get_service_model(service.name)
        known |= codes(model.error_shapes)
        for kind in service.kinds:
            for verb, plural, ending in (
                ("Describe", "s", "NotFound"),
                ("Create", "", "AlreadyExists"),
            ):
                told = codes(model.operation_model(f"{verb}{kind.word}{plural}").error_shapes)
                assert any(code.startswith(kind.word + ending) for code in told), (kind.word, told)
    ours = {code for code in errors._FIXES if "Quota" in code or "DB" in code or "Cache" in code}
    assert len(ours) == 12
    assert ours <= known
