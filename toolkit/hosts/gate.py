"""What Airflow finds in a release of DAGs on a host, before it is deployed (onhost/gate.py)."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from toolkit.cluster import Host
from toolkit.errors import ToolkitError
from toolkit.hosts.answer import read
from toolkit.hosts.dags import PATIENCE
from toolkit.hosts.problem import HostProblem
from toolkit.hosts.remote import Remote
from toolkit.onhost.bundle import program


@dataclass(frozen=True)
class KnownDag:
    """A DAG that Airflow has: its bundle ("" in Airflow 2), its file, and how many runs are unfinished."""

    dag: str
    bundle: str = ""
    file: str = ""
    runs: int = 0


@dataclass(frozen=True)
class Tests:
    """How pytest ended: its exit status, and the end of its output."""

    status: int
    output: str = ""


@dataclass(frozen=True)
class Gate:
    """What Airflow finds in a release (onhost/in_airflow/dags.py).

    Attributes:
        files: how many files may have DAGs.
        dags: id -> file.
        errors: file -> what Python says.
        known: the DAGs that Airflow has now.
        tests: of --pytest.
        error: why there is no answer.
        reading: the file that was being imported when it ended.
    """

    files: int = 0
    dags: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    known: tuple[KnownDag, ...] = ()
    tests: Tests | None = None
    error: str = ""
    reading: str = ""


@dataclass(frozen=True)
class Kept:
    """DAGs that were written into Airflow's database: since when (UTC, by that host's clock); or why they were not."""

    since: str = ""
    error: str = ""


class Importing:
    """Airflow's reading of a release on one host, which goes on while the release is brought to the others.

    Args:
        unit: whose sandbox, user and environment it has.
        release: the id.
        tests: a path in the release that pytest runs; "" for none.
    """

    def __init__(
        self, remote: Remote, host: Host, unit: str, release: str, tests: str = ""
    ) -> None:
        self._remote = remote
        self.host = host
        self._token = secrets.token_hex(8)
        self._begin = {
            "unit": unit,
            "question": {"release": release, "patience": PATIENCE, "tests": tests},
        }

    def begin(self) -> None:
        """Start it; it waits for the release.

        Raises:
            ToolkitError: the unit is not there, or could not be started.
            HostProblem: the host cannot be reached.
        """
        answer = self._ask("begin", self._begin, 60)
        if answer["error"]:
            raise ToolkitError(
                f"DAGs cannot be imported on this host: {answer['error']}",
                where=self.host.name,
                fix="toolkit provision",
            )

    def found(self) -> Gate:
        """What it found."""
        answer = self._ask("examine", {"timeout": PATIENCE}, PATIENCE + 30)
        return read(Gate, answer.get("found", answer))

    def keep(self, files: list[str], removed: list[str]) -> Kept:
        """Have DAGs of these files written into Airflow's database."""
        wanted = {"files": files, "removed": removed}
        answer = self._ask("keep", {"dags": wanted, "timeout": PATIENCE}, PATIENCE + 30)
        return read(Kept, answer.get("stored", answer))

    def end(self) -> None:
        """Stop it."""
        self._ask("end", {}, 60)

    def _ask(self, action: str, payload: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        return self._remote.run_script(
            self.host,
            program("gate"),
            {"action": action, "token": self._token, **payload},
            timeout=timeout,
        )


def end_left(remote: Remote, host: Host) -> None:
    """Stop what deploys that were killed have left on a host."""
    remote.run_script(host, program("gate"), {"action": "clear"})


@contextmanager
def importing(
    remote: Remote, host: Host, unit: str, release: str, tests: str = ""
) -> Iterator[Importing]:
    """The same, stopped at the end whatever happens; one that cannot be stopped ends by itself."""
    one = Importing(remote, host, unit, release, tests)
    try:
        yield one
    finally:
        with suppress(HostProblem):
            one.end()
