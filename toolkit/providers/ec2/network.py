"""Where instances go, and from where people come."""

from __future__ import annotations

import ipaddress
import urllib.error
import urllib.request
from dataclasses import dataclass

from toolkit.errors import ToolkitError
from toolkit.providers.ec2.account import Account
from toolkit.providers.ec2.config import Config

WHO_AM_I = "https://checkip.amazonaws.com"
"""Amazon's own service that answers with the caller's address."""


@dataclass(frozen=True)
class Network:
    """A VPC and its subnets, the preferred one first."""

    vpc: str
    subnets: tuple[str, ...]


def resolve(account: Account, config: Config) -> Network:
    """The VPC and subnets that ec2.yml means.

    Raises:
        ToolkitError: there is no default VPC, or no subnet.
    """
    vpc = config.vpc or _default_vpc(account, config)
    if config.subnets:
        return Network(vpc, config.subnets)
    pages = account.ec2.get_paginator("describe_subnets").paginate(
        Filters=[{"Name": "vpc-id", "Values": [vpc]}]
    )
    found = [subnet for page in pages for subnet in page["Subnets"]]
    if not found:
        raise ToolkitError(
            f"{vpc} has no subnets",
            where=str(config.path),
            fix="name another vpc, or make one",
            id="ec2.wrong_value",
        )
    found.sort(key=lambda subnet: (subnet["AvailabilityZone"], subnet["SubnetId"]))
    return Network(vpc, tuple(subnet["SubnetId"] for subnet in found))


def _default_vpc(account: Account, config: Config) -> str:
    answer = account.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])
    for vpc in answer["Vpcs"]:
        return str(vpc["VpcId"])
    raise ToolkitError(
        f"{account.region} has no default VPC",
        where=str(config.path),
        fix="name one with vpc, or: aws ec2 create-default-vpc",
        id="ec2.wrong_value",
    )


def zones(account: Account, network: Network) -> set[str]:
    """The availability zones that a network's subnets are in."""
    found = account.ec2.describe_subnets(SubnetIds=list(network.subnets))["Subnets"]
    return {subnet["AvailabilityZone"] for subnet in found}


def access(config: Config) -> tuple[str, ...]:
    """The networks that may reach SSH: those of ec2.yml, else this machine's own address."""
    return config.access or (own_network(WHO_AM_I),)


def own_network(service: str) -> str:
    """The address that this machine is seen with, as a network of one.

    Args:
        service: URL of a service that answers with it.

    Raises:
        ToolkitError: it does not answer, or with something else.
    """
    try:
        with urllib.request.urlopen(service, timeout=10) as answer:
            address = ipaddress.ip_address(answer.read(64).decode("ascii").strip())
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise ToolkitError(
            f"{service} does not give this machine's address: {error}",
            fix="name the networks that may reach SSH in ec2.yml: access: [203.0.113.7/32]",
            id="ec2.own_address",
        ) from None
    return f"{address}/{address.max_prefixlen}"
