"""A package index on this machine with a handful of empty packages, for uv to resolve from."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Package:
    """One release of one package; `tag` limits its wheel, which then has an sdist beside it."""

    name: str
    version: str
    day: str
    requires: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    requires_python: str = ""
    tag: str = "py3-none-any"

    @property
    def metadata(self) -> bytes:
        lines = [f"Metadata-Version: 2.2\nName: {self.name}\nVersion: {self.version}"]
        lines += [f"Requires-Python: {self.requires_python}"] if self.requires_python else []
        lines += [f"Provides-Extra: {extra}" for extra in self.extras]
        lines += [f"Requires-Dist: {requirement}" for requirement in self.requires]
        return ("\n".join(lines) + "\n").encode()

    @property
    def files(self) -> dict[str, bytes]:
        stem = f"{self.name.replace('-', '_')}-{self.version}"
        wheel = {f"{stem}-{self.tag}.whl": _wheel(stem, self.metadata, self.tag)}
        sdist = {f"{stem}.tar.gz": _sdist(stem, self.metadata)} if "any" not in self.tag else {}
        return wheel | sdist


def _wheel(stem: str, metadata: bytes, tag: str) -> bytes:
    buffer = io.BytesIO()
    parts = {"METADATA": metadata, "WHEEL": f"Wheel-Version: 1.0\nTag: {tag}\n".encode()}
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in parts.items():
            archive.writestr(f"{stem}.dist-info/{name}", content)
        listing = "".join(f"{stem}.dist-info/{name},,\n" for name in [*parts, "RECORD"])
        archive.writestr(f"{stem}.dist-info/RECORD", listing)
    return buffer.getvalue()


def _sdist(stem: str, metadata: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in {"PKG-INFO": metadata, "pyproject.toml": b""}.items():
            member = tarfile.TarInfo(f"{stem}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _page(packages: Iterable[Package]) -> str:
    return "".join(
        f'<a href="/files/{name}#sha256={hashlib.sha256(content).hexdigest()}" '
        f'data-upload-time="{package.day}T08:00:00Z" '
        f'data-requires-python="{escape(package.requires_python)}">{name}</a>\n'
        for package in packages
        for name, content in package.files.items()
    )


@contextmanager
def serve(packages: Iterable[Package], texts: Mapping[str, str]) -> Iterator[str]:
    """Serve the packages below /simple/ and the texts at their paths; gives the base URL."""
    packages = list(packages)
    pages = {path: ("text/plain", text.encode()) for path, text in texts.items()}
    for name in {package.name for package in packages}:
        page = _page(package for package in packages if package.name == name)
        pages[f"/simple/{name}/"] = ("text/html", page.encode())
    for package in packages:
        for filename, content in package.files.items():
            pages[f"/files/{filename}"] = ("application/octet-stream", content)

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET(with_body=False)

        def do_GET(self, with_body: bool = True) -> None:
            kind, content = pages.get(self.path, ("", b""))
            self.send_response(200 if kind else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if with_body:
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
