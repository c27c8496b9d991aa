"""Whose host it is, as its list says; and what is left on hosts that a cluster has no more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Thing:
    """Something of others where something of ours belongs.

    Attributes:
        name: what base_adopt calls it: a path, a unit, user:NAME or group:NAME.
        what: a sentence about it.
        fix: what to do; "" where base_adopt takes it over.
    """

    name: str = ""
    what: str = ""
    fix: str = ""


@dataclass(frozen=True)
class Member:
    """A host of the cluster, as the others have it on their lists.

    Attributes:
        address: where SSH connects to.
        groups: those of ours that it is in.
        left: when it was first found to be gone, in seconds since the epoch; 0 while it is not.
    """

    address: str = ""
    port: int | None = None
    user: str | None = None
    groups: tuple[str, ...] = ()
    left: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """For the lists."""
        return {**vars(self), "groups": list(self.groups)}


@dataclass(frozen=True)
class Left:
    """What of the cluster is on a host that left it.

    Attributes:
        member: as it was.
        problem: why the host cannot be asked; "" when it answered.
        id: of the cluster that it belongs to now; "" when it belongs to none.
        running: units of ours that run.
        files: how many of our files are there.
        secrets: whether airflow.env is.
        databases: of its own server.
    """

    member: Member
    problem: str = ""
    id: str = ""
    running: tuple[str, ...] = ()
    files: int = 0
    secrets: bool = False
    databases: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Claim:
    """Whose host it is (cluster.json).

    Attributes:
        broken: why the list cannot be read, and what to do; nothing else is known then.
        id: of the cluster; "" where no cluster has claimed the host.
        cluster: its name.
        by: who provisioned it last, as user@machine.
        origin: from which directory.
        at: when, ISO 8601 in UTC.
        things: what is in the way, and not taken over by base_adopt.
        backups: where copies of what is taken over are kept.
        members: the cluster's hosts at its last provision, by name.
    """

    broken: str = ""
    id: str = ""
    cluster: str = ""
    by: str = ""
    origin: str = ""
    at: str = ""
    things: tuple[Thing, ...] = ()
    backups: str = ""
    members: Mapping[str, Member] = field(default_factory=dict)


def members_of(claims: Iterable[Claim], id: str) -> dict[str, Member]:
    """The hosts of a cluster at its last provision, by name, as its own hosts remember them."""
    ours = (claim for claim in claims if claim.id and claim.id == id)
    return {name: member for claim in ours for name, member in claim.members.items()}
