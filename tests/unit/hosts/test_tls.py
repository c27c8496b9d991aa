"""TLS in place of a client: by the server's own name and authority, on real sockets."""

from __future__ import annotations

import datetime
import http.server
import ssl
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from toolkit.hosts import tls
from toolkit.onhost.certificates import own, trusting

BODY = b"x" * 300_000


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of web.example.com, signed by itself; its key is in the same file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "web")])
    signed = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - datetime.timedelta(1))
        .not_valid_after(now + datetime.timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("web.example.com")]), False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + signed.public_bytes(pem)
    )
    return path


@pytest.fixture
def port(certificate: Path) -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_a_plain_client_reaches_the_server_by_its_name(certificate: Path, port: int) -> None:
    texts = own({"path": str(certificate)})["texts"]
    assert len(texts) == 1
    assert "PRIVATE" not in texts[0]
    context = trusting([], texts)
    assert tls.refused(port, "web.example.com", context) == ""
    with tls.without_tls(port, "web.example.com", context) as local:
        for _ in range(2):
            with urllib.request.urlopen(f"http://127.0.0.1:{local}/", timeout=10) as answer:
                assert answer.read() == BODY


def test_another_name_or_authority_is_refused(certificate: Path, port: int) -> None:
    context = trusting([], own({"path": str(certificate)})["texts"])
    assert "elsewhere.example.com" in tls.refused(port, "elsewhere.example.com", context)
    assert "self-signed" in tls.refused(port, "web.example.com", trusting()).replace(" ", "-")
    with tls.without_tls(port, "web.example.com", trusting()) as local, pytest.raises(OSError):
        urllib.request.urlopen(f"http://127.0.0.1:{local}/", timeout=10)
