"""What AWS refuses, told so that a person can mend it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from toolkit.errors import EXIT_FAILED, ToolkitError

_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
_UNKNOWN = ("AuthFailure", "InvalidClientTokenId", "UnrecognizedClientException",
            "SignatureDoesNotMatch", "InvalidSignatureException")  # fmt: skip
_REFUSED = ("UnauthorizedOperation", "AccessDenied", "AccessDeniedException")
_THROTTLED = ("RequestLimitExceeded", "Throttling", "ThrottlingException")
NO_CAPACITY = ("InsufficientInstanceCapacity", "InsufficientHostCapacity", "Unsupported",
               "InsufficientFreeAddressesInSubnet")  # fmt: skip
"""RunInstances may still succeed in another subnet."""

_FIXES: Mapping[str, str] = {
    "VcpuLimitExceeded": "ask for more in Service Quotas (Running On-Demand instances), or use "
    "fewer or smaller instances; then run it again",
    "InstanceLimitExceeded": "ask for more in Service Quotas, or use fewer instances; then run it "
    "again",
    "MaxSpotInstanceCountExceeded": "ask for more in Service Quotas (Spot Instance requests), or use "
    "fewer; then run it again",
    "AuthFailure.ServiceLinkedRoleCreationNotPermitted": "once in an account: aws iam "
    "create-service-linked-role --aws-service-name spot.amazonaws.com",
    "AddressLimitExceeded": "ask for more in Service Quotas (EC2-VPC Elastic IPs), or set address: "
    "public",
    "SecurityGroupLimitExceeded": "ask for more in Service Quotas (VPC security groups per Region)",
    "InvalidInstanceType": "correct type in ec2.yml; aws ec2 describe-instance-type-offerings lists "
    "those of the region",
    "InvalidKeyPair.NotFound": "correct key_pair in ec2.yml, or remove it to import key_file",
    "InvalidAMIID.NotFound": "correct image in ec2.yml; an AMI has another id in each region",
    "InvalidAMIID.Malformed": "correct image in ec2.yml",
    "InvalidSubnetID.NotFound": "correct subnets in ec2.yml",
    "InvalidVpcID.NotFound": "correct vpc in ec2.yml",
    "ParameterNotFound": "this region has no such image; choose another image",
    **dict.fromkeys(
        (
            "InstanceQuotaExceeded",
            "StorageQuotaExceeded",
            "DBSubnetGroupQuotaExceeded",
            "DBParameterGroupQuotaExceeded",
        ),
        "ask for more in Service Quotas (Amazon RDS); then run it again",
    ),
    **dict.fromkeys(
        (
            "NodeQuotaForClusterExceeded",
            "NodeQuotaForCustomerExceeded",
            "ClusterQuotaForCustomerExceeded",
            "CacheSubnetGroupQuotaExceeded",
            "CacheParameterGroupQuotaExceeded",
        ),
        "ask for more in Service Quotas (Amazon ElastiCache); then run it again",
    ),
    **dict.fromkeys(
        ("InsufficientDBInstanceCapacity", "InsufficientCacheClusterCapacity"),
        "there is no capacity for that type now: choose another in ec2.yml, or run it again later",
    ),
    "DBSubnetGroupDoesNotCoverEnoughAZs": "name subnets of two zones in ec2.yml",
    "DependencyViolation": "something that the toolkit did not make uses it; detach that, then run "
    "it again",
}


@contextmanager
def told() -> Iterator[None]:
    """Turn what boto3 raises in the block into a ToolkitError.

    Raises:
        ToolkitError: says which action was refused, why, and what mends it.
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
        raise ToolkitError(f"no credentials for AWS: {error}", fix=_SIGN_IN) from None
    except (exceptions.HTTPClientError, exceptions.ConnectionError) as error:
        raise ToolkitError(
            f"AWS cannot be reached: {error}",
            fix="see to the network or proxy; then run the same command again to continue",
            exit_code=EXIT_FAILED,
        ) from None
    except exceptions.WaiterError as error:
        raise ToolkitError(
            f"{error}", fix="run the same command again to continue", exit_code=EXIT_FAILED
        ) from None
    except exceptions.BotoCoreError as error:
        raise ToolkitError(f"AWS: {error}", exit_code=EXIT_FAILED) from None


_SIGN_IN = "aws configure, or aws sso login; or name another profile with --profile"


def code_of(error: Any) -> str:
    """The error code in an answer of AWS."""
    return str(error.response.get("Error", {}).get("Code", ""))


def of_answer(error: Any) -> ToolkitError:
    """An error answer of AWS (botocore's ClientError) in the user's words."""
    code, action = code_of(error), str(error.operation_name)
    said = str(error.response.get("Error", {}).get("Message", "")).strip()
    if code in _EXPIRED:
        return _failed("the AWS credentials have expired", _SIGN_IN + "; then run it again")
    if code in _UNKNOWN:
        return _failed(f"AWS does not know these credentials ({code}): {said}", _SIGN_IN)
    if code in _REFUSED:
        return _refused(action, said)
    if code in _THROTTLED:
        return _failed(f"AWS throttles {action} ({code})", "wait a minute, then run it again")
    if code in NO_CAPACITY:
        return _failed(
            f"no subnet has capacity for it ({code}): {said}",
            "name more subnets, or another instance type; or run it again later",
        )
    fix = _FIXES.get(code, "correct it, then run the same command again to continue")
    return _failed(f"AWS refused {action} ({code}): {said}", fix)


def _failed(what: str, fix: str) -> ToolkitError:
    return ToolkitError(what, fix=fix, exit_code=EXIT_FAILED)


def _refused(action: str, said: str) -> ToolkitError:
    """A missing permission: which one, on what, and the statement that grants it."""
    # "... is not authorized to perform: ec2:RunInstances on resource: arn:... because ..."
    named = re.search(r"perform: (\w+:\w+)(?: on resource: (\S+))?", said)
    permission = named[1] if named else f"{_service_of(action)}:{action}"
    resource = (named[2] if named else None) or "*"
    statement = {"Effect": "Allow", "Action": permission, "Resource": resource}
    return _failed(
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
