"""One host with Airflow 3.3.2 and the LocalExecutor, as script/demo leaves it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest
from support.lab_cluster import TOOLKIT, Cluster, assert_no_secret
from support.saved_clusters import Provisioned

HOST = "e2eone1"


def test_the_demo_ends_with_a_dag_that_ran(single: Provisioned) -> None:
    assert "the canary DAG ran" in single.first_stdout
    assert "http://" in single.first_stdout
    assert_no_secret(single, single.first_stdout, single.first_stderr)


def test_status_shows_every_component(single: Provisioned) -> None:
    status = single.json("status")
    rows = {row["component"]: row for row in status["rows"]}
    assert set(rows) == {"api-server", "scheduler", "dag-processor", "triggerer"}
    assert all(row["state"] == "active" and row["memory_mb"] > 50 for row in rows.values())
    assert all(rows[name]["heartbeat_age"] < 30 for name in ("scheduler", "triggerer"))
    assert status["releases"][0].startswith("3.3.2-")
    assert len(status["schema"]) >= 12


def test_units_are_hardened(single: Provisioned) -> None:
    """By what they run: the web server runs no code of DAGs (docs/hardening.md)."""
    for unit, most in {
        "api-server": 1.2,
        "scheduler": 3.5,
        "dag-processor": 3.5,
        "triggerer": 3.5,
    }.items():
        said = single.ssh(HOST, f"systemd-analyze security airflow-{unit}.service | tail -1")
        assert float(said.split("exposure level for")[1].split(":")[1].split()[0]) <= most, unit


def test_secrets_are_private_on_the_host(single: Provisioned) -> None:
    modes = single.ssh(HOST, "stat -c '%a %U:%G' /etc/airflow/airflow.env /etc/airflow/airflow.cfg")
    assert modes.splitlines() == ["640 root:airflow", "640 root:airflow"]
    values = "\n".join(str(value) for value in single.vault().values())
    # Through standard input, so that this test does not itself put them into an argument vector.
    found = single.ssh(HOST, f"""cat > /run/values <<'END'
{values}
END
chmod 600 /run/values
find /etc /usr/local /var/lib/airflow /var/log /opt/airflow /tmp -xdev -type f -perm -004 -print0 |
    xargs -0 grep -lFf /run/values
cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -cFf /run/values
journalctl --no-pager | grep -cFf /run/values
rm /run/values""", check=False)  # fmt: skip
    assert found.split() == ["0", "0"]


def test_database_needs_its_password(single: Provisioned) -> None:
    refused = single.ssh(
        HOST,
        "PGPASSWORD=airflow psql -h 127.0.0.1 -U airflow airflow -c 'select 1' 2>&1",
        check=False,
    )
    assert "password authentication failed" in refused
    owner = single.ssh(
        HOST,
        "runuser -u postgres -- psql -Atc \"select rolpassword like 'SCRAM-SHA-256%' from pg_authid where rolname='airflow'\"",
    )
    assert owner.strip() == "t"


def test_airflow_cli_passes_output_and_exit_status_through(single: Provisioned) -> None:
    assert "toolkit_canary" in single.toolkit("airflow", "--", "dags", "list").stdout
    single.toolkit("airflow", "--", "dags", "no-such-command", expect=2)


def test_a_killed_scheduler_comes_back(single: Provisioned) -> None:
    # The count of restarts comes first: right after the kill systemd still says "active".
    single.ssh(
        HOST,
        """systemctl kill --signal=KILL airflow-scheduler
timeout 60 sh -c 'until [ "$(systemctl show --value -p NRestarts airflow-scheduler)" -eq 1 ] &&
    systemctl is-active -q airflow-scheduler &&
    [ $(ss -Hltn "sport = :8974 or sport = :8793" | wc -l) -ge 2 ]; do sleep 0.2; done'""",
    )
    rows = {row["component"]: row for row in single.json("status")["rows"]}
    assert rows["scheduler"]["state"] == "active"
    assert rows["scheduler"]["restarts"] == 1


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


def test_a_restart_waits_for_running_tasks(single: Provisioned) -> None:
    """The task outlasts the wait after which a lost stop signal is sent again."""
    file = "/var/lib/airflow/dags/toolkit/e2e_slow.py"
    single.ssh(HOST, f"cat > {file} <<'END'\n{SLOW_DAG}END\nchmod 644 {file}")
    single.reserialize(HOST)
    single.toolkit("airflow", "--", "dags", "trigger", "e2e_slow", "--run-id", "e2e")
    single.ssh(HOST, "timeout 60 sh -c 'until ls /var/lib/airflow/e2e_began; do sleep 0.5; done'; "
                    "systemctl restart airflow-scheduler")  # fmt: skip
    state = single.toolkit("airflow", "--", "tasks", "state", "e2e_slow", "sleeps", "e2e")
    assert state.stdout.strip().splitlines()[-1] == "success"
    single.ssh(HOST, f"rm {file} /var/lib/airflow/e2e_began")
    single.toolkit("airflow", "--", "dags", "delete", "--yes", "e2e_slow")


def test_the_proof_does_not_need_the_admin_s_first_password(single: Provisioned) -> None:
    reset = ("airflow", "--", "users", "reset-password", "--username=admin")
    single.toolkit(*reset, "--password=changed-by-hand")
    assert single.json("verify")["ok"]
    single.toolkit(*reset, f"--password={single.vault()['airflow_admin_password']}")


