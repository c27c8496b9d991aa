"""AWS's errors, with what to do."""

from __future__ import annotations

from toolkit.providers.ec2.errors import of_answer


def test_a_refused_action_without_a_sentence_of_aws_names_the_permission() -> None:
    from botocore.exceptions import ClientError

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
    ours = {code for code in errors._FIXES if "Quota" in code or "DB" in code or "Cache" in code}
    assert len(ours) == 12
    assert ours <= known
