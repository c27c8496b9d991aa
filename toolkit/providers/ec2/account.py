"""The AWS account and region that calls go to."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from toolkit.errors import ToolkitError


@dataclass(frozen=True)
class Account:
    """A signed-in account with its clients, which boto3 makes at first use."""

    session: Any = field(repr=False)
    number: str
    region: str

    _clients: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def client(self, service: str) -> Any:
        """The client of a service, by boto3's name for it."""
        if service not in self._clients:
            self._clients[service] = _client(self.session, service)
        return self._clients[service]

    @property
    def ec2(self) -> Any:
        """The client of EC2."""
        return self.client("ec2")

    @property
    def ssm(self) -> Any:
        """The client of Systems Manager, which holds the ids of public AMIs."""
        return self.client("ssm")


def _client(session: Any, service: str) -> Any:
    from botocore.config import Config

    # Throttling and dropped connections: botocore tries again, waiting up to 20 s in between.
    own = {} if os.environ.get("AWS_MAX_ATTEMPTS") else {"total_max_attempts": 8}
    retries = {"mode": "standard", **own}
    timeouts = {"connect_timeout": 10, "read_timeout": 60}
    return session.client(service, config=Config(retries=retries, **timeouts))


def sign_in(profile: str | None, region: str | None) -> Account:
    """Find credentials the way boto3 does, and ask AWS whose they are.

    Args:
        profile: of ~/.aws/config; None for the environment's.
        region: None for that of the profile or environment.

    Raises:
        ToolkitError: no region is known.
        botocore.exceptions.BotoCoreError: see toolkit.ec2.errors.
    """
    import boto3

    session = boto3.Session(profile_name=profile, region_name=region)
    if not session.region_name:
        raise ToolkitError(
            "which region?",
            fix="set region in ec2.yml, for example region: eu-central-1",
            id="ec2.wrong_value",
        )
    identity = _client(session, "sts").get_caller_identity()
    return Account(session, identity["Account"], session.region_name)
