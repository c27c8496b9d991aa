"""Whatever a host answers, the rules take it: no fact makes one of them fall over."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.preflight_data import CELERY, make_cluster

from toolkit import checks as rules
from toolkit.findings import entries
from toolkit.hosts.external import Service
from toolkit.hosts.facts import Facts, Probe
from toolkit.hosts.tried import Reach, Resolution
from toolkit.verbs import plan

NAMES = st.sampled_from(list(CELERY))
SERVERS = st.sampled_from(["PostgreSQL", "MySQL", "MariaDB", "Redis"])
SERVICES = st.builds(Service, role=st.sampled_from(["metadata_db", "broker"]), server=SERVERS)
REACH = st.builds(Reach, source=NAMES, target=NAMES)
RESOLUTIONS = st.builds(Resolution, source=NAMES, target=NAMES)


# Not made smaller when it fails: facts are large, and the traceback says enough.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


@settings(max_examples=25, deadline=None, phases=PHASES, suppress_health_check=list(HealthCheck))
@given(
    facts=st.fixed_dictionaries({name: st.from_type(Facts) for name in CELERY}),
    services=st.lists(SERVICES, max_size=2),
    reach=st.lists(REACH, max_size=3),
    names=st.lists(RESOLUTIONS, max_size=2),
)
def test_rules_and_plan_bear_any_facts(facts: Any, services: Any, reach: Any, names: Any) -> None:
    with TemporaryDirectory() as directory:
        cluster = make_cluster(Path(directory), CELERY)
        probe = Probe(facts, {}, tuple(services), tuple(reach), tuple(names))
        for finding in rules.validate_hosts(cluster, probe):
            assert finding.severity in entries()[finding.id].severities
            assert finding.what
            assert finding.fix
        plan.text(plan.make(cluster, probe, {}))
