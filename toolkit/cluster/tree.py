"""Groups, hosts and inline variables of an inventory, and the order that Ansible gives them."""

from __future__ import annotations

from collections.abc import Mapping
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
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._children: dict[str, dict[str, None]] = {name: {} for name in _BUILT_IN}
        self._members: dict[str, dict[str, None]] = {}  # group -> hosts named directly in it
        self._priorities: dict[str, int] = {}
        self._variables: dict[Scope, dict[str, Variable]] = {}
        self._depths: dict[str, int] = {}
        self.hosts: dict[str, None] = {}
        self.named: dict[str, None] = {}

    def add_group(self, group: str) -> None:
        """Add a group, unless it is known."""
        self.named.setdefault(group)
        self._children.setdefault(group, {})

    def add_child(self, group: str, child: str) -> None:
        """Put a group below another one."""
        self.add_group(group)
        self.add_group(child)
        self._children[group].setdefault(child)

    def add_host(self, host: str, group: str = "all") -> None:
        """Add a host to a group."""
        self.hosts.setdefault(host)
        self._children.setdefault(group, {})
        self._members.setdefault(group, {}).setdefault(host)

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
        direct = {group for group, hosts in self._members.items() if host in hosts}
        found = direct.union(*map(self._ancestors, direct)) - set(_BUILT_IN) or {"ungrouped"}
        return tuple(sorted(found, key=self._rank))

    def members(self, group: str) -> tuple[str, ...]:
        """The hosts of a group in Ansible's order: its own, then those of the groups below."""
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
        return self._depth(group), self._priorities.get(group, 1), group

    def _depth(self, group: str, below: tuple[str, ...] = ()) -> int:
        """Steps of the longest way down from "all"."""
        if group in below:
            raise ToolkitError(
                f"group {group} is below itself: {' > '.join((*below, group)[::-1])}",
                where=str(self._directory),
                fix=f"remove {group} from one of the children: there",
            )
        if group not in self._depths:
            parents = self._parents(group)
            self._depths[group] = max(
                (self._depth(parent, (*below, group)) + 1 for parent in parents), default=0
            )
        return self._depths[group]

    def _below(self, group: str) -> list[str]:
        above = [name for name in self._children if name not in _BUILT_IN and not self._above(name)]
        return [*self._children[group], *(above if group == "all" else ())]

    def _parents(self, group: str) -> set[str]:
        return self._above(group) or ({"all"} if group != "all" else set())

    def _above(self, group: str) -> set[str]:
        return {name for name, below in self._children.items() if group in below}

    def _ancestors(self, group: str) -> set[str]:
        self._depth(group)  # refuses a circle
        parents = self._parents(group)
        return parents.union(*map(self._ancestors, parents))


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
