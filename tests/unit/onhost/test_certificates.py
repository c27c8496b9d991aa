"""Certificates, and what is said of them."""

from __future__ import annotations

import datetime
import ipaddress
import os
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from toolkit.onhost import certificates

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root is told of other users' files")


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A directory that everybody may enter; pytest's own are private."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def made(directory: Path, name: str = "web", begin: int = -1, end: int = 1) -> dict[str, Any]:
    """A self-signed certificate, from and to so many days from now."""
    key, now = rsa.generate_private_key(65537, 2048), datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("10.0.0.7"))]
    signed = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(1).not_valid_before(now + datetime.timedelta(begin))
        .not_valid_after(now + datetime.timedelta(end))
        .add_extension(x509.SubjectAlternativeName(names), False).sign(key, hashes.SHA256())
    )  # fmt: skip
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    text = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    (directory / f"{name}.key").write_bytes(text)
    (directory / f"{name}.pem").write_bytes(signed.public_bytes(pem))
    return {"certificate": str(directory / f"{name}.pem"), "key": str(directory / f"{name}.key"),
            "names": ["10.0.0.7", name], "texts": [], "elsewhere": False}  # fmt: skip


def test_one_that_clients_accept(open_path: Path) -> None:
    assert certificates.examine({}) == {}
    assert certificates.examine(made(open_path)) == {"problem": ""}


def test_the_one_that_a_server_shows(open_path: Path) -> None:
    wanted = made(open_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(wanted["certificate"], wanted["key"])
    made(open_path, end=90)  # renewed, and the server not started again
    with (
        socket.create_server(("127.0.0.1", 0)) as plain,
        context.wrap_socket(plain, server_side=True) as server,
    ):
        thread = threading.Thread(target=lambda: server.accept()[0].close())
        thread.start()
        found = certificates.served(server.getsockname()[1])
        thread.join()
    assert found == pytest.approx(time.time() + 86400, abs=60)
    assert certificates.ends(wanted["certificate"]) == pytest.approx(time.time() + 90 * 86400, abs=60)  # fmt: skip


def test_a_port_that_shows_none() -> None:
    assert certificates.served(1) is None
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert certificates.served(silent.getsockname()[1], patience=0.2) is None


def test_when_one_ends(open_path: Path) -> None:
    wanted = time.time() + 86400
    assert certificates.ends(made(open_path)["certificate"]) == pytest.approx(wanted, abs=60)
    assert certificates.ends("") is None
    assert certificates.ends(str(open_path / "none.pem")) is None


def test_another_name_is_refused_with_those_it_is_for(open_path: Path) -> None:
    found = certificates.examine(made(open_path) | {"names": ["127.0.0.1"]})
    assert (found["problem"], found["name"]) == ("refused", "127.0.0.1")
    assert found["names"] == ["web", "10.0.0.7"]


def test_an_expired_one_is_refused(open_path: Path) -> None:
    found = certificates.examine(made(open_path, begin=-2, end=-1))
    assert (found["problem"], found["detail"]) == ("refused", "certificate has expired")


def test_other_hosts_have_to_be_told_of_a_self_signed_one(open_path: Path) -> None:
    wanted = made(open_path) | {"elsewhere": True}
    assert certificates.examine(wanted)["problem"] == "untrusted"
    texts = [Path(wanted["certificate"]).read_text()]
    assert certificates.examine(wanted | {"texts": texts}) == {"problem": ""}


def test_files_that_the_web_server_cannot_use(open_path: Path) -> None:
    wanted, other = made(open_path), made(open_path, "other")
    for key, problem in ((other["key"], "pair"), (wanted["certificate"], "pair"), ("", "missing"), ("/nosuch", "missing")):  # fmt: skip
        assert certificates.examine(wanted | {"key": key})["problem"] == problem
    Path(wanted["key"]).chmod(0o600)
    assert certificates.examine(wanted)["problem"] in ("early", "unreadable")
