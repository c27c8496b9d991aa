"""One host, Airflow 3.3.2, LocalExecutor, by the same path as script/demo."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.lab_cluster import REPOSITORY, TIMEOUT, TOOLKIT, Cluster, assert_no_secret


@pytest.fixture(scope="module")
def provisioned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    environment = os.environ | {"XDG_STATE_HOME": str(tmp_path_factory.mktemp("state"))}
    cluster = Cluster(tmp_path_factory.mktemp("inventory") / "e2esingle", environment)
    try:
        demo = subprocess.run(
            [str(REPOSITORY / "script/demo"), "-i", str(cluster.directory)],
            env=environment, capture_output=True, text=True, check=False, timeout=TIMEOUT,
        )  # fmt: skip
        assert demo.returncode == 0, demo.stdout + demo.stderr
        assert "the canary DAG ran" in demo.stdout
        assert "http://" in demo.stdout
        assert_no_secret(cluster, demo.stdout, demo.stderr)
        yield cluster
    finally:
        subprocess.run([TOOLKIT, "lab", "down", "e2esingle"], env=environment, check=False)


HOST = "e2esingle1"


def test_second_provision_changes_nothing(provisioned: Cluster) -> None:
    result = provisioned.json("provision", "--no-verify")
    assert result["ok"]
    assert result["changes"] == []


def test_check_mode_finds_nothing_to_change(provisioned: Cluster) -> None:
    result = provisioned.json("provision", "--check")
    assert result["changes"] == []


def test_plain_pipelining_does_the_same_as_mitogen(provisioned: Cluster) -> None:
    result = provisioned.json("provision", "--no-verify", TOOLKIT_STRATEGY="free")
    assert result["ok"]
    assert result["changes"] == []


def test_plain_ansible_playbook_does_the_same(provisioned: Cluster) -> None:
    command = provisioned.toolkit("provision", "--print-command").stdout
    done = subprocess.run(
        command.strip(), shell=True, cwd=REPOSITORY, capture_output=True, text=True,
        env=os.environ | {"ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg")}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "changed=0" in done.stdout


def test_status_shows_every_component(provisioned: Cluster) -> None:
    status = provisioned.json("status")
    rows = {row["component"]: row for row in status["rows"]}
    assert set(rows) == {"api-server", "scheduler", "dag-processor", "triggerer"}
    assert all(row["state"] == "active" and row["memory_mb"] > 50 for row in rows.values())
    assert all(rows[name]["heartbeat_age"] < 30 for name in ("scheduler", "triggerer"))
    assert status["releases"][0].startswith("3.3.2-")
    assert len(status["schema"]) >= 12


def test_units_are_hardened(provisioned: Cluster) -> None:
    for unit in ("api-server", "scheduler", "dag-processor", "triggerer"):
        said = provisioned.ssh(HOST, f"systemd-analyze security airflow-{unit}.service | tail -1")
        assert float(said.split("exposure level for")[1].split(":")[1].split()[0]) <= 1.5


def test_secrets_are_private_on_the_host(provisioned: Cluster) -> None:
    modes = provisioned.ssh(
        HOST, "stat -c '%a %U:%G' /etc/airflow/airflow.env /etc/airflow/airflow.cfg"
    )
    assert modes.splitlines() == ["640 root:airflow", "640 root:airflow"]
    values = "\n".join(str(value) for value in provisioned.vault().values())
    # Through standard input, so that this test does not itself put them into an argument vector.
    found = provisioned.ssh(HOST, f"""cat > /run/values <<'END'
{values}
END
chmod 600 /run/values
find /etc /usr/local /var/lib/airflow /var/log /opt/airflow /tmp -xdev -type f -perm -004 -print0 |
    xargs -0 grep -lFf /run/values
cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -cFf /run/values
journalctl --no-pager | grep -cFf /run/values
rm /run/values""", check=False)  # fmt: skip
    assert found.split() == ["0", "0"]


def test_database_needs_its_password(provisioned: Cluster) -> None:
    refused = provisioned.ssh(
        HOST,
        "PGPASSWORD=airflow psql -h 127.0.0.1 -U airflow airflow -c 'select 1' 2>&1",
        check=False,
    )
    assert "password authentication failed" in refused
    owner = provisioned.ssh(
        HOST,
        "runuser -u postgres -- psql -Atc \"select rolpassword like 'SCRAM-SHA-256%' from pg_authid where rolname='airflow'\"",
    )
    assert owner.strip() == "t"


def test_airflow_cli_passes_output_and_exit_status_through(provisioned: Cluster) -> None:
    assert "toolkit_canary" in provisioned.toolkit("airflow", "--", "dags", "list").stdout
    provisioned.toolkit("airflow", "--", "dags", "no-such-command", expect=2)


def test_a_stopped_unit_is_seen_and_mended(provisioned: Cluster) -> None:
    provisioned.ssh(HOST, "systemctl stop airflow-triggerer")
    status = provisioned.json("status", expect=1)
    assert {r["component"]: r["state"] for r in status["rows"]}["triggerer"] == "inactive"
    provisioned.json("provision", "--no-verify")
    assert provisioned.json("status")["ok"]


def test_a_killed_scheduler_comes_back(provisioned: Cluster) -> None:
    provisioned.ssh(HOST, "systemctl kill --signal=KILL airflow-scheduler")
    time.sleep(8)
    rows = {row["component"]: row for row in provisioned.json("status")["rows"]}
    assert rows["scheduler"]["state"] == "active"
    assert rows["scheduler"]["restarts"] == 1


def test_a_changed_setting_restarts_and_still_verifies(provisioned: Cluster) -> None:
    provisioned.set(
        "airflow_timezone: Asia/Seoul\nairflow_config: {core: {max_active_runs_per_dag: 4}}\n"
    )
    assert provisioned.json("provision")["ok"]
    value = provisioned.toolkit(
        "airflow", "--", "config", "get-value", "core", "max_active_runs_per_dag"
    )
    assert value.stdout.strip().splitlines()[-1] == "4"


SLOW_DAG = """\
from pathlib import Path
from time import sleep

