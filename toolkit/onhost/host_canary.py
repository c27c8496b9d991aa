"""Runs on a webserver host, standard library only: waits for health, then runs the canary DAG."""

import json
import re
import time
import urllib.error
import urllib.request
from base64 import b64encode

DAG = "toolkit_canary"


class Api:
    """Airflow's REST API of either release line, at localhost."""

    def __init__(self, payload):
        self.prefix = payload["api_prefix"]
        self.root = "http://127.0.0.1:%d" % payload["port"]
        self.headers = {"Content-Type": "application/json", "Accept": "application/json"}
        self.modern = self.prefix == "/api/v2"
        self.login = (payload["username"], payload["password"])

    def call(self, method, path, body=None):
        """Status and JSON of one request; status 0 when nobody answers."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.root + path, data, self.headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else {}
        except urllib.error.HTTPError as error:
            return error.code, {"detail": error.read().decode(errors="replace")[:300]}
        except (OSError, ValueError) as error:
            return 0, {"detail": str(error)}

    def sign_in(self):
        """Get a token (3.x) or send the password with each request (2.x); the status."""
        if not self.modern:
            token = b64encode(("%s:%s" % self.login).encode()).decode()
            self.headers["Authorization"] = "Basic " + token
            return 200
        username, password = self.login
        status, answer = self.call(
            "POST", "/auth/token", {"username": username, "password": password}
        )
        if status == 201:
            self.headers["Authorization"] = "Bearer " + answer["access_token"]
            return 200
        return status

    def runs(self, run_id="", rest=""):
        """Path of the canary's runs, or of one of them."""
        return self.prefix + "/dags/" + DAG + "/dagRuns" + ("/" + run_id if run_id else "") + rest


def wait_healthy(api, payload, deadline):
    """The last answer of the health endpoint, once all is healthy or time is up."""
    while True:
        status, health = api.call("GET", payload["health_path"])
        states = [health.get(name, {}).get("status") for name in payload["healthy"]]
        if (status == 200 and set(states) == {"healthy"}) or time.time() > deadline:
            return health if status == 200 else {"error": health.get("detail")}
        time.sleep(0.3)


def trigger(api, deadline):
    """Start the canary as soon as Airflow knows it: its run id, or why not."""
    while True:
        status, answer = api.call("POST", api.runs(), {"logical_date": None} if api.modern else {})
        if status == 200:
            return answer["dag_run_id"], None
        if status in (401, 403):
            return (
                None,
                "the web server refuses the password of toolkit-canary (airflow_canary_password in the vault)",
            )
        if time.time() > deadline:
            return None, "starting the DAG got HTTP %s: %s" % (status, answer.get("detail"))
        time.sleep(0.3)


def log_path(api, run_id, task):
    """Path of a task's log."""
    rest = "/taskInstances/%s/logs/%s" % (task["task_id"], task["try_number"])
    return api.runs(run_id, rest)


def remote_log(api, path, folder, deadline):
    """Where in a folder of S3 the web server finds a task's log, or what it says instead."""
    # Airflow 3 lists the places in a group of lines of its own, Airflow 2 in lines with an asterisk.
    place = re.compile(r"(?:['\"]|\* )(%s/[^\s'\"\\]+)" % re.escape(folder))
    while True:
        status, answer = api.call("GET", path)
        text = str(answer.get("content", answer.get("detail")))
        found = place.search(text.partition("::endgroup::")[0])
        if status == 200 and found and "Could not read logs from" not in text:
            return {"place": found.group(1)}
        if time.time() > deadline:
            return {"place": None, "status": status, "text": text[:1500]}
        time.sleep(0.5)


def main(payload):
    """Health, the canary's tasks, how long they took, and where their logs are."""
    deadline = time.time() + payload["timeout"]
    api = Api(payload)
    result = {"health": {}, "tasks": [], "state": None, "error": None}
    while api.call("GET", payload["health_path"])[0] == 0 and time.time() < deadline:
        time.sleep(0.3)
    # Started before all is healthy: components that are on their way run it while others come up.
    begun = time.time()
    status = api.sign_in()
    while status not in (200, 400, 401, 403, 404) and time.time() < deadline:
        time.sleep(0.3)
        status = api.sign_in()
    if status == 200:
        run_id, result["error"] = trigger(api, deadline)
    else:
        run_id, result["error"] = (
            None,
            "signing in as %s got HTTP %s" % (payload["username"], status),
        )
    result["health"] = wait_healthy(api, payload, deadline)
    if run_id is None:
        return result
    deadline = max(deadline, time.time() + 60)
    while time.time() < deadline:
        result["state"] = api.call("GET", api.runs(run_id))[1].get("state")
        if result["state"] in ("success", "failed"):
            break
        time.sleep(0.3)
    result["seconds"] = round(time.time() - begun, 1)
    tasks = api.call("GET", api.runs(run_id, "/taskInstances"))[1].get("task_instances", [])
    result["tasks"] = [
        {"task": task["task_id"], "state": task["state"], "hostname": task.get("hostname")}
        for task in tasks
    ]
    if result["state"] == "success" and payload["remote_log_folder"]:
        # A log is uploaded after its task has ended.
        deadline, folder = time.time() + 30, payload["remote_log_folder"]
        result["logs"] = {
            task["task_id"]: remote_log(api, log_path(api, run_id, task), folder, deadline)
            for task in tasks
        }
    if result["state"] == "success":
        for run in api.call("GET", api.runs(rest="?limit=100"))[1].get("dag_runs", []):
            api.call("DELETE", api.runs(run["dag_run_id"]))
    else:
        failed = [task for task in tasks if task["state"] == "failed"][:1]
        for task in failed:
            result["log"] = str(api.call("GET", log_path(api, run_id, task))[1])[-1500:]
    return result
