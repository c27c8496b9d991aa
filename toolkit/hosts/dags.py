"""Releases of DAGs on the hosts of a cluster."""

from __future__ import annotations

import io
import tarfile
import tempfile
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolkit.cluster import Cluster, Host
from toolkit.cluster.dags import File
from toolkit.cluster.topology import airflow_components, records
from toolkit.errors import ToolkitError
from toolkit.hosts.answer import read
from toolkit.hosts.problem import HostProblem, answered
from toolkit.hosts.remote import Remote
from toolkit.onhost import dags
from toolkit.onhost.bundle import program

fingerprints: Callable[[Iterable[Mapping[str, Any]]], dict[str, str]] = dags.fingerprints
"""Path -> what makes a file the same, of a manifest's lines; here as on a host."""
PATIENCE = 600
"""Seconds for what depends on how much there is: contents on their way, DAGs that are imported."""
_CHUNK = 1 << 18


@dataclass(frozen=True)
class Switched:
    """When a release became the current one.

    Attributes:
        when: ISO 8601 in UTC.
        by: user@machine.
        dags: how many DAGs it has.
        former: the id of the release that was current before; "" for the first one.
        source, ref, commit, modified: as of the release, where the same files came from elsewhere since it was made;
            source is "" where they did not.
    """

    when: str = ""
    by: str = ""
    dags: int = 0
    former: str = ""
    source: str = ""
    ref: str = ""
    commit: str = ""
    modified: bool = False


@dataclass(frozen=True)
class Release:
    """A release on a host.

    Attributes:
        digest: of its files.
        made: when, ISO 8601 in UTC.
        by: user@machine.
        source: the folder or repository that it is from, without a password.
        ref: branch or tag; "" where there is none.
        commit: of git; "" where nobody knows.
        modified: whether the folder had changes that were in no commit.
        switched: when it was made the current one; None when it never was.
    """

    id: str
    digest: str
    made: str = ""
    by: str = ""
    source: str = ""
    ref: str = ""
    commit: str = ""
    modified: bool = False
    switched: Switched | None = None

    @property
    def origin(self) -> Release | Switched:
        """What says where it is from: the deploy that made it current again, else the one that made it."""
        return self.switched if self.switched and self.switched.source else self

    @property
    def moment(self) -> str:
        """When it was last made the current one, else when it was made; ISO 8601 in UTC."""
        return self.switched.when if self.switched else self.made


@dataclass(frozen=True)
class HostDags:
    """What onhost/dags.py says of a host.

    Attributes:
        ready: whether the toolkit that provisioned it knew of deploys.
        current: the id of the current release; "" where DAGs are not deployed.
        folder: where dags/current leads; "" when it is no link.
        files: of the current release, path -> what makes a file the same (`fingerprints`).
        releases: all complete ones.
        lacks: digests of contents that it has not.
        free: bytes.
        stale: units of Airflow that began before the current release's plugins were there.
    """

    ready: bool
    current: str = ""
    folder: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    releases: tuple[Release, ...] = ()
    lacks: tuple[str, ...] = ()
    free: int = 0
    stale: tuple[str, ...] = ()

    def has(self, release: str) -> bool:
        """Whether a release is there, and nothing of what was asked for is missing."""
        return not self.lacks and any(one.id == release for one in self.releases)


def unit_of(component: str) -> str:
    """The unit of a component of Airflow."""
    return f"airflow-{component}.service"


def dag_hosts(cluster: Cluster) -> list[Host]:
    """The hosts that get DAGs: all that run a part of Airflow."""
    return [host for host in cluster.all_hosts if airflow_components(cluster, host)]


def parsing_hosts(cluster: Cluster) -> list[tuple[Host, str]]:
    """The hosts whose component reads DAG files for the database, with its unit."""
    parsing = [one.name for one in records(cluster).values() if one.parses_dags]
    return [
        (host, unit_of(name))
        for host in cluster.all_hosts
        for name in parsing
        if name in airflow_components(cluster, host)
    ]


def inspect(
    cluster: Cluster,
    remote: Remote,
    hosts: Iterable[Host],
    files: Iterable[File] = (),
    lost: Callable[[HostProblem], None] | None = None,
) -> dict[str, HostDags]:
    """What is on each host, and which of these files' contents it lacks.

    Args:
        lost: called with what is wrong with hosts that cannot be asked, which are left out then.

    Raises:
        HostProblem: a host cannot be asked; the first of them.
    """
    units = [unit_of(name) for name in records(cluster)]
    payload = {"action": "inspect", "files": [one.as_json() for one in files], "units": units}
    answers = remote.fan_out(hosts, program("dags"), payload, timeout=PATIENCE)
    if lost:
        for name, one in list(answers.items()):
            if isinstance(one, HostProblem):
                lost(one)
                del answers[name]
    return {name: read(HostDags, answer) for name, answer in answered(answers).items()}


