"""How big Airflow is made on a host. The role and the toolkit both size with this one function."""

from __future__ import annotations

from typing import Any


def airflow_sizes(
    memory_mb: int, cpus: int, line: dict[str, Any], components: list[str]
) -> dict[str, int]:
    """Web workers, LocalExecutor parallelism and Celery worker concurrency for one host.

    Args:
        memory_mb: memory of the host in MB.
        cpus: CPUs of the host.
        line: the release line's entry of files/release_lines.yml.
        components: names of the components that run on the host.

    Returns:
        web_workers, parallelism and worker_concurrency; each at least 1.
    """
    # 250 MB for the system, database and broker; 160 MB for one call of Airflow's own CLI.
    fixed = 410 + sum(line["components"][name]["memory_mb"] for name in components)
    web = [line["components"][name]["worker_memory_mb"] for name in components
           if "worker_memory_mb" in line["components"][name]]  # fmt: skip
    spare = max(0, int(memory_mb / 1.2) - fixed)
    # A web worker costs as much as four tasks, and more than one slows every start.
    web_workers = max(1, min(4, cpus // 2, spare // 4 // web[0])) if web else 1
    spare -= web_workers * web[0] if web else 0
    slots = max(2, min(8 * cpus, 32, spare // line["task_memory_mb"]))
    return {"web_workers": web_workers, "parallelism": slots, "worker_concurrency": slots}


class FilterModule:
    """Makes the function a Jinja filter: `memory_mb | airflow_sizes(cpus, line, components)`."""

    def filters(self) -> dict[str, Any]:
        """The filters of this file, by name."""
        return {"airflow_sizes": airflow_sizes}
