"""Where the web server listens, and which URL leads there for whom."""

from __future__ import annotations

from typing import Any

import pytest
from airflow_web import DEFAULTS, bind_options, settings_of, web, without_certificate
from ownership_plan import stale_certificates

from toolkit.cluster.specs import load_specs
from toolkit.cluster.tables import release_lines

LINES = release_lines()
TLS = {"api": {"ssl_cert": "/c.pem", "ssl_key": "/k.pem"}}


def planned(here: bool = False, line: str = "3", **changes: Any) -> dict[str, Any]:
    settings = {**DEFAULTS, **{f"airflow_{name}": value for name, value in changes.items()}}
    return web(settings, LINES[line], "10.0.0.7", here)


def test_the_defaults_are_the_settings_own() -> None:
    assert {name: load_specs()[name].default for name in DEFAULTS} == DEFAULTS
    assert settings_of({"airflow_web_port": 1, "other": 2}) == {**DEFAULTS, "airflow_web_port": 1}


@pytest.mark.parametrize(
    ("changes", "url", "here", "there"),
    [
        ({}, "http://10.0.0.7:8080", "http://127.0.0.1:8080", "http://10.0.0.7:8080"),
        ({"web_port": 80}, "http://10.0.0.7", "http://127.0.0.1", "http://10.0.0.7"),
        ({"web_host": "10.9.0.7"}, "http://10.0.0.7:8080", "http://10.9.0.7:8080", "http://10.9.0.7:8080"),
        # Another host may know the name by another address.
        ({"web_host": "web"}, "http://10.0.0.7:8080", "http://web:8080", "http://10.0.0.7:8080"),
        ({"web_host": "::"}, "http://10.0.0.7:8080", "http://[::1]:8080", "http://10.0.0.7:8080"),
        ({"web_host": "[fd00::7]"}, "http://10.0.0.7:8080", "http://[fd00::7]:8080", "http://[fd00::7]:8080"),
        ({"base_url": "http://h:8080/air/flow/"}, "http://h:8080/air/flow",
         "http://127.0.0.1:8080/air/flow", "http://10.0.0.7:8080/air/flow"),
        # A reverse proxy with TLS in front.
        ({"base_url": "https://air.example.com/af"}, "https://air.example.com/af",
         "http://127.0.0.1:8080/af", "http://10.0.0.7:8080/af"),
        # The name that the certificate proves; a proxy's name is not the server's.
        ({"config": TLS, "base_url": "https://web:8080"}, "https://web:8080", "https://web:8080", "https://web:8080"),
        ({"config": TLS, "base_url": "https://air.example.com"}, "https://air.example.com",
         "https://10.0.0.7:8080", "https://10.0.0.7:8080"),
        ({"config": TLS, "web_port": 443}, "https://10.0.0.7", "https://10.0.0.7", "https://10.0.0.7"),
        ({"config": {"core": {"execution_api_server_url": "http://lb:9/x/execution/"}}},
         "http://10.0.0.7:8080", "http://lb:9/x", "http://lb:9/x"),
    ],
)  # fmt: skip
def test_one_place_says_how_it_is_reached(
    changes: dict[str, Any], url: str, here: str, there: str
) -> None:
    mine, theirs = planned(True, **changes), planned(**changes)
    assert (mine["url"], mine["api"], theirs["api"]) == (url, here, there)
    assert theirs["execution"] == f"{there}/execution/"


def test_a_proxy_is_recognized_by_another_scheme_or_port() -> None:
    urls = ("", "http://name:8080/path", "https://name:8080", "http://name", "https://name")
    assert [planned(base_url=url)["proxied"] for url in urls] == [False, False, True, True, True]
    assert not planned(base_url="https://name", web_port=443, config=TLS)["proxied"]


def test_airflow_2_has_its_own_names_and_airflow_3_reads_them() -> None:
    old = {"webserver": {"web_server_ssl_cert": "/c", "web_server_ssl_key": "/k"}}
    for line in LINES:
        found = planned(line=line, config=old)
        assert (found["certificate"], found["key"], found["url"][:5]) == ("/c", "/k", "https")


def test_the_certificate_is_the_web_server_s_host_s_alone() -> None:
    kept = without_certificate({**TLS, "core": {"a": 1}}, LINES["3"], ["api-server", "scheduler"])
    assert kept["api"] == TLS["api"]
    assert without_certificate({**TLS, "core": {"a": 1}}, LINES["3"], ["worker"]) == {
        "api": {}, "core": {"a": 1},
    }  # fmt: skip


def test_only_the_web_server_may_bind_low_ports() -> None:
    assert bind_options(LINES["3"], "api-server", 8080) == {}
    assert bind_options(LINES["3"], "scheduler", 80) == {}
    assert (
        bind_options(LINES["2"], "webserver", 80)["AmbientCapabilities"] == "CAP_NET_BIND_SERVICE"
    )


def test_certificates_that_no_setting_names_any_more_go() -> None:
    listed = ["/ca/old.crt", "/ca/kept.crt", "/etc/airflow/airflow.cfg", "/ca/deeper/x.crt"]
    found = stale_certificates(listed, ["certs/kept.pem"], "/ca")
    assert found == [{"path": "/ca/old.crt", "absent": True}]
