"""The JSON schema of the settings takes what `toolkit` takes, and refuses a wrong type."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

REPOSITORY = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((REPOSITORY / "docs/settings.schema.json").read_text())
SAMPLES = sorted(REPOSITORY.glob("inventory/*/group_vars/all/airflow.yml"))


def mistakes(settings: Any) -> list[str]:
    return [error.json_path for error in Draft202012Validator(SCHEMA).iter_errors(settings)]


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.parts[-4])
def test_a_sample_fits_as_it_is_and_with_all_that_it_proposes(sample: Path) -> None:
    text = sample.read_text()
    proposed = yaml.safe_load(re.sub(r"^# (?=[a-z_]+:|  )", "", text, flags=re.MULTILINE))
    assert len(proposed) > 3
    assert mistakes(yaml.safe_load(text)) == mistakes(proposed) == []


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({"airflow_web_port": "8080"}, "$.airflow_web_port"),
        ({"airflow_version": 3.3}, "$.airflow_version"),
        ({"airflow_triggerer_enabled": "yes"}, "$.airflow_triggerer_enabled"),
        ({"airflow_requirements": "pandas"}, "$.airflow_requirements"),
        ({"metadata_db_engine": "oracle"}, "$.metadata_db_engine"),
        ({"airflow_users": [{"usernam": "ada"}]}, "$.airflow_users"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_value_is_refused(settings: dict[str, Any], place: str) -> None:
    assert mistakes(settings)[0].startswith(place)


def test_templates_and_variables_of_ones_own_fit() -> None:
    settings = {
        "airflow_web_port": "{{ 8000 + 80 }}",
        "airflow_requirements": "{{ our_requirements }}",
        "our_requirements": ["pandas"],
    }
    assert mistakes(settings) == []
