"""What is to be made, changed or left alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.ec2_config import KEY, load, wanted

from toolkit.errors import ToolkitError
from toolkit.providers.ec2.found import Found, FoundGroup, Instance
from toolkit.providers.ec2.plan import plan


def instance(host: str, **more: object) -> Instance:
    given = {"id": f"i-{host}", "host": host, "groups": (), "type": "t3.medium", "state": "running",
             "zone": "", "private": "", "public": "", "launched": ""} | more  # fmt: skip
    return Instance(**given)  # type: ignore[arg-type]


def test_a_plan_is_empty_when_all_is_there(directory: Path) -> None:
    chosen = load(directory)
    groups = wanted(chosen)
    there = {g.name: FoundGroup(f"sg-{g.name}", g.name, "vpc-1", g.rules) for g in groups}
    main = instance("main1", groups=("webserver", "scheduler", "metadata_db"))
    found = Found((main,), there, key=f"{KEY} comment")
    assert plan(chosen, groups, f"{KEY} mine", found).actions == ()
    with pytest.raises(ToolkitError, match="another key"):
        plan(chosen, groups, "ssh-ed25519 other", found)
    larger = plan(chosen, groups, KEY, Found((instance("main1", type="t3.small"),), there, key=KEY))
    assert [(a.verb, a.name) for a in larger.actions] == [("tag", "main1")]
    assert "main1 is t3.small, ec2.yml says t3.medium" in larger.notes[0]
