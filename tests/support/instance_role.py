"""What an account has before the toolkit comes: an administrator's keys, a bucket, and a role that
instances get by their profile, handed out as EC2 does it: by the instance metadata service."""

from __future__ import annotations

import json
import re
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3

ROLE = "airflow"
BUCKET, PREFIX = "airflow-logs", "prod"
DOCUMENT = Path(__file__).resolve().parents[2] / "docs/remote-logs.md"
_TRUST = {
    "Effect": "Allow",
    "Principal": {"Service": "ec2.amazonaws.com"},
    "Action": "sts:AssumeRole",
}


def documented() -> Any:
    """The policy that docs/remote-logs.md asks for, for this bucket."""
    block = re.search(r"```json\n(\{.*?\n\})\n```", DOCUMENT.read_text(), re.DOTALL)
    assert block
    return json.loads(block[1].replace("BUCKET", BUCKET).replace("PREFIX", PREFIX))


@dataclass(frozen=True)
class Keys:
    """An access key; those of a role end, and have a session token."""

    id: str
    secret: str
    token: str | None = None

    def client(self, service: str, url: str, region: str) -> Any:
        """A client of one service with this key."""
        return boto3.client(service, region_name=region, endpoint_url=url, aws_access_key_id=self.id,
                            aws_secret_access_key=self.secret, aws_session_token=self.token)  # fmt: skip


@dataclass(frozen=True)
class Setup:
    """Who may what. From here on moto refuses what no policy allows."""

    admin: Keys
    role: Keys
    expires: str


def set_up(url: str, region: str) -> Setup:
    """Make them in an empty account."""
    anybody = Keys("testing", "testing")
    iam = anybody.client("iam", url, region)
    iam.create_user(UserName="admin")
    everything = [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
    iam.put_user_policy(UserName="admin", PolicyName="all", PolicyDocument=_policy(everything))
    key = iam.create_access_key(UserName="admin")["AccessKey"]
    arn = iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=_policy([_TRUST]))["Role"]["Arn"]
    iam.create_instance_profile(InstanceProfileName=ROLE)
    iam.add_role_to_instance_profile(InstanceProfileName=ROLE, RoleName=ROLE)
    anybody.client("s3", url, region).create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": region}
    )
    given = anybody.client("sts", url, region).assume_role(RoleArn=arn, RoleSessionName="instance")
    given = given["Credentials"]
    made = Setup(
        Keys(key["AccessKeyId"], key["SecretAccessKey"]),
        Keys(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]),
        given["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    allow(iam, documented()["Statement"])
    strict = urllib.request.Request(
        f"{url}/moto-api/reset-auth", b"0", {"Content-Type": "text/plain"}
    )
    urllib.request.urlopen(strict).close()
    return made


def allow(iam: Any, statements: list[Mapping[str, Any]]) -> None:
    """Let the role do this and nothing else."""
    iam.put_role_policy(RoleName=ROLE, PolicyName="logs", PolicyDocument=_policy(statements))


def _policy(statements: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


@contextmanager
def metadata_service(setup: Setup, has_profile: Callable[[str], bool]) -> Iterator[int]:
    """Hands the role's keys to instances with the profile, by IMDSv2 alone; yields its port.

    Args:
        has_profile: whether the instance at an address was launched with it.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self._answer(200 if self.path == "/latest/api/token" else 404, "a-session")

        def do_GET(self) -> None:
            credentials = {"Code": "Success", "Type": "AWS-HMAC", "Expiration": setup.expires,
                           "AccessKeyId": setup.role.id, "SecretAccessKey": setup.role.secret,
                           "Token": setup.role.token}  # fmt: skip
            known = {"": ROLE, ROLE: json.dumps(credentials)}
            folder, _, name = self.path.rpartition("/")
            if self.headers.get("X-aws-ec2-metadata-token") != "a-session":
                self._answer(401, "")
            elif (
                folder == "/latest/meta-data/iam/security-credentials"
                and name in known
                and has_profile(self.client_address[0])
            ):
                self._answer(200, known[name])
            else:
                self._answer(404, "")

        def _answer(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("0.0.0.0", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