def send(
    remote: Remote, lacking: Mapping[str, tuple[str, ...]], hosts: list[Host],
    manifest: Mapping[str, Any], files: Iterable[File],
) -> None:  # fmt: skip
    """Build a release on hosts, all at once.

    Args:
        lacking: host -> digests of contents that it has not.
        manifest: of the release, without its files.

    Raises:
        ToolkitError: it could not be built on a host.
        HostProblem: a host cannot be reached.
    """
    files = list(files)
    payload = {
        "action": "receive",
        "manifest": {**manifest, "files": [one.as_json() for one in files]},
    }
    with tempfile.TemporaryDirectory(prefix="toolkit-deploy-") as scratch:
        archives = {
            digests: _archive(f"{scratch}/{number}", digests, files)
            for number, digests in enumerate({lacking[host.name] for host in hosts})
        }
        answers = remote.fan_out(
            hosts, program("dags"), payload, timeout=PATIENCE,
            data=lambda host: _chunks(archives[lacking[host.name]]),
        )  # fmt: skip
    for host in hosts:
        error = answered(answers)[host.name]["error"]
        if error:
            raise ToolkitError(
                f"the DAGs cannot be stored on this host: {error}",
                where=host.name,
                fix="see how full it is: toolkit status; then: df -h /var/lib/airflow"
                if "space" in error
                else "run it again; see /var/lib/airflow/dags/releases on this host",
            )


def files_of(remote: Remote, host: Host, release: str) -> dict[str, str]:
    """The files of a release on a host: path -> what makes a file the same.

    Raises:
        HostProblem: the host cannot be reached.
        ToolkitError: the release is not there.
    """
    return fingerprints(_given(remote, host, release, contents=False)["files"])


def copy(cluster: Cluster, remote: Remote, source: Host, release: str, hosts: list[Host]) -> None:
    """Bring a release from one host to others.

    Raises:
        HostProblem: a host cannot be reached.
        ToolkitError: it is not on that host, or could not be built on another.
    """
    manifest = _given(remote, source, release, contents=True)
    with tempfile.TemporaryDirectory(prefix="toolkit-deploy-") as scratch:
        files = []
        for number, one in enumerate(manifest.pop("files")):
            content = Path(scratch, str(number))
            content.write_bytes(b64decode(one.pop("content", "")))
            files.append(File(source=content, **one))
        there = inspect(cluster, remote, hosts, files)
        send(remote, {name: one.lacks for name, one in there.items()}, hosts, manifest, files)


def _given(remote: Remote, host: Host, release: str, *, contents: bool) -> dict[str, Any]:
    payload = {"action": "give", "id": release, "contents": contents}
    answer = remote.run_script(host, program("dags"), payload, timeout=PATIENCE)
    if answer["error"]:
        raise ToolkitError(
            answer["error"], where=host.name, fix="toolkit deploy --list shows which are there"
        )
    manifest: dict[str, Any] = answer["manifest"]
    return manifest


def _archive(path: str, digests: Iterable[str], files: Iterable[File]) -> str:
    """A tar of contents, each under its digest."""
    sources = {one.sha256: one for one in files if not one.link}
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for digest in digests:
            content = sources[digest].source.read_bytes()
            member = tarfile.TarInfo(digest)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def _chunks(path: str) -> Iterator[bytes]:
    with open(path, "rb") as file:  # noqa: PTH123
        while chunk := file.read(_CHUNK):
            yield chunk


def switch(
    remote: Remote, hosts: Iterable[Host], release: str, *, versioned: bool,
    switched: Mapping[str, Any], touched: Iterable[str] = (), back: bool = False,
) -> None:  # fmt: skip
    """Make a release the current one on hosts.

    Args:
        versioned: whether Airflow has a bundle for deployed DAGs.
        switched: who does it, when, and how many DAGs there are.
        touched: files that differ from those before, so that Airflow parses them at once.
        back: whether it is the way back, which changes nothing of what was before the release.

    Raises:
        HostProblem: a host cannot be reached.
        ToolkitError: the release is not on a host.
    """
    payload = {
        "action": "switch", "id": release, "versioned": versioned, "switched": dict(switched), "touched": list(touched), "back": back,
    }  # fmt: skip
    answers = remote.fan_out(hosts, program("dags"), payload, timeout=60)
    for name, answer in answered(answers).items():
        if answer["error"]:
            raise ToolkitError(
                f"this host does not switch to the release, others may have: {answer['error']}",
                where=name,
                fix="make room (df -h /var/lib/airflow), then run it again"
                if "space" in answer["error"]
                else "run it again",
            )


def remove(remote: Remote, hosts: Iterable[Host], ids: Iterable[str]) -> None:
    """Remove releases; a host that cannot be reached keeps them for the next time."""
    ids = list(ids)
    if ids:
        payload = {"action": "remove", "ids": ids}
        remote.fan_out(hosts, program("dags"), payload, timeout=PATIENCE)
