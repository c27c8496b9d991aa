"""When Celery can be asked without the import of Airflow."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

import pytest

from toolkit.onhost.health import parallelism
from toolkit.onhost.in_airflow.queues import BROKER, by_url_alone

OURS = "[celery]\nworker_concurrency = 16\n[celery_broker_transport_options]\nvisibility_timeout = 86400\n"


@pytest.mark.parametrize(
    ("text", "variables", "alone"),
    [
        (OURS, (), True),
        ("", (), True),
        ("[DEFAULT]\nx = 1\n" + OURS, (), True),
        ("[celery]\nssl_active = True\n", (), False),
        ("[celery]\nextra_celery_config = {}\n", (), False),
        (OURS + "sentinel_kwargs = {}\n", (), False),
        (OURS, ("AIRFLOW__CELERY__BROKER_URL",), True),
        (OURS, ("AIRFLOW__CELERY__SSL_ACTIVE",), False),
        (OURS, ("AIRFLOW__CELERY__CELERY_CONFIG_OPTIONS",), False),
        (OURS, ("AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT",), True),
        (OURS, ("AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__GLOBAL_KEYPREFIX",), False),
    ],
)
def test_by_url_alone(text: str, variables: tuple[str, ...], alone: bool) -> None:
    file = ConfigParser(interpolation=None, strict=False)
    file.read_string(text)
    url = {BROKER: "redis://:secret@d1:6379/0"}
    assert by_url_alone(file, dict.fromkeys(variables, "x") | url) is alone


@pytest.mark.parametrize("url", ["", "amqp://d1", "sentinel://d1"])
def test_another_broker_is_reached_as_airflow_does(url: str) -> None:
    assert not by_url_alone(ConfigParser(), {BROKER: url} if url else {})


@pytest.mark.parametrize(
    ("text", "variables", "number"),
    [
        ("32", {}, 32),
        ("", {}, None),
        ("32", {"AIRFLOW__CORE__PARALLELISM": "4"}, 4),
        ("x", {}, None),
    ],
)
def test_parallelism(
    tmp_path: Path, text: str, variables: dict[str, str], number: int | None
) -> None:
    path = tmp_path / "airflow.cfg"
    path.write_text(f"[core]\nparallelism = {text}\n")
    assert parallelism(str(path), variables) == number
