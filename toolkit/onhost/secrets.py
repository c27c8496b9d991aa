"""The secrets of a provisioned host, for a control machine that has lost its vault; as root."""

import json
from urllib.parse import unquote, urlsplit

from toolkit.onhost.lib import environment, read

CLUSTER = "/usr/local/lib/airflow-toolkit/cluster.json"


def main(payload):
    """Names of settings and their values, as far as they are here, and whose host it is.

    payload: {"variables": {environment variable: setting}, "urls": {environment variable: setting of
    the password in it}}.
    """
    variables = environment()
    found = {
        setting: variables[name]
        for name, setting in payload["variables"].items()
        if variables.get(name)
    }
    for name, setting in payload["urls"].items():
        password = password_of(variables.get(name, ""))
        if password:
            found[setting] = password
    return {"secrets": found, "cluster": cluster()}


def password_of(url):
    """The password in a URL; "" when there is none."""
    try:
        return unquote(urlsplit(url).password or "")
    except ValueError:
        return ""


def cluster():
    """Id and name of the cluster that this host belongs to; {} when it says nothing."""
    try:
        found = json.loads(read(CLUSTER) or "{}").get("cluster") or {}
    except ValueError:
        return {}
    return {"id": found.get("id", ""), "name": found.get("name", "")}
