"""Brings a release of DAGs to all hosts, and makes it the current one once Airflow has imported it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.checks import dags as rules
from toolkit.cluster import Cluster, Inventory
from toolkit.cluster.dag_fetch import Fetched, fetch
from toolkit.cluster.dag_source import Source, source_of
from toolkit.cluster.dags import DAGS, FILE_MB, REQUIREMENTS, Tree, pack, release_id
from toolkit.cluster.lock import lock_file
from toolkit.cluster.lockfile import pinned, read_header
from toolkit.content import content_dir
from toolkit.errors import EXIT_FAILED, ToolkitError
from toolkit.findings import Finding
from toolkit.hosts.dags import fingerprints, inspect, send, unit_of
from toolkit.run.session import Options, Session
from toolkit.run.stages import Stage, Step
from toolkit.verbs import control
from toolkit.verbs.releases import now, refuse_hosts, refuse_inventory
from toolkit.verbs.switching import Result, Switching, carry_out

PACK = Step("pack", "reading the DAGs", "DAGs read")
SPREAD = Step("spread", "bringing the DAGs to the hosts", "on all hosts")
EXAMPLE = "templates/dags"


@dataclass(frozen=True)
class Wanted:
    """What the command line says of a deploy.

    Attributes:
        source: a folder or repository; None for the setting's.
        ref: branch, tag or commit; None for the setting's.
        example: the example that comes with the toolkit, in place of a source.
        removal: whether DAGs may disappear.
        tests: a path in the project that pytest runs; "" for none.
        file_mb: how large a file may be.
        restart: whether units start again, one host at a time, when plugins differ.
        skip: ids of findings that do not count.
    """

    source: str | None = None
    ref: str | None = None
    example: bool = False
    removal: bool = False
    tests: str = ""
    file_mb: int = FILE_MB
    restart: bool = False
    skip: tuple[str, ...] = ()


def deploy(inventory: Inventory | Path, options: Options, wanted: Wanted) -> Result:
    """Do all stages; what Airflow finds wrong ends in a Result, not in an exception.

    Raises:
        ToolkitError: the inventory or the source is wrong, a host is, or another run works on the cluster.
    """
    cluster = Cluster.load(inventory)
    refuse_inventory(cluster)
    source = _source(cluster, wanted)
    result = Result(EXIT_FAILED, cluster.name, source=source.shown)
    return carry_out(
        cluster,
        "deploy",
        options,
        result,
        lambda work: _Deploy(cluster, work, result, wanted, source),
    )


def _source(cluster: Cluster, wanted: Wanted) -> Source:
    if wanted.example:
        return Source("the toolkit's example", folder=content_dir() / EXAMPLE)
    return source_of(cluster, wanted.source, wanted.ref)


def _requirements_of(root: Path, path: Path) -> dict[str, str]:
    """A file of requirements, and those that it includes: name in the project -> text."""
    found: dict[str, str] = {}
    waiting = [path]
    while waiting:
        path = waiting.pop(0)
        name = os.path.relpath(path, root)
        if name not in found:
            try:
                found[name] = path.read_text(encoding="utf-8-sig")
            except UnicodeDecodeError:
                raise ToolkitError(
                    "it is not UTF-8", where=str(path), fix=f"iconv -t utf-8 {path}"
                ) from None
            except OSError as error:
                raise ToolkitError(
                    f"it cannot be read: {error.strerror}", where=str(path),
                    fix=f"correct the file that includes it: {', '.join(found)}",
                ) from None  # fmt: skip
            waiting += [path.parent / one for one in rules.included(found[name])]
    return found


class _Deploy(Switching):
    """The stages of one deploy, and what they hand on to each other."""

    def __init__(
        self, cluster: Cluster, work: Session, result: Result, wanted: Wanted, source: Source
    ) -> None:
        super().__init__(cluster, work, result, removal=wanted.removal, skip=wanted.skip)
        self.wanted = wanted
        self.source = source
        self.tree = Tree(Path(), is_project=False, files=())
        self.fetched = Fetched(Path())
        self.fresh: set[str] = set()
        """Hosts that have the release since this run."""

    def stages(self) -> list[Stage]:
        """From the source to Airflow's answer."""
        return [Stage(PACK, self.pack), Stage(SPREAD, self.spread), *super().stages()]

    def restarts(self) -> list[Stage]:
        """Units read plugins when they start; those that have since the switch stay as they are."""
        if not (self.result.restart and self.wanted.restart):
            return []
        chosen = control.in_play(self.cluster, "restart", control.Wanted())
        if self.result.unchanged:
            stale = {name: one.stale for name, one in self.there.items()}
            chosen = {
                component: [host for host in hosts if unit_of(component) in stale[host.name]]
                for component, hosts in chosen.items()
            }
        return control.restarting(self.cluster, self.work, chosen)

    def pack(self) -> bool:
        """Read the files, and compare their requirements with the lock."""
        scratch = self.open.enter_context(tempfile.TemporaryDirectory(prefix="toolkit-deploy-"))
        if self.source.url:
            self.work.progress.now(f"fetching {self.source.shown}")
        self.fetched = fetch(self.source, Path(scratch))
        self.tree = pack(self.fetched.root, self.wanted.file_mb)
        lines = [one.as_json() for one in self.tree.files]
        self.files = fingerprints(lines)
        self.result.ref, self.result.commit = self.fetched.ref, self.fetched.commit
        self.result.files = len(lines)
        self._refuse_missing_tests()
        if not self.goes_on(self._requirements()):
            return False
        self.work.end_step(f"{len(lines)} files")
        return True

    def _refuse_missing_tests(self) -> None:
        if self.wanted.tests and not (self.fetched.root / self.wanted.tests).exists():
            raise ToolkitError(
                f"there is no {self.wanted.tests} in {self.source.shown}",
                where="--pytest",
                fix="name a file or folder as it is in there, such as tests",
            )

    def _requirements(self) -> list[Finding]:
        root, lock = self.fetched.root, lock_file(self.cluster)
        if not (root / REQUIREMENTS).is_file() or lock is None:
            return []
        packages, pythons = pinned(lock), read_header(lock).pythons
        return [
            finding
            for place, text in _requirements_of(root, root / REQUIREMENTS).items()
            for finding in rules.requirements(text, packages, pythons, place, str(self.cluster.inventory))
        ]  # fmt: skip

    def spread(self) -> bool:
        """Bring what each host lacks, and have Airflow begin to import on one of them."""
        self.work.connect(self.cluster)
        # A dry run as well: it imports the release on a host, as no two may at once.
        self.work.take_lease(self.cluster)
        self.there = inspect(self.cluster, self.remote, self.hosts, self.tree.files)
        refuse_hosts(self.cluster, self.there)
        self._name_release()
        if self.is_current():
            return False
        self.open.callback(self._forget_unless_switched)
        airflow = self.begin_import(self._tests())
        with ThreadPoolExecutor(1) as pool:
            begun = pool.submit(airflow.begin)
            self._send()
            begun.result()
        return True

    def _name_release(self) -> None:
        """A release that has the same files is the same release, so that a deploy that was cut off goes on."""
        currents = [one.current for one in self.there.values()]
        same = {
            release.id
            for one in self.there.values()
            for release in one.releases
            if release.digest == self.tree.digest
        }
        self.result.former = self.there[self.parsing[0][0].name].current
        first = next((one for one in currents if one in same), "")
        self.result.release = first or max(same, default=release_id(self.tree.digest))

    def _send(self) -> None:
        only = {self.parsing[0][0].name} if self.work.options.dry else set(self.there)
        lacking = {
            name: one.lacks
            for name, one in self.there.items()
            if name in only and not one.has(self.result.release)
        }
        sizes = {one.sha256: one.size for one in self.tree.files}
        needs = {name: sum(sizes[one] for one in digests) for name, digests in lacking.items()}
        self._refuse_full(needs)
        self.result.sent = sum(needs.values())
        self.fresh |= set(lacking)
        hosts = [host for host in self.hosts if host.name in lacking]
        send(self.remote, lacking, hosts, self._manifest(), self.tree.files)

    def _refuse_full(self, needs: Mapping[str, int]) -> None:
        for name, size in needs.items():
            free = self.there[name].free
            if size + 2**20 > free:
                raise ToolkitError(
                    f"the DAGs need {size / 2**20:.1f} MB below /var/lib/airflow, and {free / 2**20:.1f} MB are free",
                    where=name,
                    fix="see what takes the space: sudo du -xh -d1 /var/lib/airflow; keep fewer releases: airflow_dags_keep",
                )

    def _manifest(self) -> dict[str, Any]:
        return {
            "id": self.result.release,
            "digest": self.tree.digest,
            "made": now(),
            "by": self.who(),
            **self.origin(),
        }

    def origin(self) -> dict[str, Any]:
        """Where its files are from."""
        return {
            "source": self.source.shown,
            "ref": self.fetched.ref,
            "commit": self.fetched.commit,
            "modified": self.fetched.modified,
        }

    def _tests(self) -> str:
        """Where the tests are in the release."""
        inside = self.tree.is_project or not self.wanted.tests
        return self.wanted.tests if inside else f"{DAGS}/{self.wanted.tests}"

    def _forget_unless_switched(self) -> None:
        """One that is not going to be current leaves the hosts again, however it came to that."""
        if not self.switching:
            self.forget([host for host in self.hosts if host.name in self.fresh])
