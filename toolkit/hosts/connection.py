"""Opening the way to a host: by SSH, or none to be opened where the host is this machine."""

from __future__ import annotations

import threading

from toolkit.cluster import Host
from toolkit.hosts.local import LocalWay
from toolkit.hosts.problem import Login
from toolkit.hosts.ssh import Connector
from toolkit.hosts.trust import Trust
from toolkit.hosts.way import Way


class Opener:
    """Opens the ways to the hosts of one cluster; safe to use from many threads.

    Args:
        trust: the cluster's known host keys.
        timeout: seconds for each of: connecting, the server's greeting, the login.
    """

    def __init__(self, trust: Trust, timeout: float) -> None:
        self._trust = trust
        self._timeout = timeout
        self._lock = threading.Lock()
        self._connector: Connector | None = None

    def open(self, host: Host) -> Way:
        """Connect to a host and log in.

        Raises:
            HostProblem: of kind ssh_config, unreachable, auth, key_mode, key_missing or
                host_key_changed.
        """
        access = host.access
        if access.local:
            user = access.user or ""
            return LocalWay(Login(host.name, user, "localhost", 0, local=True,
                                  become=access.become_method))  # fmt: skip
        with self._lock:
            # Made by the first thread that connects: it imports fabric, which takes half a second.
            connector = self._connector = self._connector or Connector(self._trust, self._timeout)
        return connector.open(access)
