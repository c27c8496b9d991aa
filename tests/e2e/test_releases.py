"""DAGs on a running cluster of four hosts: deployed, refused, kept by runs, rolled back."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.lab_cluster import TOOLKIT
from support.saved_clusters import Provisioned

DATA, CONTROL, *WORKERS = [f"e2efour{number}" for number in range(1, 5)]
AIRFLOW = (CONTROL, *WORKERS)
RELEASES = "/var/lib/airflow/dags/releases"
pytestmark = pytest.mark.scenario

KEPT = """
import subprocess, sys, time
from datetime import datetime
from airflow.sdk import dag, task
from include.which import NAME

@dag(schedule=None, start_date=datetime(2026, 1, 1), is_paused_upon_creation=False)
def kept():
    @task(retries=0)
    def work(number):
        import include.which
        time.sleep(4)
        words = [sys.executable, "-c", "import include.which as w; print(w.NAME)"]
        return f"{NAME} {include.which.NAME} {subprocess.check_output(words, text=True).strip()}"
    work.expand(number=list(range(40)))
kept()
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose tasks say which release of it they run."""
    root = tmp_path_factory.mktemp("project") / "etl"
    for name, text in (("dags/kept.py", KEPT), ("include/which.py", 'NAME = "one"\n')):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text(text)
    return root


def change(project: Path, name: str) -> None:
    (project / "include/which.py").write_text(f'NAME = "{name}"\n')


def current(four: Provisioned) -> set[str]:
    return {four.ssh(host, "readlink /var/lib/airflow/dags/release").strip() for host in AIRFLOW}


def rows(four: Provisioned, query: str) -> list[str]:
    said = four.ssh(DATA, f"runuser -u postgres -- psql -Atc {json.dumps(query)} airflow")
    return said.splitlines()


def deploy(four: Provisioned, *arguments: object, expect: int = 0) -> dict[str, Any]:
    return four.json("deploy", *map(str, arguments), expect=expect)


COPIED = """
from datetime import datetime
from airflow.sdk import DAG
with DAG("copied", schedule=None, start_date=datetime(2026, 1, 1)):
    pass
