"""The visit to the web UI, against a small server that redirects as Airflow does."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs

import pytest

from toolkit.onhost import browser

FORM = '<form method="post"><input type="hidden" name="csrf_token" value="t"></form>'


@contextmanager
def serving(**changes: Any) -> Iterator[dict[str, Any]]:
    """A server below /af; `changes` are answers by path: a text, a status, or where to."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            cookie = "signed=1" in (self.headers.get("Cookie") or "")
            answers: dict[str, Any] = {
                "/af/": '<base href="/af/"><script src="./static/a.js"></script>',
                "/af/static/a.js": "a",
                "/af/api/login": root + "/auth/login/",
                "/af/auth/login/": FORM + '<link rel="stylesheet" href="/af/static/b.css">',
                "/af/static/b.css": "b",
                "/af/me": "{}" if cookie else 401,
            } | changes
            self.answer(answers.get(self.path, 404))

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
            right = parse_qs(sent) == {"csrf_token": ["t"], "username": ["u"], "password": ["p&1"]}
            self.answer(changes.get("to", root + "/"), cookie=right)

        def answer(self, what: Any, cookie: bool = False) -> None:
            leads = isinstance(what, str) and what.startswith("http")
            self.send_response(what if isinstance(what, int) else 302 if leads else 200)
            if leads:
                self.send_header("Location", what)
            if cookie:
                self.send_header("Set-Cookie", "signed=1; Path=/af")
            self.end_headers()
            self.wfile.write(b"" if leads or isinstance(what, int) else what.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    root = f"http://127.0.0.1:{server.server_port}/af"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield {"url": root, "authorities": [], "texts": [], "own": ["127.0.0.1"], "username": "u", "password": "p&1",
               "entry": "/api/login", "signed_in": "/me", "form": True}  # fmt: skip
    finally:
        server.shutdown()
        server.server_close()


def test_it_signs_in_as_a_browser() -> None:
    with serving() as payload:
        assert browser.main(payload) == {
            "reached": True, "signed_in": True, "guarded": False, "wrong": [], "redirects": 2, "files": 2,
        }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"/af/static/a.js": 404}, "its file"),
        ({"/af/": '<script src="/static/a.js"></script>'}, "has a file that leads to"),
        ({"/af/": 502}, "HTTP 502"),
        ({"/af/auth/login/": "<p>proxy error</p>"}, "has no login form"),
        ({"/af/me": 401}, "/me answers HTTP 401 afterwards"),
        ({"/af/api/login": "https://127.0.0.1:1/af/"}, "a redirect leads to https://127.0.0.1:1/af/"),
        ({"to": "http://127.0.0.1:1/"}, "a redirect leads to http://127.0.0.1:1/"),
    ],
)  # fmt: skip
def test_what_leads_elsewhere_is_named(changes: dict[str, Any], said: str) -> None:
    with serving(**changes) as payload:
        found = browser.main(payload)
    assert said in " ".join(found["wrong"])
    assert found["reached"]


def test_without_an_answer_it_is_not_reached() -> None:
    with serving() as payload:
        pass
    found = browser.main(payload)
    assert not found["reached"]
    assert "refused" in found["wrong"][0]


def test_another_login_than_the_form_is_only_looked_at() -> None:
    with serving() as payload:
        found = browser.main({**payload, "form": False})
    assert (found["signed_in"], found["wrong"]) == (False, [])


@pytest.mark.parametrize(
    ("changes", "guarded"),
    [
        ({"/af/": "http://localhost:1/sign-in"}, True),  # of a company, before any page of ours
        ({"/af/": 401}, True),
        ({"/af/": "http://127.0.0.1:1/af/"}, False),  # the cluster's own
        ({"to": "http://localhost:1/"}, False),
        ({"/af/": "http://h:$port/x"}, False),
    ],
)
def test_a_sign_in_before_ours_is_told_from_a_wrong_url(
    changes: dict[str, Any], guarded: bool
) -> None:
    with serving(**changes) as payload:
        found = browser.main(payload)
    assert found["wrong"]
    assert found["guarded"] == guarded


def test_files_of_other_hosts_are_not_ours() -> None:
    page = '<script src="https://counter.example.com/a.js"></script><link rel="preconnect" href="//cdn.example.com">'
    with serving(**{"/af/": page}) as payload:
        assert browser.main(payload)["wrong"] == []
