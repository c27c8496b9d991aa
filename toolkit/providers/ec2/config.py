"""ec2.yml: what the user wants in AWS, read before any call is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.cluster import Cluster
from toolkit.cluster.yamlfile import locations, read_mapping
from toolkit.content import expanded
from toolkit.errors import Location, ToolkitError
from toolkit.providers.ec2 import EC2
from toolkit.providers.ec2.form import MANAGED, meaning, options, problems

WORLD = ("0.0.0.0/0", "::/0")


@dataclass(frozen=True)
class InstanceSet:
    """Like instances: their inventory groups, type and number."""

    name: str
    groups: tuple[str, ...]
    type: str
    count: int
    spot: bool

    @property
    def hosts(self) -> tuple[str, ...]:
        """Their inventory names: worker1, worker2."""
        return tuple(f"{self.name}{number}" for number in range(1, self.count + 1))


@dataclass(frozen=True)
class Config:
    """An ec2.yml with its defaults filled in; `web_access` None means as `access`.

    `managed` has the sections of servers that AWS runs, of those that are there.
    """

    directory: Path
    name: str
    region: str
    vpc: str
    subnets: tuple[str, ...]
    image: str
    image_owner: str
    login_user: str
    key_pair: str
    key_file: Path
    access: tuple[str, ...]
    web_access: tuple[str, ...] | None
    address: str
    bastion: str
    ssh_proxy: str
    volume_gb: int
    instance_profile: str
    packages: tuple[str, ...]
    ca_certificates: tuple[Path, ...]
    tags: Mapping[str, str]
    instances: tuple[InstanceSet, ...]
    managed: Mapping[str, Mapping[str, Any]]

    @property
    def path(self) -> Path:
        """The file itself."""
        return self.directory / EC2.file

    @property
    def makes_key(self) -> bool:
        """Whether the private key is one that the toolkit makes for this cluster."""
        return self.key_file == self.directory / OWN_KEY

    def cluster(self, expected: Mapping[str, Any] | None = None) -> Cluster:
        """The cluster that these instances will be, with the inventory's settings.

        Args:
            expected: variables that its vault will have.
        """
        hosts = {host: one.groups for one in self.instances for host in one.hosts}
        return replace(Cluster.planned(self.directory, hosts, expected), hosts_file=self.path)


OWN_KEY = ".ssh-key"
"""The key that is made when ec2.yml names none; a dot file is no inventory to Ansible."""


def load(directory: Path) -> Config:
    """Read an inventory directory's ec2.yml.

    Raises:
        ToolkitError: there is none, or a value of it is wrong; says in which line.
    """
    directory = expanded(directory).resolve()
    path = directory / EC2.file
    if not path.is_file():
        raise ToolkitError(
            f"there is no {path}",
            fix=f"toolkit init {directory} --sample ec2, then edit it",
            id="ec2.no_file",
        )
    values = {name: value for name, (value, _) in read_mapping(path).items()}
    places = locations(path)
    for keys, wrong in problems(values):
        where = places.get(keys, Location(path))
        raise ToolkitError(wrong.what, where=where, fix=wrong.fix, id=wrong.id)
    found = _config(directory, values)
    kind = "managed.name" if found.managed else "name"
    for wrong in meaning(kind, found.name):
        fix = f"set name in it: {wrong.fix}"
        raise ToolkitError(wrong.what, where=str(path), fix=fix, id=wrong.id)
    return found


def _config(directory: Path, values: Mapping[str, Any]) -> Config:
    filled = {name: spec.default for name, spec in options().items()} | dict(values)
    each = {name: spec.default for name, spec in options("instances.yml").items()}
    web = filled["web_access"]
    if filled["bastion"]:
        filled["address"] = "private"
    return Config(
        **{name: filled[name] for name in ("region", "vpc", "image_owner", "login_user",
           "key_pair", "address", "bastion", "ssh_proxy", "volume_gb", "instance_profile")},
        directory=directory,
        image=filled["image"] or options()["image"].default,
        name=filled["name"] or directory.name,
        key_file=_file(directory, filled["key_file"] or OWN_KEY),
        subnets=tuple(filled["subnets"]),
        access=tuple(filled["access"]),
        web_access=None if web is None else tuple(web),
        packages=tuple(filled["packages"]),
        ca_certificates=tuple(_file(directory, name) for name in filled["ca_certificates"]),
        tags={str(key): str(value) for key, value in filled["tags"].items()},
        instances=tuple(
            InstanceSet(name, **(each | one | {"groups": tuple(one["groups"])}))
            for name, one in filled["instances"].items()
        ),
        managed={
            name: {key: spec.default for key, spec in options(f"{name}.yml").items()} | filled[name]
            for name in MANAGED if filled[name] is not None
        },
    )  # fmt: skip


def _file(directory: Path, name: str) -> Path:
    """A file named in ec2.yml; relative names are meant from where that is."""
    return directory / expanded(name)
