"""ec2.yml in few words, for the tests of what follows from it."""

from __future__ import annotations

from pathlib import Path

from toolkit.providers.ec2 import config, firewall

KEY = "ssh-ed25519 AAAAC3Nza"
ONE = "instances: {main: {groups: [metadata_db, scheduler, webserver], type: t3.medium}}\n"


def load(directory: Path, text: str = ONE) -> config.Config:
    (directory / "ec2.yml").write_text(text)
    return config.load(directory)


def wanted(
    chosen: config.Config, access: str = "203.0.113.7/32"
) -> tuple[firewall.SecurityGroup, ...]:
    return firewall.wanted(chosen, chosen.cluster(), [access])
