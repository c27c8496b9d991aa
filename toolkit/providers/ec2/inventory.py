"""hosts.aws_ec2.yml: how Ansible finds the instances, with or without the toolkit."""

from __future__ import annotations

import shlex
from pathlib import Path

import jinja2
import yaml

from toolkit.content import content_dir
from toolkit.errors import ToolkitError
from toolkit.hosts.trust import ssh_option
from toolkit.providers.ec2.config import Config
from toolkit.providers.ec2.form import BASTION
from toolkit.providers.ec2.found import CLUSTER_TAG, GROUPS_TAG, HOST_TAG, LIVE, USER_TAG
from toolkit.providers.ec2.images import login_user

FILE = "hosts.aws_ec2.yml"
"""Ansible's plugin takes files whose names end in aws_ec2.yml."""


def write(config: Config, region: str, profile: str | None, bastion: str) -> None:
    """Write the file; the same content is left alone.

    Args:
        bastion: address of the cluster's own bastion; "" while or where there is none.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(content_dir() / "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    text = environment.get_template(f"{FILE}.j2").render(
        region=region, profile=profile, cluster=config.name, cluster_tag=CLUSTER_TAG,
        states=LIVE, host_tag=HOST_TAG, groups_tag=GROUPS_TAG, user_tag=USER_TAG,
        public=config.address != "private", key_file=config.key_file,
        ssh_arguments=ssh_arguments(config, bastion), bastion=BASTION,
    )  # fmt: skip
    path = config.directory / FILE
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def ssh_arguments(config: Config, bastion: str) -> str:
    """What makes ssh go through another host: the user's, or the bastion that was made."""
    if not bastion:
        return f"-o ProxyJump={config.ssh_proxy}" if config.ssh_proxy else ""
    # ProxyJump would look for key and host key where ssh looks by itself, not in the inventory.
    known = ssh_option(config.directory / "known_hosts")
    command = (
        f"ssh -i {shlex.quote(str(config.key_file))} {known} "
        "-o StrictHostKeyChecking=accept-new -o HashKnownHosts=no -o BatchMode=yes -o ConnectTimeout=10 "
        f"-W [%h]:%p {login_user(config)}@{bastion}"
    )
    return f"-o {shlex.quote(f'ProxyCommand={command}')}"


def remove(config: Config) -> None:
    """Remove the file: the instances that it finds are gone."""
    (config.directory / FILE).unlink(missing_ok=True)


def refuse_other_region(config: Config, region: str) -> None:
    """Refuse to work in another region than the one that the cluster was made in.

    Raises:
        ToolkitError: the cluster would be made a second time, or its removal find nothing.
    """
    path = config.directory / FILE
    known = _region(path)
    if known and known != region:
        raise ToolkitError(
            f"the cluster's instances are in {known}, not in {region}",
            where=str(path),
            fix=f"give --region {known}, or set region: {known} in ec2.yml; "
            "toolkit ec2 down removes it there",
            id="ec2.other_place",
        )


def _region(path: Path) -> str | None:
    if not path.exists():
        return None
    regions = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("regions") or [None]
    return None if regions[0] is None else str(regions[0])