from airflow.sdk import dag, task


@dag(is_paused_upon_creation=False)
def e2e_slow():
    @task
    def sleeps():
        Path("/var/lib/airflow/e2e_began").touch()
        sleep(30)

    sleeps()


e2e_slow()
"""


def test_a_restart_waits_for_running_tasks(provisioned: Cluster) -> None:
    """The task outlasts the wait after which a lost stop signal is sent again."""
    file = "/var/lib/airflow/dags/toolkit/e2e_slow.py"
    provisioned.ssh(HOST, f"cat > {file} <<'END'\n{SLOW_DAG}END\nchmod 644 {file}")
    provisioned.toolkit("airflow", "--", "dags", "reserialize")
    provisioned.toolkit("airflow", "--", "dags", "trigger", "e2e_slow", "--run-id", "e2e")
    provisioned.ssh(HOST, "timeout 60 sh -c 'until ls /var/lib/airflow/e2e_began; do sleep 0.5; done'; "
                    "systemctl restart airflow-scheduler")  # fmt: skip
    state = provisioned.toolkit("airflow", "--", "tasks", "state", "e2e_slow", "sleeps", "e2e")
    assert state.stdout.strip().splitlines()[-1] == "success"
    provisioned.ssh(HOST, f"rm {file} /var/lib/airflow/e2e_began")
    provisioned.toolkit("airflow", "--", "dags", "delete", "--yes", "e2e_slow")


def test_the_proof_does_not_need_the_admin_s_first_password(provisioned: Cluster) -> None:
    reset = ("airflow", "--", "users", "reset-password", "--username=admin")
    provisioned.toolkit(*reset, "--password=changed-by-hand")
    assert provisioned.json("verify")["ok"]
    provisioned.toolkit(*reset, f"--password={provisioned.vault()['airflow_admin_password']}")


def test_the_canary_leaves_no_history(provisioned: Cluster) -> None:
    provisioned.toolkit("verify")
    runs = provisioned.toolkit("airflow", "--", "dags", "list-runs", "toolkit_canary", "-o", "json")
    assert json.loads(runs.stdout.strip().splitlines()[-1]) == []


def test_verify_fails_when_tasks_cannot_run(provisioned: Cluster) -> None:
    """A wrong JWT secret: every unit active, health all green, every task fails."""
    provisioned.ssh(HOST, "cp -p /etc/airflow/airflow.env /root/airflow.env; "
                    "sed -i 's/^AIRFLOW__API_AUTH__JWT_SECRET=.*/AIRFLOW__API_AUTH__JWT_SECRET=\"wrong-wrong-wrong-wrong-wrong-wrong\"/' /etc/airflow/airflow.env; "
                    "systemctl restart airflow-scheduler; cp -p /root/airflow.env /etc/airflow/airflow.env")  # fmt: skip
    checks = provisioned.json("verify", expect=1)["checks"]
    failed = [check["name"] for check in checks if not check["ok"]]
    assert "canary DAG" in failed
    provisioned.ssh(HOST, "rm /root/airflow.env; systemctl restart airflow-scheduler")
    provisioned.toolkit("verify")


def test_browser_logs_in_and_sees_the_canary(provisioned: Cluster, tmp_path: Path) -> None:
    selenium = pytest.importorskip("selenium.webdriver")
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    options = selenium.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                 "--disable-background-networking", "--disable-component-update", "--disable-sync",
                 f"--user-data-dir={tmp_path}", "--window-size=1280,800"):  # fmt: skip
        options.add_argument(flag)
    service = selenium.ChromeService("/usr/bin/chromedriver")
    url = provisioned.json("provision", "--check")["url"]
    with selenium.Chrome(options=options, service=service) as browser:
        browser.get(url + "/auth/login/")
        wait = WebDriverWait(browser, 60)
        wait.until(lambda page: page.find_element(By.NAME, "username")).send_keys("admin")
        password = provisioned.vault()["airflow_admin_password"]
        browser.find_element(By.NAME, "password").send_keys(password)
        browser.find_element(By.CSS_SELECTOR, "input[type=submit], button[type=submit]").click()
        wait.until(lambda page: "/auth/login" not in page.current_url)
        browser.get(url + "/dags")
        wait.until(lambda page: "toolkit_canary" in page.page_source)
        browser.save_screenshot(os.environ.get("SCREENSHOT", str(tmp_path / "dags.png")))
