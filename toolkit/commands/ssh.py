"""`toolkit ssh`: a shell on a host."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from toolkit.commands import options
from toolkit.errors import ToolkitError

if TYPE_CHECKING:
    from toolkit.cluster import Inventory


@click.command(
    context_settings={"ignore_unknown_options": True},
    epilog="""\b
Examples:
  toolkit ssh -i inventory/prod w1
  toolkit ssh -i inventory/prod w1 -b               a root shell
  toolkit ssh -i inventory/prod w1 -- htop
\b
Exit status: that of the shell or command; 255 the connection broke.
""",
)
@options.inventory
@click.option(
    "-b", "--become", is_flag=True, help="As root, as with -K; without both as the login user."
)
@options.become_password
@click.argument("host", metavar="HOST")
@click.argument("words", nargs=-1, metavar="[-- COMMAND...]")
def command(
    inventory: Inventory,
    become: bool,
    become_password: str | None,
    host: str,
    words: tuple[str, ...],
) -> int:
    """Open a shell on a host, with the inventory's user, key, port and jump hosts."""
    import difflib

    from toolkit.cluster import Cluster
    from toolkit.hosts import Remote

    cluster = Cluster.load(inventory)
    names = [one.name for one in cluster.all_hosts]
    chosen = next((one for one in cluster.all_hosts if one.name == host), None)
    if chosen is None:
        near = difflib.get_close_matches(host, names, 1)
        raise ToolkitError(
            f"{cluster.name} has no host {host}" + (f"; did you mean {near[0]}?" if near else ""),
            where=str(cluster.directory),
            fix="use one of: " + ", ".join(names),
        )
    on_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    argv = list(words) or ["sh", "-c", 'exec "${SHELL:-/bin/sh}" -l']
    as_root = become or become_password is not None
    with Remote(cluster, become_password=become_password) as remote:
        stdin = None if sys.stdin.isatty() else sys.stdin.buffer
        return remote.run(chosen, argv, become=as_root, pty=on_terminal, stdin=stdin)
