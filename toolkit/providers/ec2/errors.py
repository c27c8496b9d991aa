"""What AWS refuses, in words that help to correct it; the codes are in answers.yml."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from toolkit.errors import EXIT_FAILED, ToolkitError

_REFUSED = ("UnauthorizedOperation", "AccessDenied", "AccessDeniedException")
_SIGN_IN = "aws configure, or aws sso login; or name another profile with --profile"
_AGAIN = "run the same command again to continue"


@dataclass(frozen=True)
class Answer:
    """What an error code of AWS means: the finding, the sentence as a template, and the fix."""

    id: str = "ec2.refused"
    what: str = "AWS refused {action} ({code}): {said}"
    fix: str = f"correct it, then {_AGAIN}"


@cache
def answers() -> Mapping[str, Answer]:
    """Every code in answers.yml."""
    text = (Path(__file__).parent / "answers.yml").read_text(encoding="utf-8")
    found: dict[str, Answer] = {}
    for record in yaml.safe_load(text):
        codes = record.pop("codes")
        found |= dict.fromkeys(codes, Answer(**record))
    return found


def no_capacity(error: Any) -> bool:
    """Whether RunInstances may still succeed in another subnet."""
    return answers().get(code_of(error), Answer()).id == "ec2.no_capacity"


@contextmanager
def aws_errors() -> Iterator[None]:
    """Turn what boto3 raises in the block into a ToolkitError.

    Raises:
        ToolkitError: says which action was refused, why, and what corrects it.
    """
    from botocore import exceptions

    try:
        yield
    except exceptions.ClientError as error:
        raise of_answer(error) from None
    except (
        exceptions.NoCredentialsError,
        exceptions.PartialCredentialsError,
        exceptions.CredentialRetrievalError,
        exceptions.TokenRetrievalError,
        exceptions.SSOError,
        exceptions.ProfileNotFound,
    ) as error:
        what = f"no credentials for AWS: {error}"
        raise ToolkitError(what, fix=_SIGN_IN, id="ec2.credentials") from None
    except (exceptions.HTTPClientError, exceptions.ConnectionError) as error:
        fix = f"see to the network or proxy; then {_AGAIN}"
        raise _failed("ec2.unreachable", f"AWS cannot be reached: {error}", fix) from None
    except exceptions.WaiterError as error:
        raise _failed("ec2.late", str(error), _AGAIN) from None
    except exceptions.BotoCoreError as error:
        raise _failed("ec2.client", f"AWS: {error}", None) from None


def code_of(error: Any) -> str:
    """The error code in an answer of AWS."""
    return str(error.response.get("Error", {}).get("Code", ""))


def of_answer(error: Any) -> ToolkitError:
    """An error answer of AWS (botocore's ClientError) in the user's words."""
    code, action = code_of(error), str(error.operation_name)
    said = str(error.response.get("Error", {}).get("Message", "")).strip()
    if code in _REFUSED:
        return _refused(action, said)
    answer = answers().get(code, Answer())
    return _failed(answer.id, answer.what.format(code=code, action=action, said=said), answer.fix)


def _failed(id: str, what: str, fix: str | None) -> ToolkitError:
    return ToolkitError(what, fix=fix, exit_code=EXIT_FAILED, id=id)


def _refused(action: str, said: str) -> ToolkitError:
    """A missing permission: which one, on what, and the statement that grants it."""
    # "... is not authorized to perform: ec2:RunInstances on resource: arn:... because ..."
    named = re.search(r"perform: (\w+:\w+)(?: on resource: (\S+))?", said)
    permission = named[1] if named else f"{_service_of(action)}:{action}"
    resource = (named[2] if named else None) or "*"
    statement = {"Effect": "Allow", "Action": permission, "Resource": resource}
    return _failed(
        "ec2.permission",
        f"these credentials may not do {permission} on {resource}",
        f"add to their IAM policy (docs/ec2.md has all of it): {json.dumps(statement)}",
    )


def _service_of(action: str) -> str:
    """The service that an operation belongs to, as policies call it."""
    return next((service for part, service in _SERVICES.items() if part in action), "ec2")


_SERVICES: Mapping[str, str] = {
    "GetParameter": "ssm",
    "GetCallerIdentity": "sts",
    "DB": "rds",
    "Cache": "elasticache",
    "ReplicationGroup": "elasticache",
}
"""Part of an operation's name -> its service."""
