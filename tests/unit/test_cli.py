"""Parts of the control machine: inventories, secrets, run records, lab decisions."""

from __future__ import annotations

import json
import os
import signal
import stat
import time
from contextlib import suppress
from pathlib import Path

import pytest

from toolkit.cluster import Cluster
from toolkit.cluster import hosts_file as inventory
from toolkit.cluster import vault as secrets
from toolkit.errors import ToolkitError
from toolkit.providers.lab.hosts import groups
from toolkit.providers.lab.machine import Machine
from toolkit.run import record as runs
from toolkit.run.playbook import cause_of
from toolkit.verbs.init import create
from toolkit.verbs.provision import _Interrupts


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Cluster.load(create(tmp_path / "prod", groups=inventory.spread(["kim@10.0.0.1"])))


def test_a_target_becomes_a_single_host(cluster: Cluster) -> None:
    assert [host.name for host in cluster.hosts] == ["10.0.0.1"]
    assert set(cluster.hosts[0].groups) == {"metadata_db", "scheduler", "webserver"}
    assert cluster.hosts[0].user == "kim"
    assert cluster.executor == "LocalExecutor"


def test_more_targets_become_workers(tmp_path: Path) -> None:
    made = create(tmp_path / "x", groups=inventory.spread(["a@h1", "a@h2:2222", "a@h3"]))
    cluster = Cluster.load(made)
    assert [host.name for host in cluster.group("worker")] == ["h2", "h3"]
    assert cluster.host("h2").port == 2222
    assert cluster.executor == "CeleryExecutor"


def test_an_inventory_is_never_overwritten(cluster: Cluster) -> None:
    before = {path: path.stat().st_mtime_ns for path in cluster.directory.rglob("*")}
    with pytest.raises(ToolkitError, match="not empty"):
        create(cluster.directory)
    assert before == {path: path.stat().st_mtime_ns for path in cluster.directory.rglob("*")}


def test_a_wrong_setting_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match="airflow_web_port"):
        create(tmp_path / "y", settings={"airflow_web_prot": 1})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", ["", "a b@c", "-oProxyCommand=x", "a@b:port"])
def test_what_is_no_target(target: str) -> None:
    with pytest.raises(ToolkitError):
        inventory.parse_target(target)


def test_limit_is_ansibles_pattern(tmp_path: Path) -> None:
    cluster = Cluster.load(create(tmp_path / "z", sample="cluster"))

    def names(pattern: str) -> list[str]:
        return [host.name for host in cluster.limited(pattern).hosts]

    assert names("worker") == ["worker1", "worker2"]
    assert names("all:!worker") == ["db1", "airflow1"]
    assert names("worker:&worker2") == ["worker2"]
    assert names("w*1,db1") == ["db1", "worker1"]
    with pytest.raises(ToolkitError, match="matches no host"):
        cluster.limited("nothing")


def test_secrets_are_made_once_encrypted_and_private(cluster: Cluster) -> None:
    secrets.ensure(cluster)
    path = secrets.vault_file(cluster.directory)
    first = secrets.read_vault(cluster)
    assert set(first) == set(secrets.GENERATED)
    assert path.read_text().startswith("$ANSIBLE_VAULT;")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(secrets.vault_password_file(cluster.directory).stat().st_mode) == 0o600
    content = path.read_bytes()
    secrets.ensure(cluster)
    assert path.read_bytes() == content
    assert secrets.mask(f"x{first['broker_password']}y", secrets.values(cluster)) == "x********y"


def test_a_wrong_vault_password_is_told(cluster: Cluster) -> None:
    secrets.ensure(cluster)
    secrets.vault_password_file(cluster.directory).write_text("other\n")
    with pytest.raises(ToolkitError, match="does not open"):
        secrets.read_vault(cluster)


def test_the_lock_names_its_holder(cluster: Cluster) -> None:
    with (
        runs.exclusive(cluster.directory, "toolkit provision"),
        pytest.raises(ToolkitError, match=r"process \d+, `toolkit provision`"),
        runs.exclusive(cluster.directory, "toolkit verify"),
    ):
        pass
    with runs.exclusive(cluster.directory, "again"):
        pass


def test_a_record_whose_process_is_gone_was_killed(cluster: Cluster) -> None:
    run = runs.Run.start(cluster.directory, "toolkit provision")
    path = run.directory / "summary.json"
    summary = json.loads(path.read_text())
    assert runs.recorded(cluster.directory)[0]["result"] == "running"
    path.write_text(json.dumps(summary | {"pid": 2**22 + 1}))
    assert runs.recorded(cluster.directory)[0]["result"] == "killed"


def test_cause_never_shows_a_censored_result() -> None:
    assert "hidden" in cause_of({"censored": "x", "msg": "secret"})
    assert cause_of({"msg": "non-zero return code", "stderr": "no such host\n"}) == (
        "non-zero return code; no such host"
    )
    assert cause_of({"results": [{"failed": False}, {"failed": True, "msg": "second"}]}) == "second"


def test_lab_groups() -> None:
    assert groups(["a"]) == {"metadata_db": ["a"], "scheduler": ["a"], "webserver": ["a"]}
    assert groups(["a", "b"])["worker"] == ["b"]
    four = groups(["a", "b", "c", "d"])
    assert (four["broker"], four["scheduler"], four["worker"]) == (["a"], ["b"], ["c", "d"])


def test_what_podman_needs_follows_from_the_machine() -> None:
    ordinary = Machine(
        root=False, cgroup2=True, raises_limits=True, counts_processes=True, systemd=True
    )
    assert ordinary.refusal() is None
    assert "--privileged" not in ordinary.run_options()
    assert ordinary.global_options() == []
    old = Machine(
        root=True, cgroup2=False, raises_limits=False, counts_processes=False, systemd=False
    )
    assert old.refusal() is None
    assert {"--privileged", "--pids-limit=-1", "nofile=20000:20000"} <= set(old.run_options())
    assert old.global_options() == ["--cgroup-manager=cgroupfs"]
    assert Machine(False, False, True, True, True).refusal()


def test_an_interrupt_that_a_library_swallows_is_not_lost() -> None:
    interrupts, earlier = _Interrupts(), signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interrupts.heard(), suppress(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
    assert signal.getsignal(signal.SIGINT) is earlier
