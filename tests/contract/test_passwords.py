"""A password of any printable characters arrives, through the URL and through the environment file."""

from __future__ import annotations

import runpy
import string
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from hypothesis import given, settings
from hypothesis import strategies as st

ROLE = Path(__file__).resolve().parents[2] / "roles/airflow"
PASSWORDS = st.text(string.digits + string.ascii_letters + string.punctuation + " ", min_size=1)
CLUSTER: dict[str, Any] = {
    "metadata_db_user": "airflow", "metadata_db_name": "airflow", "metadata_db_url": "",
    "airflow_database_url": "", "airflow_broker_url": "", "broker_url": "",
    "airflow_remote_log_folder": "", "airflow_aws_region": "", "airflow_aws_endpoint_url": "",
    "groups": {"metadata_db": ["h1"], "broker": ["h1"], "webserver": ["h1"]},
    "inventory_hostname": "h1", "hostvars": {"h1": {}},
}  # fmt: skip


def rendered(template: str, *, file: bool = False, **given_: Any) -> str:
    loader = DataLoader()
    private = loader.load_from_file(str(ROLE / "vars/main.yml"), trusted_as_template=True)
    templar = Templar(loader, variables={**private, **CLUSTER, **given_})
    # In a template's file a backslash is one, in YAML Ansible doubles it for Jinja.
    return str(templar.template(trust_as_template(template), escape_backslashes=not file))


@settings(deadline=None, max_examples=50)
@given(PASSWORDS)
def test_through_the_database_url(password: str) -> None:
    for engine in ("postgres", "mysql"):
        text = rendered(
            "{{ _airflow_database_url }}", metadata_db_password=password, metadata_db_engine=engine
        )
        url = urlsplit(text)
        assert unquote(url.password or "") == password
        assert (url.hostname, url.path) == ("127.0.0.1", "/airflow")


@settings(deadline=None, max_examples=50)
@given(PASSWORDS)
def test_through_the_broker_url(password: str) -> None:
    url = urlsplit(rendered("{{ _airflow_broker_url }}", broker_password=password))
    assert unquote(url.password or "") == password
    assert (url.hostname, url.port) == ("127.0.0.1", 6379)


@settings(deadline=None, max_examples=50)
@given(PASSWORDS)
def test_through_the_environment_file(value: str) -> None:
    template = (ROLE / "templates/airflow.env.j2").read_text()
    text = rendered(
        template,
        file=True,
        _airflow_host_secrets=[],
        airflow_environment={"X": value},
        ansible_managed="",
    )
    line = next(line for line in text.splitlines() if line.startswith("X="))
    read_by_sh = subprocess.run(
        ["sh", "-c", line + '\nprintf %s "$X"'], capture_output=True, text=True, check=True
    )
    assert read_by_sh.stdout == value
    prepare = runpy.run_path(str(ROLE / "files/prepare_database.py"))
    assert prepare["unquoted"](line.removeprefix("X=")) == value
