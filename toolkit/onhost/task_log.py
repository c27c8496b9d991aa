"""On a webserver host: a task's log, and which run and try it is of, by Airflow's REST API."""

import http.client
import urllib.error
from urllib.parse import quote, urlencode

from toolkit.onhost.api import Api
from toolkit.onhost.task_entries import entry, newest

PAGE = 100
MOST = 50  # pages of DAGs, or of runs
SOURCES = "::group::Log message source details"
UNFINISHED = (
    None, "scheduled", "queued", "running", "deferred", "restarting", "up_for_reschedule",
)  # fmt: skip


class UnknownError(Exception):
    """There is no such DAG, run, task, instance or try; and what there is."""

    def __init__(self, what, there=()):
        Exception.__init__(self, what)
        self.what = what
        self.there = list(there)


class SilentError(Exception):
    """The API does not answer as it should."""


def main(payload):
    """The task's state and the newest entries of its log, or {"unknown", "there"}, or {"error"}."""
    api = TaskApi(payload)
    try:
        return found(api, payload)
    except UnknownError as error:
        return {"unknown": error.what, "there": error.there}
    except SilentError as error:
        return {"error": str(error)}


def found(api, payload):
    """What main answers when nothing is in the way."""
    status = api.sign_in()
    if status == 0:
        raise SilentError(api.silent)
    if status != 200:
        raise SilentError("signing in as %s got HTTP %s" % (api.login[0], status))
    run = payload["run"] or api.newest_run()
    task = api.instance(run, payload["map_index"])
    tries = task["try_number"]
    attempt = payload["attempt"] or tries
    if attempt > tries:
        raise UnknownError("try", range(1, tries + 1))
    if attempt < tries:
        task = dict(task, **api.earlier(run, task, attempt))
    answer = {
        "run": run,
        "attempt": attempt,
        "tries": tries,
        "map_index": task["map_index"],
        "state": task["state"],
        "hostname": task["hostname"] or "",
        "ended": attempt < tries or task["state"] not in UNFINISHED,
    }
    try:
        return dict(answer, **api.log(run, task, attempt) if attempt else {})
    except SilentError as error:  # who ran it is known all the same
        return dict(answer, sources=[str(error)])


