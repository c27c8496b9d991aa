"""What role redis promises: a broker that needs its password, on this host alone."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Any

PASSWORD = Path(__file__).parents[1].joinpath("shared/password.txt").read_text()


def redis(host: Any, command: str, password: str = PASSWORD) -> str:
    # Amazon Linux calls it redis6-cli.
    client = "$(command -v redis6-cli redis-cli | head -n 1)"
    done = host.run(f"REDISCLI_AUTH={shlex.quote(password)} {client} {command} 2>&1")
    return str(done.stdout).strip()


def test_messages_go_through_it(host: Any) -> None:
    redis(host, "del q")
    assert redis(host, "lpush q message") == "1"
    assert redis(host, "rpop q") == "message"


def test_the_password_is_needed(host: Any) -> None:
    assert "NOAUTH" in redis(host, "ping", "")
    assert "WRONGPASS" in redis(host, "ping", "wrong") or "NOAUTH" in redis(host, "ping", "wrong")


def test_it_listens_on_this_host_alone(host: Any) -> None:
    assert not host.socket("tcp://0.0.0.0:6379").is_listening


def test_it_throws_nothing_away(host: Any) -> None:
    assert redis(host, "config get maxmemory-policy").split()[-1] == "noeviction"


def test_it_survives_a_kill(host: Any) -> None:
    with host.sudo():
        host.run("pkill -9 -f redis.*server")
    for _ in range(50):
        if redis(host, "ping") == "PONG":
            return
        time.sleep(0.2)
    raise AssertionError(redis(host, "ping"))


def test_systemd_never_gives_it_up(host: Any) -> None:
    units = "redis-server.service redis6.service"
    shown = host.check_output(f"systemctl show -p LoadState,StartLimitIntervalUSec {units}")
    found = [dict(line.split("=") for line in unit.split()) for unit in shown.split("\n\n")]
    limits = {one["StartLimitIntervalUSec"] for one in found if one["LoadState"] == "loaded"}
    assert limits == {"0"}
