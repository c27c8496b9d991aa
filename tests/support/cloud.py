"""moto as AWS, over HTTP, with a front that counts the calls and can make each of them go wrong."""

from __future__ import annotations

import contextlib
import functools
import http.client
import io
import json
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

REGION = "eu-central-1"
ACCESS = "203.0.113.7/32"
EC2 = f"""
region: {REGION}
image: al2023
access: [{ACCESS}]
instances:
  data: {{groups: [metadata_db, broker], type: t3.medium}}
  airflow: {{groups: [scheduler, webserver], type: t3.medium}}
  worker: {{groups: [worker], type: t3.small, count: 2}}
"""
HOSTS = ["airflow1", "data1", "worker1", "worker2"]
READS = re.compile(r"(Describe|Get|List)\w+")


@dataclass(frozen=True)
class Call:
    """One request: "ec2:RunInstances" and its parameters."""

    action: str
    parameters: dict[str, str]

    @property
    def changes(self) -> bool:
        return not READS.match(self.action.partition(":")[2])


class Dropped(Exception):  # noqa: N818 - what a fault raises to break the connection
    """The connection breaks before the call reaches AWS."""


@dataclass
class Answer(Exception):  # noqa: N818 - what a fault raises to answer in place of AWS
    """An error that AWS answers with."""

    code: str
    message: str = "as the test says"
    status: int = 400


@dataclass
class Front:
    """Stands before moto. `before` may raise Dropped or Answer; `after` sees what moto has done."""

    port: int = 0
    calls: list[Call] = field(default_factory=list)
    before: Callable[[Call], None] = lambda _: None
    after: Callable[[Call], None] = lambda _: None

    def reset(self) -> None:
        self.calls.clear()
        self.before = self.after = lambda _: None

    def changes(self) -> list[str]:
        return [call.action for call in self.calls if call.changes]


_SERVICE = re.compile(r"Credential=[^/]+/\d+/[^/]+/(\w+)/")


def _call(headers: Any, body: bytes) -> Call:
    service = _SERVICE.search(headers.get("Authorization", ""))
    target = headers.get("X-Amz-Target", "")
    parameters = {} if target else {k: v[0] for k, v in parse_qs(body.decode()).items()}
    action = target.rpartition(".")[2] or parameters.get("Action", "")
    return Call(f"{service[1] if service else '?'}:{action}", parameters)


def handler(front: Front, moto: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            call = _call(self.headers, body)
            front.calls.append(call)
            try:
                front.before(call)
                status, answer = self._forward(body)
                front.after(call)
            except Dropped:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            except Answer as fault:
                status, answer = fault.status, _error(fault)
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def _forward(self, body: bytes) -> tuple[int, bytes]:
            connection = http.client.HTTPConnection("127.0.0.1", moto, timeout=30)
            connection.request("POST", self.path, body, dict(self.headers))
            reply = connection.getresponse()
            return reply.status, reply.read()

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _error(fault: Answer) -> bytes:
    return (
        f"<Response><Errors><Error><Code>{fault.code}</Code><Message>{fault.message}</Message>"
        "</Error></Errors><RequestID>1</RequestID></Response>"
    ).encode()


@dataclass(frozen=True)
class Done:
    """How a command ended and what it said."""

    code: int
    stdout: str
    stderr: str


@functools.cache
def _client(service: str, moto: int) -> Any:
    import boto3

    return boto3.client(service, region_name=REGION, endpoint_url=f"http://127.0.0.1:{moto}")


@dataclass(frozen=True)
class Cloud:
    """A cluster's directory, the toolkit called on it, and AWS asked directly."""

    directory: Path
    front: Front
    moto: int

    def toolkit(self, verb: str, *arguments: str, expect: int = 0) -> Done:
        """Call `toolkit ec2 VERB` in this process; botocore's HTTP is real."""
        from toolkit.cli import main

        out, err = io.StringIO(), io.StringIO()
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.raises(SystemExit) as ended,
        ):
            main(["ec2", verb, "-i", str(self.directory), *arguments])
        done = Done(int(ended.value.code or 0), out.getvalue(), err.getvalue())
        assert done.code == expect, done
        return done

    def up(self, *arguments: str, expect: int = 0) -> Done:
        """`toolkit ec2 up`, without the part that needs hosts which answer."""
        return self.toolkit("up", "--no-wait", *arguments, expect=expect)

    def json(self, verb: str, *arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.toolkit(verb, *arguments, "--json").stdout)
        return found

    def set(self, text: str) -> None:
        (self.directory / "ec2.yml").write_text(text)

    @property
    def ec2(self) -> Any:
        return self.client("ec2")

    def client(self, service: str) -> Any:
        """A client that goes to moto directly, uncounted."""
        return _client(service, self.moto)

    def instances(self) -> dict[str, list[dict[str, Any]]]:
        """Host -> its live instances, as AWS describes them."""
        live = [{"Name": "instance-state-name", "Values": ["pending", "running", "stopped"]},
                {"Name": "tag-key", "Values": ["toolkit-cluster"]}]  # fmt: skip
        found: dict[str, list[dict[str, Any]]] = {}
        for reservation in self.ec2.describe_instances(Filters=live)["Reservations"]:
            for one in reservation["Instances"]:
                tags = {tag["Key"]: tag["Value"] for tag in one["Tags"]}
                found.setdefault(tags["toolkit-host"], []).append(one)
        return found

    def rules(self) -> dict[str, set[tuple[int, str]]]:
        """Security group -> (port, network or group) of its rules."""
        groups = self.ec2.describe_security_groups()["SecurityGroups"]
        names = {group["GroupId"]: group["GroupName"] for group in groups}
        return {
            group["GroupName"]: {
                (permission.get("FromPort", -1), source)
                for permission in group["IpPermissions"]
                for source in (
                    *(one["CidrIp"] for one in permission["IpRanges"]),
                    *(names[one["GroupId"]] for one in permission["UserIdGroupPairs"]),
                )
            }
            for group in groups
            if group["GroupName"].startswith("toolkit-")
        }

    def whole(self) -> dict[str, int]:
        """How many there are of everything that the toolkit makes; the same after each `up`."""
        client = self.ec2
        tagged = [{"Name": "tag-key", "Values": ["toolkit-cluster"]}]
        return {
            "instances": sum(len(found) for found in self.instances().values()),
            "hosts": len(self.instances()),
            "volumes": len(client.describe_volumes(Filters=tagged)["Volumes"]),
            "groups": len(self.rules()),
            "rules": sum(len(rules) for rules in self.rules().values()),
            "addresses": len(client.describe_addresses()["Addresses"]),
            "key pairs": len(client.describe_key_pairs()["KeyPairs"]),
        }


NOTHING = {
    "instances": 0,
    "hosts": 0,
    "volumes": 0,
    "groups": 0,
    "rules": 0,
    "addresses": 0,
    "key pairs": 0,
}
ALL = {
    "instances": 4,
    "hosts": 4,
    "volumes": 4,
    "groups": 4,
    "rules": 7,
    "addresses": 0,
    "key pairs": 1,
}
