"""The web UI: whether users get there by its public URL, and can sign in."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from urllib.parse import urlsplit

from toolkit.checks.common import answering, error, host_rule
from toolkit.checks.proof import Proof
from toolkit.cluster import Cluster
from toolkit.cluster.topology import release_line
from toolkit.findings import Finding, Severity
from toolkit.hosts.canary import Visit, Visits
from toolkit.hosts.facts import Probe
from toolkit.hosts.tried import Certificate
from toolkit.hosts.typed import login


def proofs(cluster: Cluster, visits: Visits) -> Iterator[Proof]:
    """Users can sign in, and this machine is where some of them are."""
    server, web = cluster.web_server(), cluster.web.name
    visit = visits.there or visits.here
    # Nobody of the cluster need reach what is before a reverse proxy, nor pass a sign-in of its own.
    aside = not visit.reached or visit.guarded
    severity = Severity.WARNING if aside and server["proxied"] else Severity.ERROR
    yield Proof("web.sign_in", web, "web", "sign-in", _holds(visit), _told(server["url"], visits),
                _sign_in_fix(cluster, visit), severity)  # fmt: skip
    if visits.there is not None and (not visits.here.reached or _holds(visits.there)):
        yield _not_here(cluster, "; ".join(visits.here.wrong) or str(visits.here.error))


def _not_here(cluster: Cluster, cause: str) -> Proof:
    """This machine's own way to the web UI."""
    untrusted = "CERTIFICATE_VERIFY_FAILED" in cause
    kind, what, fix = (
        ("web.untrusted", "does not trust its certificate",
         "have browsers trust the authority that signed it, and name its certificate (PEM) in base_ca_certificates")
        if untrusted else ("web.unreached", "does not reach the web UI", tunnel(cluster))
    )  # fmt: skip
    return Proof(kind, cluster.web.name, "web", "reached from here", False,
                 f"this machine {what}: {cause}", fix, Severity.WARNING)  # fmt: skip


def _holds(visit: Visit) -> bool:
    return visit.reached and not visit.wrong and not visit.error


def _told(url: str, visits: Visits) -> str:
    visit = visits.there or visits.here
    if not _holds(visit):
        return visit.error or "; ".join(visit.wrong)
    done = "signed in" if visit.signed_in else "the login page is shown"
    whence = "" if visits.there is None else " from its own host"
    return (
        f"{done} at {url}{whence}, {visit.redirects} redirects and {visit.files} files were right"
    )


def _sign_in_fix(cluster: Cluster, visit: Visit) -> str:
    url = cluster.web_server()["url"]
    if not visit.reached:
        return f"airflow_base_url has to lead to the web server ({url} does not), directly or by a proxy"
    return (
        "airflow_base_url has to be the URL that users type; a proxy has to keep its path, and send "
        "X-Forwarded-Proto, X-Forwarded-Host and X-Forwarded-Port"
    )


def tunnel(cluster: Cluster) -> str:
    """The command that leads to the web UI by SSH, and the URL to open with it."""
    server, host = cluster.web_server(), cluster.web
    parts = urlsplit(server["api"])
    target = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
    command = login(host.access, "-N", "-L", f"{_LOCAL}:{target}:{server['port']}")
    page = (release_line(cluster) or {})["sign_in"]["page"]
    # The form would lead to the public URL, but for `next`.
    there = f"{parts.scheme}://localhost:{_LOCAL}{parts.path}{page}?next={parts.path}/"
    return f"{command}, and open {there}"


_LOCAL = 8080
"""The port of this machine that the tunnel has."""


@host_rule
def certificate(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """The web server can read its certificate and key, and tasks accept them."""
    for host, facts in answering(cluster, probe):
        if facts.certificate.problem:
            what, fix = _certificate(facts.certificate, cluster.web_server()["url"])
            yield error("web.certificate", host=host.name, what=what, fix=fix)


def _certificate(seen: Certificate, url: str) -> tuple[str, str]:
    path = shlex.quote(seen.path)
    let = f"sudo chgrp airflow {path} && sudo chmod 640 {path}"
    if seen.problem == "refused":
        listed = f" (it is for {', '.join(seen.names)})" if seen.names else ""
        what = f"tasks connect to {seen.name} and refuse the certificate {seen.path}: {seen.detail}{listed}"
        name = next((one for one in seen.names if "*" not in one), "NAME")
        parts = urlsplit(url)
        shown = name + (f":{parts.port}" if parts.port else "")
        if "match" in seen.detail or "mismatch" in seen.detail.lower():
            return (
                what,
                f"airflow_base_url: https://{shown}{parts.path}, a name that the hosts know as well",
            )
        return what, "renew it, or have the hosts trust who signed it: base_ca_certificates: [FILE]"
    whats: dict[str, tuple[str, str]] = {
        "missing": ("is not there", "copy it to the host, or correct airflow_config (api.ssl_cert, api.ssl_key)"),
        "hidden": ("leads to a directory that Airflow's units do not see", "copy it to /etc/airflow-tls, for example, and name that in airflow_config"),
        "unreadable": ("cannot be read by user airflow", f"{let}; directories above it need x for others or for group airflow"),
        "early": ("cannot be read by user airflow, which is made by the first provision", f"provision once without it; then: {let}"),
        "pair": (f"is no key for the certificate, or has a passphrase ({seen.detail})", "name the key that belongs to the certificate, without a passphrase"),
        "untrusted": ("is trusted on the web server's own host alone, and tasks run on others", "name it, or the authority that signed it, as a file on this machine: base_ca_certificates: [FILE]"),
    }  # fmt: skip
    what, fix = whats.get(
        seen.problem, (seen.problem, "correct airflow_config (api.ssl_cert, api.ssl_key)")
    )
    return f"{seen.path or 'the file of api.ssl_key'} {what}", fix
