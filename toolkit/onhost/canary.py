"""On a webserver host: waits for health and runs the canary DAG through Airflow's REST API."""

import json
import re
import time

from toolkit.onhost.api import Api
from toolkit.onhost.lib import read, wait_until

DAG = "toolkit_canary"


class Canary(Api):
    """The canary's part of the API."""

    def runs(self, run_id="", rest=""):
        """Path of the canary's runs, or of one of them."""
        return self.prefix + "/dags/" + DAG + "/dagRuns" + ("/" + run_id if run_id else "") + rest

    def trigger(self):
        """Start the canary: status and answer."""
        return self.call("POST", self.runs(), {"logical_date": None} if self.modern else {})

    def tasks(self):
        """Names of the DAG's tasks, as Airflow knows it."""
        found = self.call("GET", self.prefix + "/dags/" + DAG + "/tasks")[1].get("tasks", [])
        return {task["task_id"] for task in found}

    def parse(self):
        """Have Airflow read the DAG's file at once."""
        answer = self.call("GET", self.prefix + "/dags/" + DAG)[1]
        self.call("PUT", self.prefix + "/parseDagFile/" + answer.get("file_token", ""))

    def end_runs(self):
        """End and remove runs that an earlier call was cut off in: their tasks would wait for queues without a worker."""
        for run in self.call("GET", self.runs(rest="?limit=100"))[1].get("dag_runs", []):
            if run.get("state") in ("queued", "running"):
                self.call("PATCH", self.runs(run["dag_run_id"]), {"state": "failed"})
                self.call("DELETE", self.runs(run["dag_run_id"]))

    def pause(self, paused):
        """Have the scheduler pass it over, or not."""
        self.call("PATCH", self.prefix + "/dags/" + DAG, {"is_paused": paused})

    def leave_out(self, run_id, task):
        """Have a task of a run that is not scheduled yet count as skipped."""
        body = {"new_state": "skipped"}
        path = self.runs(run_id, "/taskInstances/" + task)
        self.call("PATCH", path, body if self.modern else dict(body, dry_run=False))

    def log(self, run_id, task):
        """Path of a task's log."""
        rest = "/taskInstances/%s/logs/%s" % (task["task_id"], task["try_number"])
        return self.runs(run_id, rest)


def main(payload):
    """Health, the canary's tasks, how long they took, and where their logs are."""
    deadline = time.monotonic() + payload["timeout"]
    api = Canary(payload)

    def left():
        return max(0, deadline - time.monotonic())

    wait_until(lambda: api.call("GET", payload["health_path"])[0], bool, left())
    # Started before all is healthy: components that are on their way run it while others come up.
    begun = time.monotonic()
    run_id, error = start(api, set(payload["tasks"]), left)
    result = dict(
        health(api, payload, left()), error=error, login=login(payload["webserver_config"])
    )
    if run_id is None:
        return result
    result["state"] = ended(api, run_id, max(60, left()))
    result["seconds"] = round(time.monotonic() - begun, 1)
    tasks = api.call("GET", api.runs(run_id, "/taskInstances"))[1].get("task_instances", [])
    tasks = [task for task in tasks if task["task_id"] in payload["tasks"]]
    result["tasks"] = [{"task": task["task_id"], "state": task["state"]} for task in tasks]
    if result["state"] == "success":
        result["refused"] = refused(api, run_id, tasks)
        result["logs"] = remote_logs(api, run_id, tasks, payload["remote_log_folder"])
        remove_runs(api)
    else:
        result["log"] = log_of_failed(api, run_id, tasks)
    return result


