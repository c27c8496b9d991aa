"""Files and units that were changed by hand after a provision: named by check, put back by provision."""

from __future__ import annotations

from support.saved_clusters import Provisioned

HOST = "e2eone1"


def test_what_was_changed_by_hand_afterwards(single: Provisioned) -> None:
    single.ssh(
        HOST,
        "echo '# by hand' >> /etc/airflow/airflow.cfg; chmod 644 /etc/airflow/airflow.env; "
        "rm /etc/logrotate.d/airflow; systemctl disable --quiet airflow-triggerer; "
        "ln -sfn /opt/airflow/releases /opt/airflow/current",
    )
    findings = single.json("check")["findings"]
    assert {(f["id"], f["what"].split()[0]) for f in findings} == {
        ("drift.changed", "/etc/airflow/airflow.cfg"),
        ("drift.changed", "/opt/airflow/current"),
        ("drift.mode", "/etc/airflow/airflow.env"),
        ("drift.missing", "/etc/logrotate.d/airflow"),
        ("drift.units", "airflow-triggerer.service"),
    }
    single.toolkit("check", "--strict", expect=1)
    single.toolkit("provision", "--no-verify")
    assert single.json("check")["findings"] == []
