"""The host script on this machine, what it is asked, and how its answer is read."""

from __future__ import annotations

import ast
import http.server
import json
import os
import runpy
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from support.preflight_data import CELERY, SINGLE, make_cluster

from toolkit.cluster import vault as secrets
from toolkit.cluster.tables import installed_packages
from toolkit.errors import ToolkitError
from toolkit.hosts.external import external_urls
from toolkit.hosts.facts import Facts, Listener
from toolkit.hosts.payload import host_and_port, index_url, payload
from toolkit.hosts.probe import script as whole_script

SCRIPT = Path(__file__).parents[3] / "toolkit" / "onhost" / "host_facts.py"


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


def probe(payload: dict[str, Any]) -> dict[str, Any]:
    """What the script finds on this machine, sent as it is sent to a host."""
    source = f"{whole_script()}\nprint(json.dumps(main(json.loads({json.dumps(payload)!r}))))"
    done = subprocess.run(
        [sys.executable, "-"], input=source, capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_script_runs_under_old_pythons() -> None:
    text = whole_script()
    tree = ast.parse(text, feature_version=(3, 6))
    nodes = list(ast.walk(tree))
    imported = {
        alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names
    }
    imported |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names


def test_the_scripts_that_are_sent_together_have_no_name_in_common() -> None:
    body = ast.parse(whole_script()).body
    names = [node.name for node in body if isinstance(node, ast.FunctionDef)]
    names += [target.id for node in body if isinstance(node, ast.Assign)
              for target in node.targets if isinstance(target, ast.Name)]  # fmt: skip
    twice = {name for name, number in Counter(names).items() if number > 1}
    assert twice == {"PARTS"}


class Index(http.server.BaseHTTPRequestHandler):
    """A package index that wants a password on one page, has nothing on another, and is slow once."""

    busy: ClassVar = {"/once-slow/": 1, "/slow/": 9}

    def do_GET(self) -> None:
        if self.busy.get(self.path):
            self.busy[self.path] -= 1
            time.sleep(2)
            return
        expected = "Basic dXNlcjpwQHNz"  # user:p@ss
        secret = self.path == "/private/" and self.headers["Authorization"] != expected
        self.send_response(401 if secret else 404 if self.path.endswith("InRelease") else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def index() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def test_facts_of_this_machine(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        found = probe({"paths": [str(tmp_path / "not" / "there")], "interpreter": sys.executable})
    facts = Facts.from_json(found | {"sent": 0.0, "received": 0.0})
    assert facts.errors == {}
    assert facts.os
    assert facts.os.id
    assert facts.machine
    assert facts.machine.uid == os.getuid()
    assert facts.memory
    assert facts.memory.total_mb > facts.memory.available_mb > 0
    assert facts.network
    assert facts.network.hostname == socket.gethostname()
    assert "127.0.0.1" in facts.network.addresses
    (path,) = facts.paths
    assert (path.exists, path.device) == (False, tmp_path.stat().st_dev)
    assert path.total_mb >= path.free_mb > 0
    (ours,) = [entry for entry in facts.listeners if entry.port == port]
    assert (ours.pid, ours.address) == (os.getpid(), "127.0.0.1")
    (wanted,) = [python for python in facts.pythons if python.wanted]
    assert wanted.version == ".".join(str(part) for part in sys.version_info[:3])
    assert wanted.minor == f"{sys.version_info.major}.{sys.version_info.minor}"
    assert found["clock_start"] <= found["clock_end"]


def test_urls_and_ports_as_seen_from_here(index: int) -> None:
    closed, base = closed_port(), f"http://127.0.0.1:{index}"
    found = probe(
        {
            "urls": [
                {"url": f"{base}/simple/", "role": "index"},
                {"url": f"http://user:p%40ss@127.0.0.1:{index}/private/", "role": "index"},
                {"url": f"http://user:bad@127.0.0.1:{index}/private/", "role": "index"},
                {"url": f"http://127.0.0.1:{closed}/", "role": "index"},
                {"url": f"{base}/dists/bookworm/InRelease", "role": "mirror"},
                {"url": f"{base}/once-slow/", "role": "index"},
                {"url": f"{base}/slow/", "role": "index"},
            ],
            "timeout": 1,
            "ports": [
                {"host": "127.0.0.1", "port": index, "role": "broker"},
                {"host": "127.0.0.1", "port": closed, "role": "broker"},
            ],
        }
    )
    facts = Facts.from_json(found)
    assert [(url.result, url.detail) for url in facts.urls] == [
        ("ok", ""),
        ("ok", ""),
        ("http", "401"),
        ("refused", "Connection refused"),
        ("ok", ""),
        ("ok", ""),
        ("timeout", "no answer in time"),
    ]
    assert facts.urls[1].url == f"{base}/private/"
    assert [port.result for port in facts.ports] == ["open", "refused"]


def test_one_part_that_fails_leaves_the_others(script: dict[str, Any]) -> None:
    found = script["main"]({"paths": [7]})
    assert list(found["errors"]) == ["paths"]
    assert "memory" in found


def test_one_line_sources(script: dict[str, Any]) -> None:
    text = (
        "# deb http://off.example.com/debian bookworm main\n"
        "deb [arch=amd64 signed-by=/k.gpg] http://a.example.com/debian bookworm main contrib # x\n"
        "deb-src http://a.example.com/debian bookworm main\n"
        "deb http://b.example.com/flat/ ./\n"
    )
    assert [script["release_file"](*entry) for entry in script["one_line_sources"](text)] == [
        "http://a.example.com/debian/dists/bookworm/InRelease",
        "http://b.example.com/flat/./InRelease",
    ]


def test_deb822_sources(script: dict[str, Any]) -> None:
    text = (
        "# from the installer\nTypes: deb deb-src\nURIs: http://a.example.com/debian\n"
        "Suites: bookworm\n bookworm-updates\nComponents: main\n\n"
        "Types: deb\nEnabled: no\nURIs: http://off.example.com\nSuites: x\n\n"
        "Types: deb-src\nURIs: http://src.example.com\nSuites: x\n"
    )
    assert list(script["deb822_sources"](text)) == [
        ("http://a.example.com/debian", "bookworm"),
        ("http://a.example.com/debian", "bookworm-updates"),
    ]


def test_package_states(script: dict[str, Any]) -> None:
    status = (
        "Package: libc6\nStatus: install ok installed\nVersion: 2.36\n\n"
        "Package: postgresql-15\nStatus: install ok installed\nPriority: optional\nVersion: 15.1\n"
        "Description: a server\n\n"
        "Package: redis-server\nStatus: install ok half-configured\nVersion: 7.0\n\n"
        "Package: mariadb-server\nStatus: deinstall ok config-files\nVersion: 10.11\n\n"
        "Package: postgresql-client-15\nStatus: install ok installed\nVersion: 15.1\n"
    )
    unfinished, installed = script["package_states"](status)
    assert unfinished == ["redis-server"]
    assert installed == {"libc6": "2.36", "postgresql-15": "15.1", "postgresql-client-15": "15.1"}
    servers = [name for name in installed if script["is_one_of"](name, installed_packages())]
    assert servers == ["postgresql-15"]


def test_addresses_of_the_kernel_s_tables(script: dict[str, Any]) -> None:
    loopback = "0100007F" if sys.byteorder == "little" else "7F000001"
    assert script["address_text"](loopback, socket.AF_INET) == "127.0.0.1"
    assert script["address_text"]("0" * 32, socket.AF_INET6) == "::"


def test_facts_from_a_probe_of_another_version() -> None:
    facts = Facts.from_json(
        {"new": 1, "memory": {"total_mb": 5, "new": 2}, "listeners": [{"port": 80, "pid": 1}],
         "packages": {"lock": None, "unfinished": ["a"]}}
    )  # fmt: skip
    assert facts.memory
    assert facts.memory.total_mb == 5
    assert facts.listeners == (Listener(pid=1, port=80),)
    assert facts.packages
    assert (facts.packages.lock, facts.packages.unfinished) == (None, ("a",))
    assert facts.systemd is None


def test_the_clock_offset_is_between_what_the_round_trip_allows() -> None:
    facts = Facts(sent=100.0, received=103.0, clock_start=201.0, clock_end=202.0)
    assert facts.clock_offset == (99.0, 101.0)


def test_a_single_host_is_asked_about_the_index_and_no_peers(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, python_interpreter="/opt/python")
    asked = payload(cluster, cluster.host("h1"), "https://index.example.com/simple", {})
    assert asked["urls"] == [
        {"url": "https://index.example.com/simple/apache-airflow/", "role": "index"}
    ]
    assert asked["ports"] == []
    assert asked["interpreter"] == "/opt/python"


def test_hosts_of_a_cluster_are_asked_about_the_servers_they_need(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, CELERY, {"d1": {"base_address": "10.9.0.1"}}, redis_port=7000)
    database = {"host": "10.9.0.1", "port": 5432, "role": "metadata_db", "peer": "d1"}
    broker = {"host": "10.9.0.1", "port": 7000, "role": "broker", "peer": "d1"}

    def ports(name: str) -> list[dict[str, Any]]:
        asked: list[dict[str, Any]] = payload(cluster, cluster.host(name), "", {})["ports"]
        return asked

    assert ports("d1") == []
    assert ports("a1") == [database, broker]
    assert ports("w1") == [broker]  # a worker of Airflow 3 has no access to the database
    assert payload(cluster, cluster.host("d1"), "https://index", {})["urls"] == []
    cluster = make_cluster(tmp_path, CELERY, airflow_version="2.11.2")
    assert [port["role"] for port in ports("w1")] == ["metadata_db", "broker"]


def test_external_servers_are_asked_for(tmp_path: Path) -> None:
    cluster = make_cluster(
        tmp_path,
        {"a1": ("scheduler", "webserver"), "w1": ("worker",)},
        metadata_db_url="postgresql+psycopg2://airflow:p%2Fw@db.example.com/airflow",
        broker_url="rediss://:pw@mq.example.com:6380",
    )
    asked = [
        payload(cluster, host, "", external_urls(cluster))["ports"] for host in cluster.all_hosts
    ]
    assert [[(port["host"], port["port"], port["role"]) for port in ports] for ports in asked] == [
        [("db.example.com", 5432, "metadata_db"), ("mq.example.com", 6380, "broker")],
        [("mq.example.com", 6380, "broker")],
    ]


def test_what_the_vault_says_about_an_external_database_counts(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, {"a1": ("scheduler", "webserver")})
    url = "postgresql+psycopg2://airflow:pw@db.example.com/airflow"
    secrets.update(cluster, {"metadata_db_url": url, "metadata_db_ca_certificate": "/etc/ca.pem"})
    assert external_urls(cluster) == {
        "metadata_db": f"{url}?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem"
    }
    secrets.update(cluster, {"metadata_db_url": None})
    assert external_urls(cluster) == {}


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("mysql+pymysql://u:p@db/airflow", ("db", 3306)),
        ("postgresql://u:p@db:6000/airflow", ("db", 6000)),
        ("redis://:a/b@mq:6379", ("", 0)),
        ("sqlite:////tmp/x.db", ("", 0)),
    ],
)
def test_places_of_urls(url: str, place: tuple[str, int]) -> None:
    assert host_and_port(url) == place


def test_the_index_of_the_settings_wins_over_uv_s(tmp_path: Path) -> None:
    named = "https://user:pw@index.example.com/simple"
    assert index_url(make_cluster(tmp_path, SINGLE, python_index_url=named)) == named


def test_uv_s_own_index_is_not_the_one_configured_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://here.example.com/simple")
    index = index_url(make_cluster(tmp_path))
    assert index.startswith("https://")
    assert "here.example.com" not in index


def test_certificates_are_sent_along(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("PEM")
    cluster = make_cluster(tmp_path, base_ca_certificates=["ca.pem"])
    assert payload(cluster, cluster.host("h1"), "", {})["ca_certificates"] == ["PEM"]
    cluster = make_cluster(tmp_path, base_ca_certificates=["none.pem"])
    with pytest.raises(ToolkitError, match=r"none\.pem"):
        payload(cluster, cluster.host("h1"), "", {})
