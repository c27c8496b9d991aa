"""Airflow's REST API, asked on a host of the cluster by the URL that tasks there use."""

import json
import urllib.error
import urllib.request
from base64 import b64encode

from toolkit.onhost.certificates import trusting


class Api:
    """Airflow's REST API of either release line, by the URL that tasks on this host use."""

    def __init__(self, payload):
        self.prefix = payload["api_prefix"]
        self.root = payload["url"]
        # Nobody asks the cluster's own web server through a proxy, whatever pam_env(8) gives to sudo.
        handlers = [urllib.request.ProxyHandler({})]
        if self.root.startswith("https:"):
            handlers.append(urllib.request.HTTPSHandler(context=trusting(payload["authorities"])))
        self.opener = urllib.request.build_opener(*handlers)
        self.headers = {"Content-Type": "application/json", "Accept": "application/json"}
        self.modern = self.prefix == "/api/v2"
        self.login = (payload["username"], payload["password"])

    def call(self, method, path, body=None):
        """Status and JSON of one request; status 0 when nobody answers."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.root + path, data, self.headers, method=method)
        try:
            with self.opener.open(request, timeout=20) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else {}
        except urllib.error.HTTPError as error:
            return error.code, {"detail": error.read().decode(errors="replace")[:300]}
        except (OSError, ValueError) as error:
            return 0, {"detail": str(error)}

    def lines(self, path, accept):
        """The lines of an answer of any length, as they come.

        Raises:
            OSError, ValueError: no answer, or one that is cut off; HTTPError is an OSError.
        """
        headers = dict(self.headers, Accept=accept)
        request = urllib.request.Request(self.root + path, headers=headers)
        with self.opener.open(request, timeout=60) as answer:
            for line in answer:
                yield line.decode("utf-8", "replace")

    def sign_in(self, path="/auth/token"):
        """Get a token (3.x) or send the password with each request (2.x); the status."""
        if not self.modern:
            token = b64encode(("%s:%s" % self.login).encode()).decode()
            self.headers["Authorization"] = "Basic " + token
            return 200
        username, password = self.login
        status, answer = self.call("POST", path, {"username": username, "password": password})
        if status == 201:
            self.headers["Authorization"] = "Bearer " + answer["access_token"]
            return 200
        return status
