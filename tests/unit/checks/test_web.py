"""What is said of the visits to the web UI."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.preflight_data import make_cluster

from toolkit.checks.web import proofs, tunnel
from toolkit.findings import Severity
from toolkit.hosts.canary import Visit, Visits

GOOD = Visit(reached=True, signed_in=True, redirects=2, files=9)
SILENT = Visit(wrong=("http://h:8080/: timed out",))


def found(tmp_path: Path, visits: Visits, **settings: Any) -> dict[str, tuple[bool, Severity]]:
    cluster = make_cluster(tmp_path, **settings)
    return {proof.id: (proof.ok, proof.severity) for proof in proofs(cluster, visits)}


def test_a_visit_from_here_is_enough(tmp_path: Path) -> None:
    assert found(tmp_path, Visits(GOOD)) == {"web.sign_in": (True, Severity.ERROR)}


def test_a_wrong_redirect_is_an_error(tmp_path: Path) -> None:
    wrong = Visit(reached=True, signed_in=True, wrong=("a redirect leads to http://h/",))
    assert found(tmp_path, Visits(wrong)) == {"web.sign_in": (False, Severity.ERROR)}


def test_what_only_its_own_host_reaches_is_a_warning(tmp_path: Path) -> None:
    told = found(tmp_path, Visits(SILENT, GOOD))
    assert told == {
        "web.sign_in": (True, Severity.ERROR), "web.unreached": (False, Severity.WARNING),
    }  # fmt: skip
    untrusted = Visit(wrong=("https://h: [SSL: CERTIFICATE_VERIFY_FAILED] self-signed",))
    assert "web.untrusted" in found(tmp_path, Visits(untrusted, GOOD))


def test_nobody_has_to_reach_what_is_before_a_proxy(tmp_path: Path) -> None:
    assert found(tmp_path, Visits(SILENT, SILENT))["web.sign_in"] == (False, Severity.ERROR)
    proxied = found(tmp_path, Visits(SILENT, SILENT), airflow_base_url="https://air.example.com")
    assert proxied["web.sign_in"] == (False, Severity.WARNING)


def test_the_tunnel_leads_to_the_login_form(tmp_path: Path) -> None:
    said = tunnel(make_cluster(tmp_path, airflow_base_url="http://x:8080/af", airflow_web_port=80))
    assert " -L 8080:127.0.0.1:80 " in said
    assert said.endswith("http://localhost:8080/af/auth/login/?next=/af/")