def test_a_vault_that_was_lost_is_recovered_from_the_host(
    single: Provisioned, tmp_path: Path
) -> None:
    """An inventory copied without its vault is refused, with nothing written, until it has the secrets."""
    copy = Cluster(tmp_path / "copy", single.environment)
    copy.directory.mkdir()
    for name in ("hosts.yml", "known_hosts"):
        (copy.directory / name).write_bytes((single.directory / name).read_bytes())
    refused = copy.json("provision", expect=2)
    assert [one["id"] for one in refused["findings"] if one["severity"] == "error"] == [
        "ownership.other_cluster"
    ]
    assert sorted(path.name for path in copy.directory.iterdir()) == ["hosts.yml", "known_hosts"]
    done = subprocess.run(
        [TOOLKIT, "secrets", "recover", "-i", str(copy.directory), "--json"],
        env=copy.environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found, lost = copy.vault(), single.vault()
    assert json.loads(done.stdout)["stored"] == sorted(found)
    assert {"base_cluster_id", "airflow_fernet_key", "metadata_db_password"} <= found.keys()
    assert found == {name: lost[name] for name in found}
    assert not [value for value in found.values() if value in done.stdout + done.stderr]
    assert copy.json("check")["ok"]


OLD_RUN = """
from datetime import datetime
from airflow.sdk import dag, task
from include.which import NAME

def tell(context):
    open("/var/lib/airflow/told", "w").write(NAME)

@dag(schedule=None, start_date=datetime(2026, 1, 1), is_paused_upon_creation=False, on_failure_callback=tell)
def old_run():
    @task
    def fails():
        import time
        time.sleep(12)
        raise RuntimeError(NAME)
    fails()
old_run()
"""


def test_a_callback_of_an_old_run_leaves_the_new_code_to_the_dag_processor(
    single: Provisioned, tmp_path: Path
) -> None:
    """Under the LocalExecutor, too, a run keeps its release; the process that reads DAGs does not."""
    for name, text in (("dags/old_run.py", OLD_RUN), ("include/which.py", 'NAME = "one"\n')):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    single.toolkit("deploy", str(tmp_path))
    single.toolkit("airflow", "--", "dags", "trigger", "old_run")
    time.sleep(4)
    (tmp_path / "include/which.py").write_text('NAME = "two"\n')
    # It cannot be imported with the include/ of the release before.
    (tmp_path / "dags/new.py").write_text(
        'import include.which\nassert include.which.NAME == "two", "dag airflow"\n'
        + OLD_RUN.replace("old_run", "new_run")
    )
    single.toolkit("deploy", str(tmp_path))
    deadline = time.monotonic() + 90
    while not single.ssh(HOST, "cat /var/lib/airflow/told 2>/dev/null || true"):
        assert time.monotonic() < deadline
        time.sleep(1)
    # The files are parsed again after 30 s.
    single.ssh(HOST, "sleep 2; touch -h /var/lib/airflow/dags/release/dags/new.py; sleep 6")
    assert [one for one in single.json("check")["findings"] if "import" in one["id"]] == []
    assert single.ssh(HOST, "cat /var/lib/airflow/told") in ("one", "two")


def test_the_canary_leaves_no_history(single: Provisioned) -> None:
    single.toolkit("verify")
    runs = single.toolkit("airflow", "--", "dags", "list-runs", "toolkit_canary", "-o", "json")
    assert json.loads(runs.stdout.strip().splitlines()[-1]) == []


def test_verify_fails_when_tasks_cannot_run(single: Provisioned) -> None:
    """A wrong JWT secret: every unit active, health all green, every task fails."""
    single.ssh(HOST, "cp -p /etc/airflow/airflow.env /root/airflow.env; "
                    "sed -i 's/^AIRFLOW__API_AUTH__JWT_SECRET=.*/AIRFLOW__API_AUTH__JWT_SECRET=\"wrong-wrong-wrong-wrong-wrong-wrong\"/' /etc/airflow/airflow.env; "
                    "systemctl restart airflow-scheduler; cp -p /root/airflow.env /etc/airflow/airflow.env")  # fmt: skip
    checks = single.json("verify", expect=1)["checks"]
    failed = [check["name"] for check in checks if not check["ok"]]
    assert "canary DAG" in failed
    single.ssh(HOST, "rm /root/airflow.env; systemctl restart airflow-scheduler")
    single.toolkit("verify")


def test_browser_logs_in_and_sees_the_canary(single: Provisioned, tmp_path: Path) -> None:
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
    url = single.json("provision", "--check")["url"]
    with selenium.Chrome(options=options, service=service) as browser:
        browser.get(url + "/auth/login/")
        wait = WebDriverWait(browser, 60)
        wait.until(lambda page: page.find_element(By.NAME, "username")).send_keys("admin")
        password = single.vault()["airflow_admin_password"]
        browser.find_element(By.NAME, "password").send_keys(password)
        browser.find_element(By.CSS_SELECTOR, "input[type=submit], button[type=submit]").click()
        wait.until(lambda page: "/auth/login" not in page.current_url)
        browser.get(url + "/dags")
        wait.until(lambda page: "toolkit_canary" in page.page_source)
        browser.save_screenshot(os.environ.get("SCREENSHOT", str(tmp_path / "dags.png")))
