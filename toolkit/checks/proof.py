"""What a running cluster is asked to prove."""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.findings import Finding, Severity


@dataclass(frozen=True)
class Proof:
    """One thing that has to hold, and whether it does.

    Attributes:
        id: the finding that it is when it does not hold, for example `running.unit`.
        host: inventory name of the host, or "" for the whole cluster.
        component: the part of Airflow it is about, or "".
        name: what has to hold, in one or two words.
        ok: whether it holds.
        detail: what was found.
        fix: the command to type when it does not hold.
        severity: how bad it is when it does not hold; the cluster works all the same unless it is an error.
    """

    id: str
    host: str
    component: str
    name: str
    ok: bool
    detail: str
    fix: str = ""
    severity: Severity = Severity.ERROR

    @property
    def passes(self) -> bool:
        """Whether the cluster works as far as this shows."""
        return self.ok or self.severity is not Severity.ERROR

    @property
    def finding(self) -> Finding | None:
        """What is wrong; None when it holds."""
        if self.ok:
            return None
        subject = f"{self.component} {self.name}".strip()
        what = f"{subject}: {self.detail.partition(chr(10))[0]}"
        return Finding.of(self.id, host=self.host, what=what, fix=self.fix, severity=self.severity)


def failures(proofs: list[Proof]) -> list[Finding]:
    """What is wrong, by what did not hold."""
    return [proof.finding for proof in proofs if proof.finding]
