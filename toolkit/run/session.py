"""A run: what every verb that works on a cluster has in common, as one object.

It holds the lock here and the lease on the cluster, keeps the record, shows progress, hears
interrupts, opens the connections with sudo's password, leaves a line in each host's journal, and ends
truly: "refused" is a run that has changed nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from toolkit.cluster import Cluster, Host
from toolkit.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_REFUSED
from toolkit.hosts import HostProblem, Remote
from toolkit.hosts.remote import report_on_stderr
from toolkit.run.expected import expected_seconds
from toolkit.run.holder import Holder
from toolkit.run.interrupts import Interrupts
from toolkit.run.lease import Lease, end, lease_host
from toolkit.run.lock import exclusive
from toolkit.run.progress import Progress
from toolkit.run.record import Run
from toolkit.run.stages import Stage, Step

ENDINGS = {0: "succeeded", EXIT_REFUSED: "refused", EXIT_INTERRUPTED: "interrupted"}
"""Exit status -> how a run ended; every other is "failed"."""


@dataclass(frozen=True)
class Options:
    """What the command line says of a run, whatever the verb.

    Attributes:
        command: the command line, for the record and for others who wait.
        quiet: show no progress, as with --json.
        verbose: show every task.
        dry: change nothing (--check).
        become_password: sudo's password (-K); None leaves it to the inventory.
    """

    command: str
    quiet: bool = False
    verbose: bool = False
    dry: bool = False
    become_password: str | None = field(default=None, repr=False)


class Session:
    """One run of one verb on one inventory directory; made by `session`."""

    def __init__(self, directory: Path, verb: str, options: Options, holder: Holder) -> None:
        self.options = options
        self.holder = holder
        self.record = Run.start(directory, verb, options.command)
        expected = {} if options.quiet else expected_seconds(directory, verb)
        self.progress = Progress(expected, quiet=options.quiet, verbose=options.verbose)
        self.interrupts = Interrupts()
        self.changed = False
        """Whether anything outside this machine may have been changed."""
        self.exit_code = EXIT_FAILED
        self._remote: Remote | None = None
        self._lease: Lease | None = None
        self._hosts: tuple[Host, ...] = ()
        self._step: Step | None = None
        self._step_begun = 0.0

    def connect(self, cluster: Cluster) -> Remote:
        """The connections to a cluster's hosts, kept for the whole run."""
        if self._remote is None:
            password = self.options.become_password
            # With --json a host key that is accepted is still reported, which progress is not.
            say = report_on_stderr if self.options.quiet else self.progress.say
            self._remote = Remote(cluster, become_password=password, say=say)
            self._hosts = cluster.hosts
            self.progress.hosts(host.name for host in cluster.hosts)
        return self._remote

    def take_lease(self, cluster: Cluster, hosts: Sequence[Host] | None = None) -> None:
        """Keep other control machines off the cluster until the run ends.

        A lease host that cannot be reached is reported by whatever needs it; a run that works
        on other hosts goes on without the lease, and says so.

        Args:
            hosts: those that are worked on; None for all in play.

        Raises:
            ToolkitError: another control machine works on the cluster.
        """
        host = lease_host(cluster)
        if host is None or self._lease:
            return
        lease = Lease(self.connect(cluster), host, self.holder)
        try:
            lease.take()
        except HostProblem as problem:
            if host not in (cluster.hosts if hosts is None else hosts):
                self.progress.say(
                    f"{host.name} cannot be reached, so nothing keeps other machines from working "
                    f"on this cluster now: {problem.what}"
                )
            return
        self._lease = lease

    def carry_out(self, stages: Sequence[Stage]) -> bool:
        """Do the stages in their order, until one of them does not go on.

        Returns:
            Whether all of them went on.
        """
        with self.progress.shown():
            for stage in stages:
                if self.options.dry and stage.dry:
                    self.progress.say(f"would {stage.dry}")
                elif not self._do(stage):
                    return False
        return True

    def step(self, step: Step) -> None:
        """The work of a stage has come to another of its steps."""
        if step == self._step:
            return
        self.end_step()
        self._step, self._step_begun = step, self.progress.elapsed()
        self.progress.begin(step)

    def end_step(self, detail: str = "") -> None:
        """The step has ended well."""
        if self._step is not None:
            self._note_step()
            self.progress.end(detail)
            self._step = None

    def _do(self, stage: Stage) -> bool:
        with self.interrupts.heard(at_once=stage.at_once):
            self.changed = self.changed or (stage.changes and not self.options.dry)
            self.step(stage.step)
            try:
                goes_on = stage.work()
                if goes_on:
                    self.end_step()
                return goes_on
            finally:
                if self._step is not None:
                    self._note_step()
                    self._step = None

    def _note_step(self) -> None:
        assert self._step
        seconds = self.progress.elapsed() - self._step_begun
        earlier = self.record.stages.get(self._step.name, 0.0)
        self.record.stages[self._step.name] = round(earlier + seconds, 2)
        self.record.save()

    def close(self, result: str) -> None:
        """The last words: to the hosts (lease, journal) and to the record."""
        if self._remote is not None:
            self._say_goodbye(self._remote, result)
            self._remote.close()
        try:
            self.record.finish(result)
        except OSError as error:  # what the run came to counts for more
            self.progress.say(f"the record of this run is not complete: {error.strerror}")

    def _say_goodbye(self, remote: Remote, result: str) -> None:
        hosts = {host.name: host for host in self._hosts if self.changed}
        if self._lease:
            self._lease.release()
            hosts[self._lease.host.name] = self._lease.host
        who = f"{self.holder.user}@{self.holder.machine}"
        audit = f"{who} {self.record.verb}: {result} ({self.options.command})"
        reached = [host for host in hosts.values() if remote.reached(host)]
        if reached:
            # The run has ended, whatever becomes of its last words.
            with suppress(Exception):
                end(remote, reached, self.holder, audit if self.changed else "")


@contextmanager
def session(directory: Path, verb: str, options: Options) -> Iterator[Session]:
    """A run on an inventory directory, from its lock to its ending.

    The body sets `exit_code`; whatever it raises goes on to the caller.

    Raises:
        ToolkitError: the lock is held.
    """
    holder = Holder.of(directory, options.command)
    with exclusive(directory, holder):
        work = Session(directory, verb, options, holder)
        result = "failed"
        try:
            yield work
            result = ENDINGS.get(work.exit_code, "failed")
        except KeyboardInterrupt:
            result = "interrupted"
            raise
        except Exception as error:
            if work.changed:  # the exit status "refused" would say that nothing was
                error.__dict__["exit_code"] = EXIT_FAILED
            failed = getattr(error, "exit_code", EXIT_REFUSED) == EXIT_FAILED
            result = "failed" if failed else "refused"
            raise
        finally:
            work.close(result)
