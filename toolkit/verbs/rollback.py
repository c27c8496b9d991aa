"""Makes an earlier release of DAGs the current one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from toolkit.cluster import Cluster, Inventory
from toolkit.errors import EXIT_FAILED, ToolkitError
from toolkit.hosts.dags import HostDags, copy, files_of, inspect
from toolkit.run.session import Options, Session
from toolkit.run.stages import Stage, Step
from toolkit.verbs.releases import refuse_hosts, refuse_inventory
from toolkit.verbs.switching import Result, Switching, carry_out

FIND = Step("find", "looking for the release", "release found")


def rollback(
    inventory: Inventory | Path, options: Options, release: str | None, skip: tuple[str, ...] = ()
) -> Result:
    """Do all stages.

    Args:
        release: the id, or its beginning; None for the release that was current before.
        skip: ids of findings that do not count.

    Raises:
        ToolkitError: there is no such release, a host cannot be reached, or another run works on the cluster.
    """
    cluster = Cluster.load(inventory)
    refuse_inventory(cluster)
    result = Result(EXIT_FAILED, cluster.name)
    return carry_out(
        cluster,
        "rollback",
        options,
        result,
        lambda work: _Rollback(cluster, work, result, release, skip),
    )


class _Rollback(Switching):
    """The stages of one rollback. DAGs that came since then disappear: that is what it is for."""

    def __init__(
        self,
        cluster: Cluster,
        work: Session,
        result: Result,
        chosen: str | None,
        skip: tuple[str, ...],
    ) -> None:
        super().__init__(cluster, work, result, removal=True, skip=skip, back=True)
        self.chosen = chosen

    def stages(self) -> list[Stage]:
        """From what is on the hosts to Airflow's answer."""
        return [Stage(FIND, self.find), *super().stages()]

    def find(self) -> bool:
        """Choose the release, and have Airflow begin to import it; a host that lacks it gets it from another."""
        self.work.connect(self.cluster)
        self.work.take_lease(self.cluster)
        self.there = inspect(self.cluster, self.remote, self.hosts)
        refuse_hosts(self.cluster, self.there)
        host = self.parsing[0][0]
        here, result = self.there[host.name], self.result
        result.former = here.current
        self._refuse_different()
        result.release = choose(self.cluster, here, self.chosen)
        if self.is_current():
            return False
        lacking = [one for one in self.hosts if not self.there[one.name].has(result.release)]
        airflow = self.begin_import()
        with ThreadPoolExecutor(1) as pool:
            begun = pool.submit(airflow.begin)
            if lacking and not self.work.options.dry:
                copy(self.cluster, self.remote, host, result.release, lacking)
            self.files = files_of(self.remote, host, result.release)
            begun.result()
        result.files = len(self.files)
        self.work.end_step(result.release)
        return True

    def _refuse_different(self) -> None:
        """Which release is the one before, where hosts differ in which is current? A switch was cut off there."""
        currents = sorted({one.current for one in self.there.values()}, reverse=True)
        if self.chosen is None and len(currents) > 1:
            inventory = self.cluster.inventory
            raise ToolkitError(
                f"hosts differ in which release is current ({', '.join(one or 'none' for one in currents)}), so which one is before it?",
                where=self.cluster.name,
                fix=f"name the one to go back to: toolkit rollback -i {inventory} {next(filter(None, reversed(currents)))}; "
                f"or deploy again",
            )


def choose(cluster: Cluster, there: HostDags, chosen: str | None) -> str:
    """The id of the release to go back to.

    Args:
        there: what is on the host that reads DAGs.
        chosen: the id, or its beginning; None for the release before the current one.

    Raises:
        ToolkitError: there is none, or more than one.
    """
    known = {one.id: one for one in there.releases if one.switched}
    ids = sorted(known, reverse=True)
    fix = f"see which there are: toolkit deploy -i {cluster.inventory} --list"
    if chosen is None:
        now = known.get(there.current)
        former = now.switched.former if now and now.switched else ""
        if former in known:
            return former
        what = (
            f"the release before it, {former}, was removed"
            if former
            else "no release was current before it"
        )
        raise ToolkitError(
            f"{there.current}: {what}"
            if there.current
            else "no release is current: DAGs were never deployed here",
            where=cluster.name,
            fix=fix,
        )
    fitting = [one for one in ids if one.startswith(chosen) or one.endswith(f"-{chosen}")]
    if len(fitting) == 1:
        return fitting[0]
    raise ToolkitError(
        f"{chosen} is the beginning of {len(fitting)} releases"
        if fitting
        else f"there is no release {chosen}"
        + (
            f"; there are {', '.join(ids[:3])}" + (" and older ones" if len(ids) > 3 else "")
            if ids
            else ""
        ),
        where=cluster.name,
        fix=fix,
    )
