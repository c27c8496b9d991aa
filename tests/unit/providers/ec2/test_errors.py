"""AWS's errors, with what to do."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    WaiterError,
)

from toolkit.errors import ToolkitError
from toolkit.findings import entries
from toolkit.providers.ec2.errors import aws_errors, of_answer

OTHERS = {
    "ec2.credentials": NoCredentialsError(),
    "ec2.unreachable": EndpointConnectionError(endpoint_url="https://ec2.example.com"),
    "ec2.late": WaiterError("InstanceRunning", "max attempts exceeded", {}),
    "ec2.client": NoRegionError(),
}
CODES = {
    "ExpiredToken": "ec2.expired_credentials",
    "AuthFailure": "ec2.unknown_credentials",
    "Throttling": "ec2.throttled",
    "UnauthorizedOperation": "ec2.permission",
    "InsufficientInstanceCapacity": "ec2.no_capacity",
    "VcpuLimitExceeded": "ec2.quota",
    "InvalidAMIID.NotFound": "ec2.wrong_value",
    "SomethingNew": "ec2.refused",
}


@pytest.mark.parametrize("id", OTHERS)
def test_an_error_of_the_client_is_a_finding(id: str) -> None:
    with pytest.raises(ToolkitError) as raised, aws_errors():
        raise OTHERS[id]
    assert raised.value.id == id


@pytest.mark.parametrize("code", CODES)
def test_a_code_of_aws_is_a_finding(code: str) -> None:
    answer = {"Error": {"Code": code, "Message": "some {braces} of AWS"}}
    error = of_answer(ClientError(answer, "RunInstances"))  # type: ignore[arg-type]
    assert error.id == CODES[code]
    assert error.id in entries()
    assert error.fix


def test_a_refused_action_without_a_sentence_of_aws_names_the_permission() -> None:
    error = ClientError(
        {"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetParameter"
    )
    assert '"Action": "ssm:GetParameter"' in str(of_answer(error))


def test_errors_are_called_as_aws_calls_them() -> None:
    """By botocore's own description of the services."""
    import botocore.session

    from toolkit.providers.ec2 import errors, managed

    session = botocore.session.get_session()

    def codes(shapes: object) -> set[str]:
        return {one.metadata.get("error", {}).get("code", one.name) for one in shapes}  # type: ignore[attr-defined]

    known: set[str] = set()
    for service in managed.SERVICES:
        model = session.get_service_model(service.name)
        known |= codes(model.error_shapes)
        for kind in service.kinds:
            for verb, plural, ending in (
                ("Describe", "s", "NotFound"),
                ("Create", "", "AlreadyExists"),
            ):
                told = codes(model.operation_model(f"{verb}{kind.word}{plural}").error_shapes)
                assert any(code.startswith(kind.word + ending) for code in told), (kind.word, told)
    ours = {code for code in errors.answers() if "Quota" in code or "DB" in code or "Cache" in code}
    assert len(ours) == 12
    assert ours <= known
