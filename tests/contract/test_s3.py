"""What role airflow writes for logs in S3, and the policy that the docs ask for them."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from botocore.session import Session
from support import filters

from toolkit.checks.options import known
from toolkit.checks.remote_logs import statements

REPOSITORY = Path(__file__).resolve().parents[2]
ROLE = REPOSITORY / "roles/airflow"
FOLDER = "s3://my-logs/100%/prod"


def rendered(name: str, **settings: Any) -> str:
    loader = DataLoader()
    variables = loader.load_from_file(str(ROLE / "defaults/main.yml"), trusted_as_template=True)
    variables |= loader.load_from_file(str(ROLE / "vars/main.yml"), trusted_as_template=True)
    variables |= {"group_names": [], "groups": {"webserver": ["h1"]}, "inventory_hostname": "h1",
                  "hostvars": {"h1": {}}, "role_path": str(ROLE), "ansible_managed": "", "_airflow_host_secrets": [],
                  "_airflow_host_components": [],
                  "_airflow_sizes": {"web_workers": 1, "parallelism": 4}}  # fmt: skip
    filters.load("airflow")
    text = (ROLE / "templates" / name).read_text()
    made = Templar(loader, variables=variables | settings).template(
        trust_as_template(text), escape_backslashes=False
    )
    return str(made)


def environment(**settings: Any) -> dict[str, str]:
    words = shlex.split(rendered("airflow.env.j2", **settings), comments=True)
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def connection(**settings: Any) -> Any:
    return json.loads(environment(**settings).get("AIRFLOW_CONN_AWS_DEFAULT", "null"))


@pytest.mark.parametrize("version", ["3.3.2", "2.11.2"])
def test_options_are_those_that_airflow_knows(version: str) -> None:
    assert "remote" not in rendered("airflow.cfg.j2", airflow_version=version)
    text = rendered("airflow.cfg.j2", airflow_version=version, airflow_remote_log_folder=FOLDER)
    section = text.partition("[logging]")[2].partition("\n[")[0]
    options = dict(re.findall(r"(?m)^(remote_\w+) = (.*)$", section))
    assert options == {
        "remote_logging": "True",
        "remote_base_log_folder": FOLDER.replace("%", "%%"),
        "remote_log_conn_id": "aws_default",
    }
    release = known(version)
    assert release
    assert all(release.kind("logging", option) for option in options)


def test_the_connection_has_no_keys() -> None:
    assert connection() is None
    assert connection(airflow_remote_log_folder=FOLDER) == {"conn_type": "aws", "extra": {}}
    assert connection(airflow_aws_region="eu-central-1", airflow_aws_endpoint_url="http://h:1") == {
        "conn_type": "aws",
        "extra": {"region_name": "eu-central-1", "endpoint_url": "http://h:1"},
    }


def test_a_slow_metadata_service_costs_no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("metadata_service_timeout", "metadata_service_num_attempts")
    assert [Session().get_config_variable(name) for name in names] == [1, 1]
    assert not any(name.startswith("AWS_") for name in environment())
    for name, value in environment(airflow_remote_log_folder=FOLDER).items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    assert [Session().get_config_variable(name) for name in names] == [5, 3]


def test_a_connection_of_the_users_own_comes_last() -> None:
    own = {"AIRFLOW_CONN_AWS_DEFAULT": "aws://"}
    found = environment(airflow_aws_region="eu-central-1", airflow_environment=own)
    assert found["AIRFLOW_CONN_AWS_DEFAULT"] == "aws://"


@pytest.mark.parametrize(
    ("folder", "lacks", "refused"),
    [(FOLDER, True, True), (FOLDER, False, False), ("", True, False)],
)
def test_the_role_refuses_what_the_toolkit_refuses(
    tmp_path: Path, folder: str, lacks: bool, refused: bool
) -> None:
    text = (ROLE / "files/locks/airflow-3.3.2.lock").read_text()
    lock = tmp_path / "airflow.lock"
    lock.write_text(text.replace("\napache-airflow-providers-amazon==", "\nx==") if lacks else text)
    loader = DataLoader()
    tasks = loader.load_from_file(str(ROLE / "tasks/detect.yml"), trusted_as_template=True)
    (allowed,) = [task["ansible.builtin.assert"]["that"] for task in tasks if "assert" in str(task)]
    filters.load("airflow")
    variables = loader.load_from_file(str(ROLE / "vars/main.yml"), trusted_as_template=True) | {
        "airflow_remote_log_folder": folder, "_airflow_lock_file": str(lock),
        "_airflow_line": {"pythons": []}, "_airflow_platform": {"build_packages": {}},
    }  # fmt: skip
    templar = Templar(loader, variables=variables)
    assert all(map(templar.evaluate_conditional, allowed)) is not refused


def test_the_documented_policy_is_the_one_that_is_told() -> None:
    text = (REPOSITORY / "docs/remote-logs.md").read_text()
    block = re.search(r"```json\n(\{.*?\n\})\n```", text, re.DOTALL)
    assert block
    assert json.loads(block[1])["Statement"] == statements("s3://BUCKET/PREFIX")
