"""Whether task logs get from every host to S3 and from there to the web UI.

The canary's logs are the proof. Only where one is missing S3 itself is asked, on the hosts and with
Airflow's own connection, what it refuses: Airflow reports that in the journal of a unit, if at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from toolkit.checks.proof import Proof
from toolkit.cluster import Cluster, Host
from toolkit.cluster.topology import canary_tasks
from toolkit.hosts.canary import S3, Canary, Denied, TaskLog
from toolkit.hosts.typed import as_root

ID = "running.remote_logs"
SETTING = "airflow_remote_log_folder"
WRITES = ("s3:ListBucket", "s3:PutObject", "s3:GetObject")
"""What Airflow does to write a log: it looks for an older part of it and appends to that."""
READS = ("s3:ListBucket", "s3:GetObject")


def folder(cluster: Cluster) -> str:
    """The folder in S3, without a slash at its end; "" when logs stay on the hosts."""
    return str(cluster.setting(SETTING, cluster.web) or "").rstrip("/")


def proofs(cluster: Cluster, canary: Canary, refused: Mapping[str, S3]) -> Iterator[Proof]:
    """One for each host that runs tasks; none when logs stay on the hosts. Pure."""
    where = folder(cluster)
    for host, tasks in canary_tasks(cluster) if where else ():
        absent = missing(canary.logs, tasks)
        detail, fix = f"the web server shows them from {where}", ""
        if not canary.logs:
            detail = "not known, as the canary DAG did not succeed"
        elif absent is not None:
            detail, fix = _cause(cluster, host, refused, absent)
        yield Proof(ID, host.name, "", "remote logs", absent is None, detail, fix)


def missing(logs: Mapping[str, TaskLog], tasks: Iterable[str]) -> TaskLog | None:
    """What the web server said of the first of these tasks whose log it did not find in S3."""
    found = [logs.get(task, TaskLog()) for task in tasks]
    return next((log for log in found if not log.place), None)


def _cause(
    cluster: Cluster, host: Host, refused: Mapping[str, S3], missing: TaskLog
) -> tuple[str, str]:
    """The first refusal, on the host that writes, else on the one that reads."""
    for name in (host.name, cluster.web.name):
        answer = refused.get(name, S3())
        if answer.error:
            return f"{name} could not ask S3: {answer.error}", _journal(host)
        if answer.failed:
            failed = answer.failed
            resource = _resource(failed.action, folder(cluster))
            return (
                f"{name} gets {failed.code} for {failed.action} on {resource}: {failed.text}",
                remedy(failed, folder(cluster)),
            )
    return (
        f"the web server does not find the log in {folder(cluster)}, though S3 refuses nothing; "
        f"it says (HTTP {missing.status}): {missing.text or 'nothing'}",
        _journal(host),
    )


def _journal(host: Host) -> str:
    return as_root(host.access, "journalctl -u 'airflow-*' | grep -i s3")


def remedy(failed: Denied, place: str) -> str:
    """What to do about a refusal of S3."""
    bucket = urlsplit(place).netloc
    code, text = failed.code, failed.text
    if code in ("AccessDenied", "403"):
        named = re.search(r"perform: (\w+:\w+)", text)
        more = [named[1]] if named and named[1] not in WRITES else []
        return (
            "add to the policy of the instance profile's role (docs/remote-logs.md): "
            f"{json.dumps(statements(place, more))}"
        )
    for codes, fix in _FIXES.items():
        if code in codes:
            return fix.format(bucket=bucket)
    return f"see {SETTING}, airflow_aws_region and airflow_aws_endpoint_url"


_FIXES: Mapping[tuple[str, ...], str] = {
    ("NoSuchBucket", "404"): "aws s3 mb s3://{bucket}, or correct " + SETTING,
    ("NoCredentialsError", "CredentialRetrievalError", "MetadataRetrievalError"):
        "give the instances a role: instance_profile in ec2.yml for new ones, and for those that "
        "run: aws ec2 associate-iam-instance-profile",
    ("PermanentRedirect", "AuthorizationHeaderMalformed", "NoRegionError", "InvalidRegionError"):
        "set airflow_aws_region to that of: aws s3api get-bucket-location --bucket {bucket}",
    ("EndpointConnectionError", "ConnectTimeoutError", "ConnectionClosedError",
     "ReadTimeoutError", "SSLError"):
        "open the way from the hosts to S3 (a private subnet needs a gateway endpoint for it, or "
        "NAT), or correct airflow_aws_endpoint_url",
    ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"):
        "remove keys of your own from airflow_environment, so that those of the instance profile "
        "are used, or correct them",
}  # fmt: skip
"""Code of S3, or the name of botocore's error -> what corrects it."""


def statements(place: str, more: list[str] | None = None) -> list[dict[str, Any]]:
    """The least IAM statements for logs in a folder; `more` are actions on keys of KMS and the like."""
    objects, bucket = _resource("s3:PutObject", place), _resource("s3:ListBucket", place)
    found: list[dict[str, Any]] = [
        {"Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject"], "Resource": objects},
        {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": bucket},
    ]
    return found + ([{"Effect": "Allow", "Action": more, "Resource": "*"}] if more else [])


def _resource(action: str, place: str) -> str:
    """The ARN that an action is about."""
    path = place.removeprefix("s3://").rstrip("/")
    return f"arn:aws:s3:::{path.partition('/')[0] if action == 's3:ListBucket' else path + '/*'}"