class TaskApi(Api):
    """What the API of either line has about one task."""

    def __init__(self, payload):
        Api.__init__(self, payload)
        self.payload = payload
        self.silent = "nobody answers at " + self.root
        self.dag = self.prefix + "/dags/" + quote(payload["dag"], safe="")

    def get(self, path, **query):
        """The JSON of an answer.

        Raises:
            UnknownError: there is no such thing.
            SilentError: any other answer.
        """
        return self.answered(self.call("GET", path + ("?" + urlencode(query) if query else "")))

    def answered(self, found):
        """The same of an answer that has come."""
        status, answer = found
        if status == 404:
            raise UnknownError("", ())
        if status != 200:
            said = "HTTP %s: %s" % (status, answer.get("detail"))
            raise SilentError(said if status else self.silent)
        return answer

    def instances(self, runs):
        """Instances of the task in some runs: a page of them, and how many there are."""
        body = {
            "dag_ids": [self.payload["dag"]],
            "dag_run_ids": list(runs),
            "task_ids": [self.payload["task"]],
            "page_limit": PAGE,
        }
        answer = self.answered(
            self.call("POST", self.prefix + "/dags/~/dagRuns/~/taskInstances/list", body)
        )
        return answer["task_instances"], answer["total_entries"]

    def newest_run(self):
        """The newest of the DAG's runs that has the task."""
        for runs in self.runs():
            page, total = self.instances(runs)
            having = {one["dag_run_id"] for one in page}
            if total > len(page):  # a mapped task may fill the page, and with any of the runs
                return next(run for run in runs if self.instances([run])[1])
            for run in runs:
                if run in having:
                    return run
        raise self.unknown_task()

    def runs(self):
        """Ids of the DAG's runs, a page at a time, the newest first."""
        order = "-run_after" if self.modern else "-execution_date"
        offset = 0  # a page may be shorter than asked for (maximum_page_limit)
        for _ in range(MOST):
            try:
                answer = self.get(self.dag + "/dagRuns", order_by=order, limit=PAGE, offset=offset)
            except UnknownError:
                raise UnknownError("dag", self.dags()) from None
            if not answer["dag_runs"]:
                self.get_dag()
                return
            offset += len(answer["dag_runs"])
            yield [run["dag_run_id"] for run in answer["dag_runs"]]

    def get_dag(self):
        """The DAG, where it has no runs: there may be none of its name."""
        try:
            self.get(self.dag)
        except UnknownError:
            raise UnknownError("dag", self.dags()) from None

    def instance(self, run, map_index):
        """The instance of the task in a run."""
        page, total = self.instances([run])
        if not total:
            first = next(self.runs(), [])
            if run not in first and not self.there(self.dag + "/dagRuns/" + quote(run, safe="")):
                raise UnknownError("run", first)
            raise self.unknown_task()
        if map_index is None:
            if total > 1 or page[0]["map_index"] >= 0:
                raise UnknownError("map_index", [one["map_index"] for one in page]) from None
            return page[0]
        fitting = [one for one in page if one["map_index"] == map_index]
        if fitting:
            return fitting[0]
        if total <= len(page):
            raise UnknownError("map_index", [one["map_index"] for one in page]) from None
        try:
            return self.get(self.task(run, {"map_index": map_index}))
        except UnknownError:
            raise UnknownError("map_index", [one["map_index"] for one in page]) from None

    def earlier(self, run, task, attempt):
        """State and hostname of a try that was not the last; "" where Airflow has forgotten it."""
        try:
            found = self.get(self.task(run, task) + "/tries/%d" % attempt)
        except UnknownError:
            return {"state": "", "hostname": ""}
        return {"state": found["state"], "hostname": found["hostname"]}

    def there(self, path):
        """Whether there is something."""
        try:
            self.get(path)
        except UnknownError:
            return False
        return True

    def unknown_task(self):
        """The error for a task that no run has; what the DAG has now is offered."""
        try:
            tasks = self.get(self.dag + "/tasks")["tasks"]
        except UnknownError:
            tasks = []
        names = [one["task_id"] for one in tasks]
        return UnknownError("begun" if self.payload["task"] in names else "task", names)

    def dags(self):
        """Ids of all DAGs."""
        known = []
        for _ in range(MOST):
            dags = self.get(self.prefix + "/dags", limit=PAGE, offset=len(known))["dags"]
            known += [one["dag_id"] for one in dags]
            if not dags:
                break
        return known

    def task(self, run, task):
        """Path of an instance."""
        path = self.dag + "/dagRuns/%s/taskInstances/%s" % (
            quote(run, safe=""), quote(self.payload["task"], safe=""),
        )  # fmt: skip
        return path + ("/%d" % task["map_index"] if task["map_index"] >= 0 else "")

    def log(self, run, task, attempt):
        """The newest entries of a try's log, how many there are, and where Airflow looked for them."""
        path = self.task(run, {"map_index": -1}) + "/logs/%d?" % attempt
        path += urlencode({"full_content": "true", "map_index": task["map_index"]})
        accept = "application/x-ndjson" if self.modern else "text/plain"
        sources = []
        try:
            lines = self.lines(path, accept)
            return dict(newest(self.entries(lines, sources), self.payload), sources=sources)
        except urllib.error.HTTPError as error:
            raise SilentError("the log got HTTP %s" % error.code) from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise SilentError("the log: %s" % error) from None

    def entries(self, lines, sources):
        """Entries without what Airflow says of where it has found them; that goes to `sources`."""
        heading = False
        for number, line in enumerate(lines):
            if number < 2 and SOURCES in line:
                heading = True
            elif heading and "::endgroup::" in line:
                heading = False
            elif heading:
                sources.append(entry(line)["text"].strip("* "))
            elif number == 0 and not line.startswith(("[", "{")):
                pass  # Airflow 2 begins with the host's name
            elif line.strip():
                yield entry(line)
