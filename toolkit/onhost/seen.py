"""On a webserver host: waits until Airflow's API shows the DAGs of a release."""

import time
from urllib.parse import urlencode

from toolkit.onhost.api import Api
from toolkit.onhost.lib import wait_until

PAGE = 100


def main(payload):
    """How many DAGs it shows, and whether these are those of the release."""
    api = Api(payload)
    status = wait_until(
        api.sign_in, lambda status: status in (200, 400, 401, 403, 404), payload["timeout"]
    )
    if status != 200:
        return {"seen": False, "error": "signing in as %s got HTTP %s" % (api.login[0], status)}
    if payload["copies"]:
        refresh(api, payload["canary"])
    ask = of_bundle if payload["versioned"] else by_name
    deadline = time.monotonic() + payload["timeout"]
    found = wait_until(
        lambda: ask(api, payload), lambda found: found["seen"], max(0, deadline - time.monotonic())
    )
    return dict(found, error=found.get("error", ""))


def of_bundle(api, payload):
    """Airflow 3: as many DAGs as the release has, and those that changed of its version."""
    total, error = count(api, bundle_name=payload["bundle"])
    fresh, error = (0, error) if error else count(
        api, bundle_name=payload["bundle"], bundle_version=payload["release"]
    )  # fmt: skip
    seen = total == len(payload["dags"]) and fresh >= len(payload["changed"])
    return {"seen": seen and not error, "dags": total, "error": error}


def refresh(api, dag):
    """Have Airflow 3 look at the bundle of a DAG at once, where it found DAGs until now that are deployed from here on.

    It would go on to parse them for minutes, and so say now one and now the other bundle.
    """
    status, answer = api.call("GET", api.prefix + "/dags/" + dag)
    if status == 200:
        api.call("PUT", api.prefix + "/parseDagFile/" + answer["file_token"])


def count(api, **wanted):
    """How many DAGs there are, and what is wrong with the answer."""
    query = urlencode(dict(wanted, limit=1))
    status, answer = api.call("GET", api.prefix + "/dags?" + query)
    if status != 200:
        return 0, "HTTP %s: %s" % (status, answer.get("detail"))
    return answer["total_entries"], ""


def by_name(api, payload):
    """Airflow 2: every DAG of the release, those that changed parsed since, and none that is gone."""
    there, offset, total = {}, 0, 1
    while offset < total:
        query = urlencode(
            {"limit": PAGE, "offset": offset, "only_active": "true", "order_by": "dag_id"}
        )
        status, answer = api.call("GET", api.prefix + "/dags?" + query)
        if status != 200:
            return {
                "seen": False,
                "dags": 0,
                "error": "HTTP %s: %s" % (status, answer.get("detail")),
            }
        for dag in answer["dags"]:
            there[dag["dag_id"]] = dag.get("last_parsed_time") or ""
        total, offset = answer["total_entries"], offset + PAGE
    ours = [dag for dag in payload["dags"] if dag in there]
    fresh = all(there.get(dag, "") >= payload["since"] for dag in payload["changed"])
    gone = not any(dag in there for dag in payload["removed"])
    return {"seen": fresh and gone and len(ours) == len(payload["dags"]), "dags": len(ours)}
