"""What Ansible is given about connections beside the inventory, and the strategy that they allow.

Ansible reads the inventory's variables itself. Beside them it needs the accepted host keys, jump hosts'
as well, and what the toolkit takes in another way than Ansible.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from toolkit.cluster import Cluster
from toolkit.cluster.access import Access
from toolkit.cluster.login import CONNECTIONS, ROOT, SSH_ARGS
from toolkit.hosts import HostProblem, ssh_config
from toolkit.hosts.ssh_config import Route
from toolkit.hosts.trust import ssh_option

_EACH = "toolkit_connections"
_ASKED_AT_ONCE = 8
_MITOGEN_SUDO = re.compile(r"-[EHiSn]+|--(preserve-env|set-home|login|stdin|non-interactive)")
"""Arguments for sudo that mitogen knows (mitogen.sudo.SUDO_OPTIONS)."""


def arguments(cluster: Cluster) -> list[str]:
    """Arguments for ansible-playbook."""
    known = _known(cluster.directory / "known_hosts")
    each = dict(_overrides(cluster, known))
    found = ["--ssh-extra-args", known]
    if each:
        chosen = {name: f"{{{{ {_EACH}.{name}[inventory_hostname] }}}}" for name in each}
        found += ["-e", json.dumps({_EACH: each, **chosen})]
    return found


def plain_reasons(cluster: Cluster) -> list[str]:
    """Why mitogen cannot be used, by host; [] when it can."""
    return [
        f"{host.name}: {reason}" for host in cluster.hosts for reason in _not_mitogen(host.access)
    ]


def has_key_texts(cluster: Cluster) -> bool:
    """Whether a private key is in the inventory itself: Ansible gives it to an agent of its own."""
    return any(host.access.key_text for host in cluster.hosts)


def passwords(cluster: Cluster) -> set[str]:
    """Every password for a login or for becoming root, none of which may be shown."""
    found = {
        value
        for host in cluster.all_hosts
        for value in (host.access.password, host.become_password, host.access.key_passphrase)
    }
    return {value for value in found if value}


def _not_mitogen(access: Access) -> Iterator[str]:
    if access.key_text:
        yield "mitogen takes private keys from files only"
    flags = shlex.split(access.become_flags)
    if access.become_method != "sudo" and flags:
        yield f"mitogen gives {access.become_method} no arguments"
    unknown = [flag for flag in flags if not _MITOGEN_SUDO.fullmatch(flag)]
    if access.become_method == "sudo" and unknown:
        yield f"mitogen does not know sudo's {' '.join(unknown)}"


def _overrides(cluster: Cluster, known: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Variable -> host -> value, of those that have to differ from the inventory on some host."""
    accesses = {host.name: host.access for host in cluster.hosts}
    if any("paramiko" in one.connection or one.connection == "smart" for one in accesses.values()):
        yield (
            "ansible_connection",
            {name: CONNECTIONS[one.connection] for name, one in accesses.items()},
        )
    # As root on this machine no become method is needed, and sudo need not be installed.
    if any(one.local and one.user == ROOT for one in accesses.values()):
        yield (
            "ansible_become",
            {
                name: one.becomes and not (one.local and one.user == ROOT)
                for name, one in accesses.items()
            },
        )
    routes = _routes(accesses.values())
    if any(routes[name].jumps or _extra(one) for name, one in accesses.items() if name in routes):
        yield (
            "ansible_ssh_args",
            {name: _ssh_args(one, routes.get(name), known) for name, one in accesses.items()},
        )
        nothing = dict.fromkeys(accesses, "")
        yield "ansible_ssh_common_args", nothing
        yield "ansible_ssh_extra_args", nothing


def _routes(accesses: Iterable[Access]) -> dict[str, Route]:
    """How `ssh` gets to each host; a host that it does not get to is the probe's to report."""

    def asked(access: Access) -> Route | None:
        try:
            return ssh_config.route(access)
        except HostProblem:
            return None

    remote = [access for access in accesses if not access.local]
    with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
        found = zip(remote, pool.map(asked, remote), strict=True)
        return {access.name: route for access, route in found if route}


def _ssh_args(access: Access, route: Route | None, known: str) -> str:
    """All of a host's arguments in one variable: which of them `ssh` takes depends on their order."""
    texts = [
        access.ssh_arguments(name) for name in ("ssh_args", "ssh_common_args", "ssh_extra_args")
    ]
    words = [word for text in (texts[0] or SSH_ARGS, *texts[1:]) for word in shlex.split(text)]
    first = [known] if access.checks_host_key else []
    if route and route.jumps:
        jumping = _through(route.jumps, access, known)
        first.insert(0, f"-o {shlex.quote(f'ProxyCommand={jumping}')}")
        words = list(_without_jumps(words))
    return " ".join([*first, shlex.join(words)])


def _without_jumps(words: Iterable[str]) -> Iterator[str]:
    """Arguments without -J, which `ssh` refuses beside a proxy command."""
    rest = iter(words)
    for word in rest:
        if word == "-J":
            next(rest, None)
        elif not word.startswith("-J"):
            yield word


def _extra(access: Access) -> str:
    """Extra arguments of the user's, in place of which Ansible would take ours, or the reverse."""
    return access.ssh_arguments("ssh_extra_args")


def _through(jumps: Sequence[Route], access: Access, known: str) -> str:
    """A proxy command that goes through jump hosts as ProxyJump does, and knows their keys."""
    if not access.checks_host_key:
        known = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
    file = ssh_config.configuration(ssh_config.arguments(access))
    command = ""
    for jump in jumps:
        before = f"ProxyCommand={command.replace('%', '%%')}"
        words = [
            *(
                [shlex.quote(access.ssh_program), shlex.join(file)]
                if file
                else [access.ssh_program]
            ),
            known,
            f"-o {shlex.quote(before)}" if command else "",
            f"-p {jump.port} -l {shlex.quote(jump.user)} -W '[%h]:%p'",
            shlex.quote(jump.typed),
        ]
        command = " ".join(word for word in words if word)
    return command


def _known(path: Path) -> str:
    return f"{ssh_option(path)} -o StrictHostKeyChecking=yes"
