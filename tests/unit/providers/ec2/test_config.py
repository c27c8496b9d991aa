"""ec2.yml: what it says, and what is refused in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.ec2_config import ONE, load

from toolkit.cluster import Cluster
from toolkit.errors import ToolkitError
from toolkit.providers import explained
from toolkit.providers.ec2 import config
from toolkit.verbs.init import create


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
    with pytest.raises(ToolkitError, match="names no host") as told:
        Cluster.load(made)
    assert explained(told.value).what == "its instances do not exist yet, or exist no more"
    assert explained(told.value).fix == f"toolkit ec2 up -i {made}"


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
