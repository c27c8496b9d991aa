"""Images of lab hosts: bare distributions as a cloud provider would boot them, built once."""

from __future__ import annotations

import difflib
import hashlib
import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from toolkit.errors import ToolkitError
from toolkit.providers.lab.machine import one_at_a_time, podman, prepared

USER = "admin"
"""The login user, as in Debian's own cloud images."""


_CLOUD = (
    "systemd", "systemd-sysv", "dbus", "openssh-server", "python3", "sudo", "iproute2",
    "ca-certificates", "procps", "acl",
)  # fmt: skip
# What installs RPMs, and the libraries that al2023's own RPMs are linked with.
_RPM = (
    "dnf", "python3-dnf", "rpm", "createrepo-c", "file", "logrotate", "libatomic1", "libicu67",
    "libjemalloc2", "liblua5.1-0", "liblz4-1", "liblzf1", "libreadline8", "libsqlite3-0",
    "lua-bitop", "lua-cjson",
)  # fmt: skip


@dataclass(frozen=True)
class Image:
    """What an image is made of.

    Attributes:
        suite: of Debian.
        shows: what it can and cannot stand in for, in one line.
        packages: what a bare cloud image has.
        recipe: a directory beside this file; its `setup` runs on the empty root, its `customize`
            on the installed one.
        apt_options: apt.conf(5) lines for building and for the host.
        takes: what a user who waits for the build reads.
    """

    suite: str
    shows: str = field(repr=False)
    packages: tuple[str, ...] = _CLOUD
    recipe: str = field(default="", repr=False)
    apt_options: tuple[str, ...] = ()
    takes: str = field(default="about a minute", repr=False)

    def recipe_files(self) -> list[Path]:
        """The files of the recipe, in the order of their names."""
        return sorted((Path(__file__).parent / self.recipe).iterdir()) if self.recipe else []


IMAGES = {
    "debian12": Image("bookworm", "Debian 12"),
    "debian13": Image("trixie", "Debian 13"),
    "debian-sid": Image(
        "sid",
        "Debian's development branch; the only one that has MySQL",
        # Its Release file is valid for a week only, and mirrors may be older.
        apt_options=('Acquire::Check-Valid-Until "false"',),
    ),
    "ubuntu-like": Image(
        "bookworm",
        "Debian 12 under Ubuntu's name: our code's path, not Ubuntu's packages",
        recipe="ubuntu",
    ),
    "al2023-like": Image(
        "bullseye",
        "Debian 11 in the guise of Amazon Linux 2023: our dnf path, not Amazon's packages or kernel",
        (*_CLOUD, *_RPM),
        recipe="al2023",
        takes="5 to 9 minutes: it compiles PostgreSQL and Python",
    ),
}

_CUSTOMIZE = (
    f'chroot "$1" useradd --create-home --shell /bin/bash {USER}',
    f"echo '{USER} ALL=(ALL) NOPASSWD: ALL' > \"$1/etc/sudoers.d/{USER}\"",
    # Every host makes its own; apt's lists are as cold as on a new machine.
    'rm -rf "$1"/etc/ssh/ssh_host_* "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin',
    'chroot "$1" update-ca-certificates --fresh >/dev/null',
    'truncate -s 0 "$1/etc/machine-id"',
)
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def extra_certificates() -> list[str]:
    """CA certificates that this machine trusts beyond its distribution's own, as PEM texts."""
    bundle = Path(os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"))
    if not bundle.exists():
        return []
    shipped = Path("/usr/share/ca-certificates")
    known = {
        "".join(text.split())
        for path in shipped.rglob("*.crt")
        for text in _CERTIFICATE.findall(path.read_text(errors="replace"))
    }
    found = _CERTIFICATE.findall(bundle.read_text(errors="replace"))
    return [text for text in found if "".join(text.split()) not in known]


def ensure(name: str, report: Callable[[str], None]) -> str:
    """The podman reference of an image; built first when the cache lacks it.

    Raises:
        ToolkitError: there is no such image, or it cannot be built.
    """
    if name not in IMAGES:
        near = difflib.get_close_matches(name, IMAGES, 1)
        raise ToolkitError(
            f"there is no lab image {name}" + (f"; did you mean {near[0]}?" if near else ""),
            fix="use one of: " + ", ".join(IMAGES),
        )
    prepared()
    image, certificates = IMAGES[name], extra_certificates()
    scripts = [(path.name, path.read_bytes()) for path in image.recipe_files()]
    recipe = repr((image, _CUSTOMIZE, *scripts, certificates))
    reference = f"localhost/toolkit-lab-{name}:{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    with one_at_a_time(f"lab-{name}.building"):
        if podman("image", "exists", reference, check=False).returncode:
            report(f"lab: building image {name} with mmdebstrap, once ({image.takes})")
            _build(image, certificates, reference)
    return reference


def _build(image: Image, certificates: list[str], reference: str) -> None:
    with tempfile.TemporaryDirectory(prefix="toolkit-lab-") as scratch:
        tar = Path(scratch) / "image.tar"
        authorities = Path(scratch) / "authorities"
        authorities.mkdir()
        for number, text in enumerate(certificates):
            (authorities / f"machine-{number}.crt").write_text(text + "\n")
        hooks = [f'cp -r {authorities}/. "$1/usr/local/share/ca-certificates/"', *_CUSTOMIZE]
        setup: list[str] = []
        if image.recipe:
            directory = shlex.quote(str(Path(__file__).parent / image.recipe))
            setup = [f'sh {directory}/setup "$1"']
            hooks = [f'sh {directory}/customize "$1"', *hooks]
        command = ["mmdebstrap", "--quiet", "--variant=minbase",
                   f"--include={','.join(image.packages)}",
                   *(f"--aptopt={option}" for option in image.apt_options),
                   *(f"--setup-hook={hook}" for hook in setup),
                   *(f"--customize-hook={hook}" for hook in hooks),
                   image.suite, str(tar)]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.startswith("E:")]
            raise ToolkitError(
                f"mmdebstrap could not build the image: {(lines or [done.stderr[-300:]])[0]}",
                fix="check that this machine's package mirror answers: apt-get update",
            )
        podman("import", "--quiet", str(tar), reference, timeout=600)
