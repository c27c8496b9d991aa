"""Who makes the hosts of a cluster."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.errors import NoHostsError, ToolkitError
from toolkit.providers.ec2 import EC2
from toolkit.providers.provider import Provider

if TYPE_CHECKING:
    from toolkit.cluster import Cluster

PROVIDERS = (EC2,)
"""Those that make hosts from a file in the inventory directory; lab hosts are written into it."""


def provider_of(directory: Path) -> Provider | None:
    """Who makes the hosts of an inventory; None where a user wrote them down."""
    return next((one for one in PROVIDERS if (directory / one.file).exists()), None)


def explained(error: ToolkitError) -> ToolkitError:
    """An error of the inventory's, by whoever would have made its hosts."""
    if not isinstance(error, NoHostsError):
        return error
    provider = provider_of(error.directory)
    return provider.missing_hosts(error.directory) if provider else error


def described(cluster: Cluster) -> Cluster:
    """The cluster with the file that describes its hosts, for messages."""
    provider = provider_of(cluster.directory)
    return replace(cluster, hosts_file=cluster.directory / provider.file) if provider else cluster
