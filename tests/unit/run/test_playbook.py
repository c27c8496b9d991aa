"""What is reported of a task that failed."""

from __future__ import annotations

from toolkit.run.playbook import cause_of


def test_cause_never_shows_a_censored_result() -> None:
    assert "hidden" in cause_of({"censored": "x", "msg": "secret"})
    assert cause_of({"msg": "non-zero return code", "stderr": "no such host\n"}) == (
        "non-zero return code; no such host"
    )
    assert cause_of({"results": [{"failed": False}, {"failed": True, "msg": "second"}]}) == "second"
