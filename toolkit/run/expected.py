"""How long a run is going to take: as earlier runs did, else as measured defaults say."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from toolkit.run.record import recorded


def expected_seconds(directory: Path, verb: str) -> dict[str, float]:
    """Step -> seconds, in their order; {} for a verb that nothing is known of.

    The last successful run of this cluster is the best guide; for a first run, those of other clusters
    that were a first run as well.
    """
    own = _succeeded(recorded(directory), verb)
    runs = own or _first_runs(verb)
    kind = "again" if own else "first"
    found = dict(_defaults().get(verb, {}).get(kind, {}))
    return found | {name: float(seconds) for name, seconds in (runs[0] if runs else {}).items()}


def _succeeded(runs: list[dict[str, Any]], verb: str) -> list[Mapping[str, float]]:
    """The steps of successful runs of a verb, the newest first."""
    return [
        run["stages"] for run in runs if run.get("verb") == verb and run["result"] == "succeeded"
    ]


def _first_runs(verb: str) -> list[Mapping[str, float]]:
    """The steps of the first successful run of each cluster, the newest first."""
    first: dict[str, Mapping[str, float]] = {}
    for run in recorded():
        if run.get("verb") == verb and run["result"] == "succeeded":
            first[str(Path(run["directory"]).parents[1])] = run["stages"]
    return list(first.values())


def _defaults() -> dict[str, dict[str, dict[str, float]]]:
    text = (files("toolkit.run") / "expected.yml").read_text(encoding="utf-8")
    found: dict[str, dict[str, dict[str, float]]] = yaml.safe_load(text)
    return found
