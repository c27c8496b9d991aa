"""From the name of a distribution to the AMI to boot."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from toolkit.errors import ToolkitError
from toolkit.providers.ec2.account import Account
from toolkit.providers.ec2.config import Config
from toolkit.providers.ec2.distributions import DISTRIBUTIONS


@dataclass(frozen=True)
class Image:
    """An AMI, and the device name of its root volume."""

    id: str
    root_device: str


def login_user(config: Config) -> str:
    """The user to log in as."""
    return config.login_user or DISTRIBUTIONS[config.image].user


def resolve(account: Account, config: Config, types: Iterable[str]) -> dict[str, Image]:
    """The AMI for each instance type.

    Raises:
        ToolkitError: no such type, or no such AMI in this region.
    """
    architectures = _architectures(account, sorted(set(types)))
    found = {one: _image(account, config, one) for one in sorted(set(architectures.values()))}
    return {name: found[architecture] for name, architecture in architectures.items()}


def _architectures(account: Account, types: list[str]) -> dict[str, str]:
    answer = account.ec2.describe_instance_types(InstanceTypes=types) if types else {}
    supported = {
        one["InstanceType"]: one["ProcessorInfo"]["SupportedArchitectures"]
        for one in answer.get("InstanceTypes", ())
    }
    return {name: "arm64" if "arm64" in words else "x86_64" for name, words in supported.items()}


def _image(account: Account, config: Config, architecture: str) -> Image:
    images = account.ec2.describe_images(**_query(account, config, architecture))["Images"]
    if not images:
        raise ToolkitError(
            f"there is no image {config.image} for {architecture} in {account.region}",
            where=str(config.path),
            fix="choose another image or instance type",
            id="ec2.wrong_value",
        )
    newest = max(images, key=lambda image: str(image.get("CreationDate", "")))
    if newest.get("Architecture", architecture) != architecture:
        raise ToolkitError(
            f"{newest['ImageId']} is for {newest['Architecture']}, the instance type for "
            f"{architecture}",
            where=str(config.path),
            fix="choose another image or instance type",
            id="ec2.wrong_value",
        )
    return Image(newest["ImageId"], newest["RootDeviceName"])


def _query(account: Account, config: Config, architecture: str) -> dict[str, Any]:
    if config.image_owner:
        wanted = {"name": config.image, "architecture": architecture, "state": "available"}
        filters = [{"Name": name, "Values": [value]} for name, value in wanted.items()]
        return {"Owners": [config.image_owner], "Filters": filters}
    if config.image.startswith("ami-"):
        return {"ImageIds": [config.image]}
    distribution = DISTRIBUTIONS[config.image]
    name = distribution.parameter.format(arch=getattr(distribution, architecture))
    return {"ImageIds": [account.ssm.get_parameter(Name=name)["Parameter"]["Value"]]}
