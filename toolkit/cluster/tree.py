"""Groups, hosts and inline variables of an inventory, and the order that Ansible gives them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.cluster.variables import Layer, Scope, Variable
from toolkit.errors import ToolkitError

PRIORITY = "ansible_group_priority"
"""Of two groups of one depth, which wins; only host lists may set it."""

_BUILT_IN = ("all", "ungrouped")


class Tree:
    """Groups and hosts; filled by the reader, then asked.

    Args:
        directory: the inventory's, for messages.

    Attributes:
        hosts: all of them, in their order.
        named: the groups that are written down.
        unread: files beside the host lists that are none, with the reason.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._children: dict[str, dict[str, None]] = {name: {} for name in _BUILT_IN}
        self._above: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._members: dict[str, dict[str, None]] = {}  # group -> hosts named directly in it
        self._direct: defaultdict[str, dict[str, None]] = defaultdict(dict)  # the other way round
        self._priorities: dict[str, int] = {}
        self._variables: dict[Scope, dict[str, Variable]] = {}
        self._order: _Order | None = None
        self.hosts: dict[str, None] = {}
        self.named: dict[str, None] = {}
        self.unread: dict[Path, str] = {}

    def add_group(self, group: str) -> None:
        """Add a group, unless it is known."""
        self.named.setdefault(group)
        self._children.setdefault(group, {})
        self._order = None

    def add_child(self, group: str, child: str) -> None:
        """Put a group below another one."""
        self.add_group(group)
        self.add_group(child)
        self._children[group].setdefault(child)
        self._above[child].setdefault(group)

    def add_host(self, host: str, group: str = "all") -> None:
        """Add a host to a group.

        Raises:
            ToolkitError: it has no name, which Ansible refuses as well.
        """
        if not host.strip():
            raise ToolkitError(
                f"a host of group {group} has no name",
                where=str(self._directory),
                fix="write a name, or remove the line",
            )
        self.hosts.setdefault(host)
        self._children.setdefault(group, {})
        self._members.setdefault(group, {}).setdefault(host)
        self._direct[host].setdefault(group)
        self._order = None

    def set_variable(self, scope: Scope, variable: Variable) -> None:
        """Set a variable of a group or a host."""
        if scope[0] == "group" and variable.name == PRIORITY:
            self._priorities[scope[1]] = _priority(variable)
        else:
            self._variables.setdefault(scope, {})[variable.name] = variable

    @property
    def groups(self) -> tuple[str, ...]:
        """Every group, "all" and "ungrouped" among them."""
        return tuple(self._children)

    def inline(self) -> Mapping[Scope, Layer]:
        """The variables of the host lists."""
        return {scope: Layer(found.values()) for scope, found in self._variables.items()}

    def groups_of(self, host: str) -> tuple[str, ...]:
        """Its groups but "all", in the order in which Ansible merges them: later ones win.

        Raises:
            ToolkitError: a group is below itself.
        """
        order, direct = self._ordered(), frozenset(self._direct[host])
        if direct not in order.merged:  # hosts of the same groups have one answer
            above = (order.ancestors[group] for group in direct)
            found = direct.union(*above) - set(_BUILT_IN) or {"ungrouped"}
            order.merged[direct] = tuple(sorted(found, key=self._rank))
        return order.merged[direct]

    def members(self, group: str) -> tuple[str, ...]:
        """The hosts of a group in Ansible's order: its own, then those of the groups below.

        Raises:
            ToolkitError: a group is below itself.
        """
        if group == "ungrouped":
            return tuple(host for host in self.hosts if group in self.groups_of(host))
        found: dict[str, None] = {}
        level, seen = [group], {group}
        while level:
            for name in level:
                found |= self._members.get(name, {})
            below = dict.fromkeys(child for name in level for child in self._below(name))
            level = [name for name in below if name not in seen]
            seen |= set(level)
        return tuple(found)

    def _rank(self, group: str) -> tuple[int, int, str]:
        """As ansible.inventory.helpers.sort_groups has it."""
        return self._ordered().depths[group], self._priorities.get(group, 1), group

    def _below(self, group: str) -> Iterable[str]:
        if group != "all":
            return self._children[group]
        return ("ungrouped", *self._children[group], *self._ordered().roots)

    def _parents(self, group: str) -> Mapping[str, None]:
        return self._above.get(group) or ({"all": None} if group != "all" else {})

    def _ordered(self) -> _Order:
        """What follows from all groups together, found once they are all there.

        Raises:
            ToolkitError: a group is below itself.
        """
        if self._order is None:
            roots = [one for one in self._children if one not in _BUILT_IN and not self._above[one]]
            self._order = order = _Order(roots)
            waits, below = {}, defaultdict(list)
            for group in self._children:
                waits[group] = len(self._parents(group))
                for parent in self._parents(group):
                    below[parent].append(group)
            ready = [group for group, number in waits.items() if not number]
            while ready:
                group = ready.pop()
                parents = self._parents(group)
                order.depths[group] = max((order.depths[one] + 1 for one in parents), default=0)
                above = (order.ancestors[one] for one in parents)
                order.ancestors[group] = frozenset(parents).union(*above)
                for child in below[group]:
                    waits[child] -= 1
                    ready += [child] if not waits[child] else []
            self._refuse_circle([group for group in self._children if waits[group]])
        return self._order

    def _refuse_circle(self, left: Sequence[str]) -> None:
        """Of the groups that have no place, some are in a circle, and the others below it."""
        if not left:
            return
        self._order = None
        way = [left[0]]
        while len(set(way)) == len(way):
            way.append(next(one for one in self._parents(way[-1]) if one in left))
        circle = way[way.index(way[-1]) :]
        raise ToolkitError(
            f"group {circle[0]} is below itself: {' > '.join(circle[::-1])}",
            where=str(self._directory),
            fix=f"remove {circle[0]} from one of the children: there",
        )


class _Order:
    """Where the groups of an inventory are.

    Attributes:
        roots: groups that no other has below it; they are below "all".
        depths: steps of the longest way down from "all".
        ancestors: all groups above one.
        merged: groups that hosts are named in directly -> all of theirs.
    """

    def __init__(self, roots: Sequence[str]) -> None:
        self.roots = roots
        self.depths: dict[str, int] = {}
        self.ancestors: dict[str, frozenset[str]] = {}
        self.merged: dict[frozenset[str], tuple[str, ...]] = {}


def _priority(variable: Variable) -> int:
    value: Any = variable.value
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise ToolkitError(
            f"{PRIORITY} of group {variable.scope} has to be a whole number, not {value!r}",
            where=variable.location,
            fix=f"write the number itself, for example {PRIORITY}: 10",
        ) from None
