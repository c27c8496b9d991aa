"""A password of any printable characters arrives, through the URL and through the environment file."""

from __future__ import annotations

import runpy
import string
import subprocess
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from urllib.parse import unquote, urlsplit

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from hypothesis import given, settings
from hypothesis import strategies as st
from support import filters

from toolkit.onhost import lib

filters.load("airflow")
ROLE = Path(__file__).resolve().parents[2] / "roles/airflow"
PASSWORDS = st.text(string.digits + string.ascii_letters + string.punctuation + " ", min_size=1)
CLUSTER: dict[str, Any] = {
    "metadata_db_user": "airflow", "metadata_db_name": "airflow", "metadata_db_url": "",
    "airflow_database_url": "", "airflow_broker_url": "", "broker_url": "",
    "airflow_remote_log_folder": "", "airflow_aws_region": "", "airflow_aws_endpoint_url": "",
    "role_path": str(ROLE), "airflow_version": "3.3.2", "airflow_base_url": "",
    "airflow_web_host": "0.0.0.0", "airflow_web_port": 8080, "airflow_config": {},
    "groups": {"metadata_db": ["h1"], "broker": ["h1"], "webserver": ["h1"]},
    "inventory_hostname": "h1", "group_names": ["webserver"], "airflow_components": ["api-server"],
    "airflow_triggerer_enabled": True, "hostvars": {"h1": {}},
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
@given(PASSWORDS | st.just('postgresql://u:a$b`c\\d"e@h/db') | st.just('two\nX="lines"'))
def test_through_the_environment_file(value: str) -> None:
    """Every reader of it: sh in `airflow` (systemd's rule is the same), the role, the toolkit."""
    text = rendered(
        (ROLE / "templates/airflow.env.j2").read_text(),
        file=True,
        _airflow_host_secrets=["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"],
        _airflow_secret_values={"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": value},
        airflow_environment={"X": value},
        ansible_managed='a "header"',
    )
    by_sh = subprocess.run(["sh", "-s"], input=text + '\nprintf %s "$X"', capture_output=True,
                           text=True, check=True)  # fmt: skip
    assert by_sh.stdout == value
    prepare, imports = (
        runpy.run_path(str(ROLE / f"files/{name}.py"))
        for name in ("prepare_database", "import_dags")
    )
    with NamedTemporaryFile("w") as file:
        file.write(text)
        file.flush()
        for variables in (
            prepare["variables"](text), imports["variables"](text), lib.environment(file.name)
        ):  # fmt: skip
            assert variables["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == value
            assert variables["X"] == value
            assert variables["AIRFLOW_HOME"] == "/var/lib/airflow"
