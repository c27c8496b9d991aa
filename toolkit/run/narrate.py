"""From the events of a playbook to what a person reads: steps, a line a host, changes in groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from toolkit.cluster import Cluster
from toolkit.run.playbook import Event
from toolkit.run.progress import Progress
from toolkit.run.stages import Step
from toolkit.run.words import words_for


class Narrator:
    """Shows a playbook's events as the progress of a run.

    Args:
        progress: where lines are shown.
        steps: a play's name -> the step that it is.
        step: called when the playbook has come to another step.
        counted: called with a host's name and what can be counted there from now on.
    """

    def __init__(
        self,
        progress: Progress,
        steps: Mapping[str, Step],
        step: Callable[[Step], None],
        counted: Callable[[str, str], None] = lambda _host, _what: None,
    ) -> None:
        self._progress = progress
        self._steps = steps
        self._step = step
        self._counted = counted
        self._play = ""

    def hear(self, event: Event) -> None:
        """Take in one event."""
        if event.play != self._play and event.play in self._steps:
            self._play = event.play
            self._step(self._steps[event.play])
        words = words_for(event.role, event.task)
        if event.kind == "start" and event.role:
            self._progress.host(event.host, words.text)
            self._counted(event.host, words.counts)
        elif event.kind in {"failed", "unreachable"}:
            self._progress.host(event.host, f"failed: {words.text}")
        if event.kind in {"changed", "failed", "unreachable"}:
            self._progress.task(f"{event.host}: {event.role}: {event.task} ({event.kind})")
        elif event.kind == "start":
            self._progress.task(f"{event.host}: {event.role}: {event.task}")


def grouped(cluster: Cluster, changes: Iterable[Event]) -> list[str]:
    """What was changed, in groups, and what was removed or taken over, by name; a line each."""
    changes = list(changes)
    counted = Counter(words_for(event.role, event.task).group for event in changes)
    lines = []
    if counted:
        lines.append("changed: " + ", ".join(f"{group} {n}" for group, n in counted.items()))
    several = len(cluster.hosts) > 1
    for title, field in (("removed", "removed"), ("taken over, with a copy", "kept")):
        named = [
            f"{name} on {event.host}" if several else name
            for event in changes
            for name in getattr(event, field)
        ]
        lines += [f"{title}: {', '.join(named)}"] if named else []
    return lines
