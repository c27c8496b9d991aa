"""Where each distribution's publisher keeps the newest AMI, and the user that its AMIs have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Distribution:
    """Where its publisher keeps the newest AMI's id, and the user that its AMIs have.

    Attributes:
        parameter: name of the public SSM parameter, with {arch} in it.
        user: the login user.
        arm64, x86_64: the publisher's words for the architectures.
    """

    parameter: str
    user: str
    arm64: str = "arm64"
    x86_64: str = "amd64"


_UBUNTU = "/aws/service/canonical/ubuntu/server/{}/stable/current/{{arch}}/hvm/ebs-gp{}/ami-id"
_DEBIAN = "/aws/service/debian/release/{}/latest/{{arch}}"
_AMAZON = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{arch}"

# Names of the parameters: the publishers' own pages (documentation.ubuntu.com/aws,
# wiki.debian.org/Cloud/AmazonEC2Image, docs.aws.amazon.com/linux/al2023).
DISTRIBUTIONS: Mapping[str, Distribution] = {
    "ubuntu-22.04": Distribution(_UBUNTU.format("22.04", 2), "ubuntu"),
    "ubuntu-24.04": Distribution(_UBUNTU.format("24.04", 3), "ubuntu"),
    "debian-12": Distribution(_DEBIAN.format("12"), "admin"),
    "debian-13": Distribution(_DEBIAN.format("13"), "admin"),
    "al2023": Distribution(_AMAZON, "ec2-user", x86_64="x86_64"),
}
