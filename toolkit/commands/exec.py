"""`toolkit exec`: a command on all hosts at once."""

from __future__ import annotations

import json
import shlex
import sys
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import click

from toolkit.commands import options
from toolkit.errors import EXIT_FAILED, ToolkitError

if TYPE_CHECKING:
    from toolkit.cluster import Host, Inventory


@click.command(
    context_settings={"ignore_unknown_options": True},
    epilog="""\b
Examples:
  toolkit exec -i inventory/prod -- uptime
  toolkit exec -i inventory/prod -l worker -b -- systemctl is-active airflow-worker
  toolkit exec -i inventory/prod -- 'df -h / | tail -1'     one argument is a line for sh, as with ssh
\b
Exit status: 0 it succeeded on every host; 1 on some it did not; 2 no such host.
""",
)
@options.inventory
@options.limit
@click.option(
    "-b", "--become", is_flag=True, help="As root, as with -K; without both as the login user."
)
@options.become_password
@options.as_json
@click.argument("words", nargs=-1, required=True, metavar="-- COMMAND...")
def command(
    inventory: Inventory,
    limit: str | None,
    become: bool,
    become_password: str | None,
    as_json: bool,
    words: tuple[str, ...],
) -> int:
    """Run a command on all hosts at once, and sum up how it ended."""
    from toolkit.cluster import Cluster
    from toolkit.hosts import HostProblem, Remote
    from toolkit.hosts.way import STDOUT
    from toolkit.run.by_host import ByHost
    from toolkit.run.interrupts import Interrupts

    cluster = Cluster.load(inventory).limited(limit)
    if not cluster.hosts:
        raise ToolkitError(
            "no host is in play",
            where=f"--limit {limit}",
            fix="toolkit status -i DIR shows the hosts",
        )
    shown = ByHost(host.name for host in cluster.hosts)
    texts: defaultdict[tuple[str, int], bytes] = defaultdict(bytes)

    def hear(host: Host, stream: int, chunk: bytes) -> None:
        texts[host.name, stream] += chunk if as_json else b""
        target = sys.stdout if stream == STDOUT else sys.stderr
        if not as_json:
            shown.hear(host.name, stream, chunk, lambda line: shown.write(host.name, line, target))

    line = f"sh -c {shlex.quote(words[0])}" if len(words) == 1 else shlex.join(words)
    with Interrupts().heard(), Remote(cluster, become_password=become_password) as remote:
        ended = remote.follow_all(
            cluster.hosts, lambda _: line, hear, become=become or become_password is not None
        )
    results = {host.name: ended[host.name] for host in cluster.hosts}
    if as_json:
        click.echo(json.dumps({
            "ok": all(one == 0 for one in results.values()),
            "hosts": {name: _as_json(one, texts, name) for name, one in results.items()},
        }, indent=2))  # fmt: skip
    else:
        for host in cluster.hosts:
            for stream, target in ((1, sys.stdout), (2, sys.stderr)):
                rest = shown.rest(host.name, stream)
                if rest:
                    shown.write(host.name, rest, target)
        for one in results.values():
            if isinstance(one, HostProblem):
                click.echo(str(one), err=True)
        click.echo(summary(results), err=True)
    return 0 if all(one == 0 for one in results.values()) else EXIT_FAILED


def _as_json(ended: Any, texts: dict[tuple[str, int], bytes], name: str) -> dict[str, Any]:
    from toolkit.hosts import HostProblem

    problem = isinstance(ended, HostProblem)
    return {
        "status": None if problem else ended,
        "stdout": texts[name, 1].decode(errors="replace"),
        "stderr": texts[name, 2].decode(errors="replace"),
        "problem": ended.what if problem else None,
        "fix": ended.fix if problem else None,
    }


def summary(results: dict[str, Any]) -> str:
    """Which hosts ended how: "exit status 0: h1, h2; 1: h3; not reached: h4"."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name, one in results.items():
        groups[str(one) if isinstance(one, int) else "not reached"].append(name)
    return "exit status " + "; ".join(
        f"{how}: {', '.join(names)}" for how, names in sorted(groups.items())
    )