def start(api, wanted, left):
    """Sign in and start these tasks of the canary: its run id and None, or None and why not."""
    status = wait_until(api.sign_in, lambda status: status in (200, 400, 401, 403, 404), left())
    if status != 200:
        return None, "signing in as %s got HTTP %s" % (api.login[0], status)
    # Airflow may not know the DAG yet, or not those of its tasks that are for a new host.
    known = api.tasks()
    if not wanted <= known:
        api.parse()
        known = wait_until(api.tasks, lambda known: wanted <= known, left())
    # A queue that nobody consumes would keep a task, so the others are out before the scheduler sees the run.
    others = known - wanted
    api.end_runs()
    api.pause(bool(others))
    status, answer = wait_until(api.trigger, lambda answer: answer[0] in (200, 401, 403), left())
    if status == 200:
        for task in sorted(others):
            api.leave_out(answer["dag_run_id"], task)
    api.pause(False)
    if status == 200:
        return answer["dag_run_id"], None
    if status in (401, 403):
        return None, (
            "the web server refuses the password of toolkit-canary "
            "(airflow_canary_password in the vault)"
        )
    return None, "starting the DAG got HTTP %s: %s" % (status, answer.get("detail"))


def login(path):
    """How people sign in, as FAB's own configuration says it: AUTH_OAUTH, for example; "" without one."""
    found = re.search(r"(?m)^AUTH_TYPE\s*=\s*(\w+)", read(path))
    return found.group(1) if found else ""


def health(api, payload, within):
    """The status of each part of Airflow, once all are healthy or time is up."""
    wanted = payload["healthy"]

    def healthy(found):
        status, answer = found
        states = {answer.get(name, {}).get("status") for name in wanted}
        return status == 200 and states == {"healthy"}

    status, answer = wait_until(lambda: api.call("GET", payload["health_path"]), healthy, within)
    if status != 200:
        return {"health": {}, "health_error": answer.get("detail")}
    parts = {name: part.get("status") for name, part in answer.items() if isinstance(part, dict)}
    return {"health": {name: status for name, status in parts.items() if status is not None}}


def ended(api, run_id, within):
    """The state of the run at its end, or after `within` seconds."""
    return wait_until(
        lambda: api.call("GET", api.runs(run_id))[1].get("state"),
        lambda state: state in ("success", "failed"),
        within,
    )


def refused(api, run_id, tasks):
    """What tasks were refused by restrictions of their unit: task -> attempt -> the error."""
    found = {}
    for name in (task["task_id"] for task in tasks if task["task_id"].startswith("python")):
        path = api.runs(run_id, "/taskInstances/%s/xcomEntries/return_value" % name)
        found[name] = json.loads(api.call("GET", path)[1].get("value") or "{}")
    return found


def remote_logs(api, run_id, tasks, folder):
    """Where each task's log is in S3; {} when logs stay on the hosts."""
    if not folder:
        return {}
    # A log is uploaded after its task has ended.
    deadline = time.monotonic() + 30
    return {
        task["task_id"]: remote_log(
            api, api.log(run_id, task), folder, max(0, deadline - time.monotonic())
        )
        for task in tasks
    }


def remote_log(api, path, folder, within):
    """Where in a folder of S3 the web server finds a task's log, or what it says instead."""
    # Airflow 3 lists the places in a group of lines of its own, Airflow 2 in lines with an asterisk.
    pattern = re.compile(r"(?:['\"]|\* )(%s/[^\s'\"\\]+)" % re.escape(folder))

    def ask():
        status, answer = api.call("GET", path)
        text = str(answer.get("content", answer.get("detail")))
        found = pattern.search(text.partition("::endgroup::")[0])
        if status == 200 and found and "Could not read logs from" not in text:
            return {"place": found.group(1)}
        return {"place": None, "status": status, "text": text[:1500]}

    return wait_until(ask, lambda log: log["place"], within)


def log_of_failed(api, run_id, tasks):
    """The end of the log of the first task that failed; "" when none did."""
    failed = next((task for task in tasks if task["state"] == "failed"), None)
    return str(api.call("GET", api.log(run_id, failed))[1])[-1500:] if failed else ""


def remove_runs(api):
    """Remove the canary's runs, this one and earlier ones."""
    for run in api.call("GET", api.runs(rest="?limit=100"))[1].get("dag_runs", []):
        api.call("DELETE", api.runs(run["dag_run_id"]))
