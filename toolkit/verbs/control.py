"""Starts, stops and restarts components of a cluster, in the order in which they need each other."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from toolkit.checks.alive import not_well
from toolkit.checks.serving import left_undone
from toolkit.cluster import Cluster, Host, Inventory
from toolkit.cluster.tables import server_groups
from toolkit.cluster.topology import (
    airflow_components,
    engine,
    ports,
    records,
    runs_tasks,
    servers,
)
from toolkit.errors import EXIT_FAILED, ToolkitError
from toolkit.findings import Finding, findings_text
from toolkit.hosts import state as ask
from toolkit.hosts.control import control
from toolkit.hosts.journal import refuse_unknown
from toolkit.hosts.state import Drained, HostState
from toolkit.hosts.typed import journal
from toolkit.run.session import Options, Session
from toolkit.run.stages import Stage, Step
from toolkit.verbs.drain import ASK, Result, carry_out, refuse_unreachable
from toolkit.verbs.draining import DEADLINE, RESTART, Draining
from toolkit.verbs.validate import refuse_wrong
from toolkit.verbs.verify import canary

PATIENCE = 150.0
"""Seconds that a unit may take to start or to stop, beside what its tasks take."""
PAUSE = 0.5
WELL = Step("well", "waiting until all is well", "all is well")
_WORDS = {"start": ("starting", "started"), "stop": ("stopping", "stopped"),
          "restart": ("restarting", "restarted")}  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """What the command line says.

    Attributes:
        components: of Airflow, or servers; none for all of Airflow.
        limit: a pattern of hosts.
        yes: whether the last one that does something may be stopped.
        rolling: one host at a time, workers drained first.
        deadline: seconds that tasks of a worker may take then.
    """

    components: tuple[str, ...] = ()
    limit: str | None = None
    yes: bool = False
    rolling: bool = False
    deadline: float = DEADLINE


def run(inventory: Inventory | Path, options: Options, action: str, wanted: Wanted) -> Result:
    """Start, stop or restart.

    Args:
        action: one of these words.

    Raises:
        ToolkitError: no host in play has a component, it is the last one, a unit does not do it, or another run
            works on the cluster.
    """
    cluster = Cluster.load(inventory).limited(wanted.limit)
    refuse_wrong(cluster)
    chosen = in_play(cluster, action, wanted)
    hosts = [host for host in cluster.hosts if any(host in some for some in chosen.values())]
    return carry_out(
        cluster, action, options, hosts,
        lambda work: Control(cluster, work, action, wanted).stages(chosen),
    )  # fmt: skip


def restarting(cluster: Cluster, work: Session, chosen: Mapping[str, list[Host]]) -> list[Stage]:
    """The stages of a rolling restart of components, each on some hosts, in their order."""
    return Control(cluster, work, "restart", Wanted(yes=True, rolling=True)).stages(chosen)


def in_play(cluster: Cluster, action: str, wanted: Wanted) -> dict[str, list[Host]]:
    """Component -> the hosts that it is to be done on, in the order in which it is done.

    Raises:
        ToolkitError: no host in play has a component.
    """
    refuse_unknown(cluster, cluster.hosts, wanted.components)
    names = wanted.components or tuple(records(cluster))
    found = {name: having(cluster, name) for name in order(cluster, action) if name in names}
    chosen = {name: hosts for name, hosts in found.items() if hosts}
    if not chosen:
        raise ToolkitError(
            "no host in play runs a part of Airflow", where=cluster.name,
            fix=f"name a server: {', '.join(sorted({one for host in cluster.hosts for one in servers(cluster, host)}))}",
        )  # fmt: skip
    return chosen


def order(cluster: Cluster, action: str) -> list[str]:
    """Every component and server, the one first that has to be first.

    Nothing new is begun once the scheduler is down, and tasks report to the web server until they have ended.
    """
    airflow = list(records(cluster))
    theirs = [engine(cluster, group).name for group in server_groups()]
    if action != "stop":
        return [*theirs, *airflow]
    web = [name for name in airflow if records(cluster)[name].web]
    return [*(name for name in airflow if name not in web), *web, *reversed(theirs)]


def having(cluster: Cluster, component: str) -> list[Host]:
    """The hosts in play that have a component or server."""
    return [
        host
        for host in cluster.hosts
        if component in airflow_components(cluster, host) or component in servers(cluster, host)
    ]


class Control:
    """The stages of one run.

    Args:
        action: start, stop or restart.
    """

    def __init__(self, cluster: Cluster, work: Session, action: str, wanted: Wanted) -> None:
        self.cluster = cluster
        self.work = work
        self.action = action
        self.wanted = wanted
        self.found: dict[str, HostState] = {}
        """Host -> its state before anything was done."""

    def stages(self, chosen: Mapping[str, list[Host]]) -> list[Stage]:
        """From the first question to an answer that all is well.

        Args:
            chosen: component -> the hosts where it is in play, in the order in which it is done.
        """
        found = [Stage(ASK, lambda: self._ask(chosen))]
        for component, hosts in chosen.items():
            for some in [[host] for host in hosts] if self.wanted.rolling else [hosts]:
                names = ", ".join(host.name for host in some)
                found.append(Stage(self._step(component, names), self._doing(component, some),
                                   dry=f"{self.action} {component} on {names}", changes=True))  # fmt: skip
        if self.action != "stop":
            found.append(Stage(WELL, self._well, dry="wait until all is well"))
        return found

    def _step(self, component: str, names: str) -> Step:
        doing, ended = _WORDS[self.action]
        return Step(f"{component} {names}" if self.wanted.rolling else component,
                    f"{doing} {component} on {names}", f"{component} {ended} on {names}")  # fmt: skip

    def _doing(self, component: str, hosts: list[Host]) -> Callable[[], bool]:
        if self.action == "stop":
            return lambda: self._stop(component, hosts)
        if self.wanted.rolling and self._has_queues(component):
            return lambda: self._roll(hosts)
        return lambda: self._up(component, hosts)

    def _has_queues(self, component: str) -> bool:
        return component in records(self.cluster) and records(self.cluster)[component].queues

    def _ask(self, chosen: Mapping[str, list[Host]]) -> bool:
        cluster = self.cluster
        asked = [host for host in cluster.all_hosts if airflow_components(cluster, host)]
        found = ask.states(cluster, self.work.connect(cluster), asked, servers=False)
        refuse_unreachable(found, [host for hosts in chosen.values() for host in hosts])
        self.found = {state.host.name: state for state in found}
        undone = self._left_undone(chosen)
        if undone and not self.wanted.yes:
            raise ToolkitError(
                f"with it would go {', '.join(undone)}: nothing was changed", where=cluster.name,
                fix="if that is meant, run it again with --yes",
            )  # fmt: skip
        return True

    def _left_undone(self, chosen: Mapping[str, list[Host]]) -> list[str]:
        """What nobody would do any more; while workers are rolled, one at a time, it may be for hours."""
        found = self.found.values()
        leaving = {(host.name, name) for name, hosts in chosen.items() for host in hosts}
        if self.action == "stop":
            return left_undone(self.cluster, found, leaving)
        rolled = sorted(
            pair for pair in leaving if self.wanted.rolling and self._has_queues(pair[1])
        )
        undone = [what for pair in rolled for what in left_undone(self.cluster, found, {pair})]
        return list(dict.fromkeys(undone))

    def _stop(self, component: str, hosts: list[Host]) -> bool:
        """Stop it, and wait as long as systemd lets its tasks go on."""
        self._tell(component, hosts, "stop")
        allowed = _task_seconds(self.cluster, component, hosts)
        return self._await(component, hosts, {"inactive", "failed"}, PATIENCE + allowed)

    def _up(self, component: str, hosts: list[Host]) -> bool:
        """Start it, again where that is wanted, and wait until it does what it is there for."""
        hosts = self._at_work(component, hosts)
        if not hosts:
            return True
        cut_off = [host for host in hosts if self._has_queues(component) and self._mark(host)]
        if cut_off:  # by a rolling restart
            Draining(self.cluster, self.work, cut_off).back()
        allowed = _task_seconds(self.cluster, component, hosts)
        self._tell(component, hosts, self.action)
        self._await(component, hosts, {"active"}, PATIENCE + allowed)
        return component not in records(self.cluster) or self._listens(component, hosts)

    def _at_work(self, component: str, hosts: list[Host]) -> list[Host]:
        """Those whose worker nobody took out of work, but for a rolling restart that was killed."""
        marks = {host.name: self._mark(host) for host in hosts if self._has_queues(component)}
        drained = {name: mark for name, mark in marks.items() if mark and mark.why != RESTART}
        for name, mark in drained.items():
            self.work.progress.say(f"{name} is drained, by {mark.by}: its worker stays as it is")
        at_work = [host for host in hosts if host.name not in drained]
        if drained:
            names = ", ".join(host.name for host in at_work) or "no host"
            self.work.progress.reword(f"{component} {_WORDS[self.action][1]} on {names}")
        return at_work

    def _mark(self, host: Host) -> Drained | None:
        return self.found[host.name].drained if host.name in self.found else None

    def _roll(self, hosts: list[Host]) -> bool:
        """Drain workers, have them start again, and run the canary on their queues."""
        hosts = self._at_work("worker", hosts)
        if not hosts:
            return True
        rolling = Draining(self.cluster, self.work, hosts, RESTART)
        rolling.begin()
        if not rolling.wait(self.wanted.deadline):
            rolling.back()
            name, does = rolling.unfinished()
            raise ToolkitError(
                f"it {does}, and consumes its queues again", where=name,
                fix="to wait for longer, run it again with a --deadline", exit_code=EXIT_FAILED,
            )  # fmt: skip
        rolling.stop()
        rolling.back()
        ran = canary(self.cluster, self.work.connect(self.cluster), hosts)
        if ran.state != "success":
            raise ToolkitError(
                f"its worker runs again, and the canary DAG did not succeed there: {ran.error or ran.state}",
                where=", ".join(host.name for host in hosts),
                fix=f"toolkit verify -i {self.cluster.inventory}", exit_code=EXIT_FAILED,
            )  # fmt: skip
        return True

    def _tell(self, component: str, hosts: list[Host], action: str) -> None:
        wanted = {host.name: [component] for host in hosts}
        found = control(self.cluster, self.work.connect(self.cluster), wanted, action)
        for name, one in found.items():
            if not one.units[component]:
                raise ToolkitError(
                    f"there is no unit of {component} on this host", where=name,
                    fix=f"toolkit provision -i {self.cluster.inventory}", exit_code=EXIT_FAILED,
                )  # fmt: skip

    def _await(
        self, component: str, hosts: list[Host], wanted: Collection[str], patience: float
    ) -> bool:
        """Wait until all units of a component are in one of systemd's states."""
        asked = {host.name: [component] for host in hosts}
        deadline = time.monotonic() + patience
        while True:
            found = control(self.cluster, self.work.connect(self.cluster), asked)
            others = {
                name: unit
                for name, one in found.items()
                for unit in one.units[component]
                if unit.busy or unit.active not in wanted
            }
            if not others:
                return True
            for name, unit in others.items():
                self.work.progress.host(name, f"{unit.unit} is {unit.active}")
                if time.monotonic() > deadline:
                    does = f"is {unit.active} ({unit.sub}), after {patience:.0f} seconds"
                    raise self._stuck(component, name, does)
            time.sleep(PAUSE)

    def _listens(self, component: str, hosts: list[Host]) -> bool:
        """Wait until units are active, and answer at their ports."""
        deadline = time.monotonic() + PATIENCE
        remote = self.work.connect(self.cluster)
        while True:
            found = ask.states(self.cluster, remote, hosts)
            refuse_unreachable(found, hosts)
            waiting = [(one, does) for one in found if (does := self._lacks(component, one))]
            if not waiting:
                return True
            state, does = waiting[0]
            if time.monotonic() > deadline:
                does += f", after {PATIENCE:.0f} seconds"
                raise self._stuck(component, state.host.name, does, state.unit(component).journal)
            for one, text in waiting:
                self.work.progress.host(one.host.name, f"{component} {text}")
            time.sleep(PAUSE)

    def _lacks(self, component: str, state: HostState) -> str:
        """What a component does not do yet; "" when it does all."""
        unit = state.unit(component)
        if unit.active != "active":
            return f"is {unit.active} ({unit.sub})"
        for port in ports(self.cluster, state.host):
            if port.component == component and port.number not in state.ports:
                return f"does not listen on port {port.number}"
            if port.component == component and port.number in state.silent:
                return f"answers nothing on port {port.number}"
        return ""

    def _stuck(
        self, component: str, name: str, does: str, said: Iterable[str] = ()
    ) -> ToolkitError:
        lines = "".join(f"\n    {line}" for line in said)
        return ToolkitError(
            f"{component} {does}{lines}", where=name,
            fix=journal(self.cluster.host(name).access, component), exit_code=EXIT_FAILED,
        )  # fmt: skip

    def _well(self) -> bool:
        """Wait until servers answer and heartbeats are young."""
        cluster, remote = self.cluster, self.work.connect(self.cluster)
        hosts = [host for host in cluster.hosts if airflow_components(cluster, host)]
        deadline = time.monotonic() + PATIENCE
        while unwell := self._of_chosen(not_well(cluster, ask.states(cluster, remote, hosts))):
            if time.monotonic() > deadline:
                raise ToolkitError(
                    f"not all is well:\n{findings_text(unwell)}", where=cluster.name,
                    fix=unwell[0].fix, exit_code=EXIT_FAILED,
                )  # fmt: skip
            time.sleep(PAUSE)
        return True

    def _of_chosen(self, found: Iterable[Finding]) -> list[Finding]:
        """Those of what was started: of servers alone, whether these answer."""
        groups = {f"alive.{group}": engine(self.cluster, group).name for group in server_groups()}
        named = set(self.wanted.components)
        if not named or named - set(groups.values()):
            return list(found)
        return [one for one in found if groups.get(one.id) in named]


def _task_seconds(cluster: Cluster, component: str, hosts: list[Host]) -> float:
    """Seconds that systemd lets tasks below a component go on while it stops."""
    found = records(cluster).get(component)
    if found is None or not runs_tasks(cluster, found):
        return 0.0
    allowed = [cluster.setting("airflow_worker_stop_timeout", host) for host in hosts]
    return float(max((one for one in allowed if isinstance(one, int)), default=0))
