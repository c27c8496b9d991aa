"""The user data of an instance, for cloud-init at its first boot."""

from __future__ import annotations

from pathlib import Path

import jinja2

from toolkit.content import content_dir
from toolkit.errors import ToolkitError
from toolkit.providers.ec2.config import Config

LIMIT = 16384
"""Bytes of user data that EC2 takes, before base64."""


def render(config: Config) -> str:
    """The cloud-config, from templates/user_data.yml.j2; "" when there is nothing to do.

    Raises:
        ToolkitError: a certificate cannot be read, or it all is too long for EC2.
    """
    if not config.packages and not config.ca_certificates:
        return ""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(content_dir() / "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    text = environment.get_template("user_data.yml.j2").render(
        packages=list(config.packages), certificates=_certificates(config)
    )
    if len(text.encode()) > LIMIT:
        raise ToolkitError(
            f"ca_certificates make {len(text.encode())} bytes of user data, EC2 takes {LIMIT}",
            where=str(config.path),
            fix="name only the certificates that are needed",
            id="ec2.wrong_value",
        )
    return text


def _certificates(config: Config) -> list[str]:
    return [_certificate(path, config) for path in config.ca_certificates]


def _certificate(path: Path, config: Config) -> str:
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ToolkitError(
            f"{path} cannot be read: {error}",
            where=str(config.path),
            fix="name a PEM file in ca_certificates",
            id="ec2.wrong_value",
        ) from None
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise ToolkitError(
            f"{path} holds no PEM certificate",
            where=str(config.path),
            fix="openssl x509 -inform der -in FILE -out FILE.pem makes one",
            id="ec2.wrong_value",
        )
    return text
