"""TLS certificates of the web server: whom a client trusts, and whether a certificate would be accepted."""

import contextlib
import os
import re
import ssl
import tempfile

from toolkit.onhost.answering import connected
from toolkit.onhost.filesystems import READ, blocked, service_user
from toolkit.onhost.lib import listening, read

_CERTIFICATE = "-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----"
# ProtectHome= keeps the units from there; a path that is there itself opens it (unit_plan.py), not a link's target.
HIDDEN = ("/home/", "/root/", "/run/user/")


def trusting(files=(), texts=()):
    """A context that trusts this host's authorities, and those in some files and texts (PEM) beside them.

    As Airflow's own client does it with the certificate that the web server is given. A file that cannot
    be read is left out.
    """
    context = ssl.create_default_context()
    for path in files:
        with contextlib.suppress(OSError):  # of which SSLError is one
            context.load_verify_locations(path)
    for text in texts:
        context.load_verify_locations(cadata=text)
    return context


def examine(wanted):
    """What is wrong with the web server's certificate: {} without one, {"problem": ""} when nothing is.

    `wanted`: certificate and key, paths; names, by which members reach the server; texts, authorities
    that the hosts are going to trust; elsewhere, whether other hosts connect.
    """
    if not wanted:
        return {}
    certificate, key = wanted["certificate"], wanted["key"]
    if os.geteuid() != 0:
        return {}
    for path in (certificate, key):
        problem = unusable(path)
        if problem:
            return {"problem": problem, "path": path}
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        server.load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ValueError) as error:
        return {"problem": "pair", "path": key, "detail": str(error)}
    for name in wanted["names"]:
        refused = handshake(server, trusting([certificate], wanted["texts"]), name)
        if refused:
            return {"problem": "refused", "path": certificate, "detail": refused, "name": name,
                    "names": names(certificate)}  # fmt: skip
        if wanted["elsewhere"] and handshake(server, trusting([], wanted["texts"]), name):
            return {"problem": "untrusted", "path": certificate}
    return {"problem": ""}


def unusable(path):
    """Why the service user cannot use a file: "missing", "hidden", "unreadable", "early" or ""."""
    if not path or not os.path.isfile(path):
        return "missing"
    if os.path.realpath(path).startswith(HIDDEN) and not path.startswith(HIDDEN):
        return "hidden"
    # A link has to be passed where it is and where it leads.
    if not blocked([path, os.path.realpath(path)], READ):
        return ""
    return "unreadable" if service_user() else "early"


def handshake(server, client, name):
    """Why a client would refuse to go on with a server of that name; "" when it would not."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(10):
        for end in list(ends):
            try:
                end.do_handshake()
                ends.remove(end)
            except ssl.SSLWantReadError:
                pass
            except (ssl.SSLError, ValueError) as error:  # ValueError: another name, in Python 3.6
                return str(getattr(error, "verify_message", "") or error)
        if not ends:
            break
    return ""


def own(payload):
    """The certificates of a file; never the key, which may be in it as well."""
    return {"texts": re.findall(_CERTIFICATE, read(payload["path"]), re.S)}


def names(path):
    """The names that a certificate is for."""
    return [value for _, value in decoded(path).get("subjectAltName", ())]


def ends(path):
    """Until when a certificate is valid, in seconds since the epoch; None without one."""
    found = decoded(path).get("notAfter") if path else None
    return ssl.cert_time_to_seconds(found) if found else None


def served(port, patience=3):
    """Until when the certificate is valid that the server of a port shows; None where it shows none.

    It read the file when it began, and the file may be another by now.
    """
    address = {number: address for address, number in listening().values()}.get(port)
    if address is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with connected(address, port, patience) as plain, context.wrap_socket(plain) as server:
            shown = ssl.DER_cert_to_PEM_cert(server.getpeercert(True))
    except OSError:
        return None
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(shown)
        file.flush()
        return ends(file.name)


def decoded(path):
    """What a certificate says; {} where it cannot be read."""
    try:
        return ssl._ssl._test_decode_cert(path)  # no public function reads a file
    except Exception:
        return {}