"""


def bundles(four: Provisioned) -> list[str]:
    return rows(four, "select dag_id, bundle_name from dag where not is_stale order by dag_id")


def test_dags_that_somebody_copied_are_deployed_from_then_on(
    four: Provisioned, tmp_path: Path
) -> None:
    (tmp_path / "copied.py").write_text(COPIED)
    for host in AIRFLOW:
        four.ssh(host, f"cat > /var/lib/airflow/dags/current/copied.py <<'E'\n{COPIED}\nE\n")
    four.reserialize(CONTROL)
    assert bundles(four) == ["copied|dags-folder", "toolkit_canary|dags-folder"]
    deploy(four, tmp_path)
    deadline = time.monotonic() + 30
    while "current/copied.py" in four.ssh(
        CONTROL, "journalctl -u airflow-dag-processor -o cat --since -5s"
    ):
        assert time.monotonic() < deadline
        time.sleep(1)
    assert bundles(four) == ["copied|deployed", "toolkit_canary|dags-folder"]
    assert "copied.py" in four.ssh(CONTROL, f"ls {RELEASES}/none").split()


def test_an_example_for_whoever_has_no_dags_yet(four: Provisioned) -> None:
    (finding,) = deploy(four, "--example", expect=2)["findings"]
    assert "1 DAG(s) would disappear: copied" in finding["what"]
    said = four.toolkit("deploy", "--example", "--allow-removal")
    assert "Airflow shows release" in said.stdout
    assert "[" in said.stderr and "shown by Airflow, 1 DAGs" in said.stderr
    assert rows(
        four, "select dag_id, bundle_name from dag where not is_stale and bundle_name = 'deployed'"
    ) == ["daily_chain|deployed"]
    assert bundles(four) == ["daily_chain|deployed", "toolkit_canary|dags-folder"]
    assert len(current(four)) == 1
    assert "nothing to do" in four.toolkit("deploy", "--example").stdout


def test_a_provision_afterwards_changes_nothing(four: Provisioned) -> None:
    assert four.json("provision", "--no-verify")["changes"] == []
    assert four.json("check")["findings"] == []


@pytest.mark.parametrize(
    ("name", "text", "finding", "says"),
    [
        (
            "broken.py",
            "from airflow import DAG\nx = (\n",
            "dags.import_error",
            "broken.py:2: SyntaxError",
        ),
        ("kept2.py", KEPT, "dags.duplicate", "DAG kept is in kept.py as well"),
    ],
)
def test_what_airflow_cannot_import_is_refused_and_the_dags_before_go_on(
    four: Provisioned, project: Path, name: str, text: str, finding: str, says: str
) -> None:
    before = current(four)
    (project / "dags" / name).write_text(text)
    refused = deploy(four, project, "--allow-removal", expect=2)
    (project / "dags" / name).unlink()
    assert [(one["id"], one["host"]) for one in refused["findings"]] == [(finding, CONTROL)]
    assert says in refused["findings"][0]["what"]
    assert current(four) == before
    for host in AIRFLOW:
        assert refused["release"] not in four.ssh(
            host, f"ls -a {RELEASES}; ls /run/airflow-toolkit 2>/dev/null || true"
        )


def test_a_file_that_ends_the_process_is_named_and_nothing_stays_on_the_hosts(
    four: Provisioned, project: Path
) -> None:
    there = f"ls -a {RELEASES}; ls /run/airflow-toolkit /run/systemd/system 2>/dev/null | grep gate || true"
    before = [four.ssh(host, there) for host in AIRFLOW]
    (project / "dags/ends.py").write_text("# dag airflow\nimport os\nos._exit(3)\n")
    refused = four.toolkit("deploy", str(project), "--allow-removal", expect=2)
    (project / "dags/ends.py").unlink()
    assert "ends.py: the import ended its process, exit status 3" in refused.stderr
    assert [four.ssh(host, there) for host in AIRFLOW] == before


def test_dags_do_not_disappear_unasked(four: Provisioned, project: Path) -> None:
    (finding,) = deploy(four, project, expect=2)["findings"]
    assert finding["id"] == "dags.removed"
    assert "daily_chain" in finding["what"]
    tried = deploy(four, project, "--allow-removal", "--check")
    assert tried["removed_dags"] == ["daily_chain"]
    assert deploy(four, project, "--allow-removal")["dags"] == 1
    assert rows(four, "select dag_id from dag where not is_stale and bundle_name = 'deployed'") == [
        "kept"
    ]


def test_a_run_keeps_the_release_that_it_began_with(four: Provisioned, project: Path) -> None:
    first = deploy(four, project)["release"]
    four.toolkit("airflow", "--", "dags", "trigger", "kept")
    time.sleep(3)
    change(project, "two")
    second = deploy(four, project)
    assert second["former"] == first
    assert second["changed"] == ["include/which.py"]
    listed = {one["id"]: one for one in four.json("deploy", "--list")["releases"]}
    assert listed[first]["runs"] == 1
    assert (listed[second["release"]]["current_on"], listed[first]["missing_on"]) == (
        sorted(AIRFLOW),
        [],
    )
    four.toolkit("airflow", "--", "dags", "trigger", "kept")
    # The first one is neither current then nor the one before, and none more is to be kept.
    settings = four.directory / "group_vars/all/airflow.yml"
    text = settings.read_text() if settings.exists() else ""
    four.set(f"{text}\nairflow_dags_keep: 1\n")
    change(project, "three at last")
    third = deploy(four, project)["release"]
    four.set(text)
    assert {one["id"] for one in four.json("deploy", "--list")["releases"]} == {
        first, second["release"], third,
    }  # fmt: skip
    deadline = time.monotonic() + 180
    while set(rows(four, "select state from dag_run where dag_id = 'kept'")) != {"success"}:
        assert time.monotonic() < deadline
        time.sleep(1)
    values = rows(
        four,
        "select r.bundle_version, x.value, count(*) from dag_run r join xcom x on x.dag_run_id = r.id "
        "where r.dag_id = 'kept' and x.key = 'return_value' group by 1, 2 order by 1",
    )
    assert values == [f'{first}|"one one one"|40', f'{second["release"]}|"two two two"|40']
    assert rows(four, "select distinct try_number from task_instance where dag_id = 'kept'") == [
        "1"
    ]
    assert four.json("rollback", second["release"])["former"] == third


def test_back_to_the_release_before(four: Provisioned, project: Path) -> None:
    back = four.json("rollback")
    assert current(four) == {f"releases/{back['release']}"}
    change(project, "one")
    assert deploy(four, project)["unchanged"]
    refused = four.toolkit("rollback", "20200101", expect=2)
    assert "there is no release 20200101" in refused.stderr
    assert "deploy -i" in refused.stderr


@contextmanager
def paused(four: Provisioned, host: str) -> Iterator[None]:
    four.podman("pause", host)
    try:
        yield
    finally:
        four.podman("unpause", host)


def test_a_host_that_is_away_stops_it_before_the_switch(four: Provisioned, project: Path) -> None:
    before = current(four)
    change(project, "three")
    with paused(four, WORKERS[1]):
        refused = four.toolkit("deploy", str(project), expect=2)
        listed = four.toolkit("deploy", "--list", "--json")
    assert f"error: {WORKERS[1]}: " in refused.stderr
    assert WORKERS[1] in listed.stderr
    assert WORKERS[1] not in json.loads(listed.stdout)["releases"][0]["current_on"]
    assert current(four) == before


def test_a_disk_that_is_full_on_one_host(four: Provisioned, project: Path) -> None:
    before = current(four)
    four.ssh(
        WORKERS[1],
        f"mount -t tmpfs -o size=1m,uid=$(id -u airflow),gid=$(id -g airflow) tmpfs {RELEASES}",
    )
    (project / "include/data.bin").write_bytes(os.urandom(3 * 2**20))
    refused = four.toolkit("deploy", str(project), expect=2)
    (project / "include/data.bin").unlink()
    four.ssh(WORKERS[1], f"umount {RELEASES}")
    assert f"error: {WORKERS[1]}: the DAGs need 3." in refused.stderr
    assert current(four) == before


def test_two_control_machines_do_not_deploy_at_once(
    four: Provisioned, project: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(four.directory, tmp_path / "copy")
    other = replace(
        four,
        directory=copy,
        environment=four.environment | {"XDG_STATE_HOME": str(tmp_path / "state")},
    )
    change(project, "four")
    first = background(four, project)
    deadline = time.monotonic() + 30
    while not four.ssh(CONTROL, "cat /run/airflow-toolkit/lease.json 2>/dev/null || true").strip():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    refused = other.toolkit("deploy", str(project), expect=2)
    assert "works on this cluster" in refused.stderr
    assert first.wait(60) == 0


def background(four: Provisioned, project: Path) -> subprocess.Popen[bytes]:
    command = [TOOLKIT, "deploy", "-i", str(four.directory), str(project)]
    return subprocess.Popen(
        command, env=four.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


@pytest.mark.parametrize("step", ["spread", "gate", "switch", "seen"])
def test_a_deploy_that_was_killed_goes_on(four: Provisioned, project: Path, step: str) -> None:
    """Wherever it was, the hosts have the old DAGs or the new ones, and the next deploy has no question."""
    change(project, step)
    before = newest_run(four)
    killed = background(four, project)
    deadline = time.monotonic() + 60
    while newest_run(four) == before or step not in steps_of(newest_run(four)):
        assert killed.poll() is None, "it ended before"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    deploy(four, project)
    assert len(current(four)) == 1
    assert (
        four.ssh(CONTROL, "cat /var/lib/airflow/dags/release/include/which.py")
        == f'NAME = "{step}"\n'
    )
    left = four.ssh(
        CONTROL, "ls /run/systemd/system | grep gate; ls /run/airflow-toolkit | grep gate; true"
    )
    assert left == ""


def newest_run(four: Provisioned) -> Path:
    runs = Path(four.environment["XDG_STATE_HOME"]).glob("toolkit/clusters/*/runs/*")
    return max(runs, key=lambda path: path.name)


def steps_of(run: Path) -> set[str]:
    """The step that a run is in, and those before: its record has each that has ended."""
    order = ["pack", "spread", "gate", "switch", "seen"]
    try:
        ended = json.loads((run / "summary.json").read_text())["stages"]
    except (ValueError, LookupError, OSError):
        return set()
    return {order[order.index(name) + 1] for name in ended if name != "seen"}


def test_a_host_that_joins_gets_the_releases_before_its_units_start(four: Provisioned) -> None:
    host = WORKERS[0]
    four.ssh(
        host,
        "systemctl stop airflow-worker; cd /var/lib/airflow/dags; chmod -R u+w releases; "
        "rm -rf release releases/[0-9]*; ln -sfn releases/none current",
    )
    four.toolkit("provision", "--limit", host, "--no-verify")
    assert len(current(four)) == 1
    listed = four.json("deploy", "--list")["releases"]
    assert {name for one in listed for name in one["missing_on"]} == set()


def test_dags_of_the_user_s_own_folder_are_theirs(four: Provisioned, project: Path) -> None:
    settings = four.directory / "group_vars/all/airflow.yml"
    text = settings.read_text() if settings.exists() else ""
    four.set(f"{text}\nairflow_dags_folder: /data/dags\n")
    refused = four.toolkit("deploy", str(project), expect=2)
    four.set(text)
    assert "airflow_dags_folder is /data/dags" in refused.stderr


def test_a_repository_with_a_deploy_key(four: Provisioned, project: Path, tmp_path: Path) -> None:
    """git by SSH on a real host; the key is refused until it is let in."""
    four.ssh(DATA, "apt-get install -qqy git >/dev/null 2>&1; git --version >/dev/null; useradd -m git; "
                   "runuser -u git -- git init -q --bare -b main /home/git/dags.git")  # fmt: skip
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    from toolkit.cluster import Cluster

    url = f"git@{Cluster.load(four.directory).host(DATA).address}:dags.git"
    settings = four.directory / "group_vars/all/airflow.yml"
    text = settings.read_text() if settings.exists() else ""
    four.set(f"{text}\nairflow_dags_source: {url}\nairflow_dags_ref: v1\nairflow_dags_key: {key}\n")
    home = {"HOME": str(tmp_path)}
    refused = four.toolkit("deploy", expect=2, **home)
    assert "the server refuses the key" in refused.stderr
    assert f"ssh-keygen -y -f {key}" in refused.stderr
    four.ssh(DATA, f"install -d -o git -m 700 /home/git/.ssh; echo '{key.with_suffix('.pub').read_text().strip()}' "
                   "> /home/git/.ssh/authorized_keys")  # fmt: skip
    missing = four.toolkit("deploy", expect=2, **home)
    assert "there is no branch, tag or commit v1" in missing.stderr
    change(project, "from git")
    ssh = f"ssh -i {key} -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "one"], ["tag", "v1"],
                  ["push", "-q", url, "main", "v1"]):  # fmt: skip
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        subprocess.run(
            ["git", *identity, *words],
            cwd=project,
            check=True,
            env=os.environ | {"GIT_SSH_COMMAND": ssh},
        )
    found = four.json("deploy", **home)
    assert (found["ref"], len(found["commit"]), found["source"]) == ("v1", 40, url)
    four.set(text)
    # The same files from elsewhere are the same release, and the list says where they are from now.
    change(project, "something else")
    other = deploy(four, project)
    change(project, "from git")
    assert four.json("deploy", str(project))["release"] == found["release"]
    newest, before, *_ = four.json("deploy", "--list")["releases"]
    assert (newest["id"], newest["source"], newest["ref"]) == (
        found["release"],
        str(project),
        "main",
    )
    assert (newest["current_on"], before["id"]) == (sorted(AIRFLOW), other["release"])
