"""The form in which a server that AWS runs is described, so that RDS and ElastiCache go one way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from toolkit.cluster import Cluster
from toolkit.cluster.tables import server_groups


@dataclass(frozen=True)
class Kind:
    """A kind of resource, and how AWS' API names it.

    Attributes:
        title: what a person calls it.
        word: its word in operations, answers and errors: DBInstance in CreateDBInstance,
            DBInstances, DBInstanceNotFound.
        id: the key of its name.
        arn: the key of its ARN.
        status: the key of its status; "" where it has none.
    """

    title: str
    word: str
    id: str
    arn: str
    status: str = ""

    @property
    def operations(self) -> str:
        """What the client's methods for it end in: db_instance in create_db_instance."""
        from botocore import xform_name

        return str(xform_name(self.word))


@dataclass(frozen=True)
class Wish:
    """What a section of ec2.yml is about: the name of all parts, and where they go."""

    name: str
    section: Mapping[str, Any]
    cluster: Cluster
    subnets: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """A resource that is wanted.

    Attributes:
        arguments: of the operation that makes it; security group, password and tags are added.
        before: operations of the service, with their arguments, to be done just before.
        billed: number and kind of what costs money.
    """

    service: Service
    kind: Kind
    name: str
    arguments: Mapping[str, Any] = field(repr=False)
    detail: str = ""
    before: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    billed: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class FoundPart:
    """A resource that exists, as AWS describes it."""

    service: Service
    kind: Kind
    name: str
    raw: Mapping[str, Any] = field(repr=False)

    @property
    def status(self) -> str:
        """AWS' word for its status; "" where the kind has none."""
        return str(self.raw.get(self.kind.status, ""))


@dataclass(frozen=True)
class Service:
    """A service of AWS that runs a server in place of a host.

    Attributes:
        name: of boto3's client, and of the section in ec2.yml.
        group: of the inventory, in whose place the server is.
        password: the setting with its password.
        takes: what AWS takes as such a password, as a pattern and in words.
        password_argument, groups_argument: where the server's call wants password and security
            groups.
        kinds: in the order in which they are made; the server is the last one.
        available, deleted: botocore's waiters for the server.
        stops: whether AWS stops and starts it.
        zones: how many zones the subnets have to be in, by the section.
        parts: what is wanted, in the order of kinds.
        facts: by key of the section, what a server that exists has.
        endpoint: host name and port of a server that is available.
        address: the URL that Airflow gets: of a server, its password and the cluster.
    """

    name: str
    group: str
    password: str
    takes: tuple[str, str]
    password_argument: str
    groups_argument: str
    kinds: tuple[Kind, ...]
    available: str
    deleted: str
    stops: bool
    zones: Callable[[Mapping[str, Any]], int]
    parts: Callable[[Wish], tuple[Part, ...]]
    facts: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    endpoint: Callable[[Mapping[str, Any]], tuple[str, int]]
    address: Callable[[Mapping[str, Any], str, Cluster], str]

    @property
    def url(self) -> str:
        """The setting that says where the server is."""
        return server_groups()[self.group].url

    @property
    def server(self) -> Kind:
        """The kind that holds the data and costs money; the others are what it is made with."""
        return self.kinds[-1]
