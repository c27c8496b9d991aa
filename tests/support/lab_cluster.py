"""A lab cluster, and the toolkit called on it as a user would; for the scenarios on real hosts."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.cluster import Cluster as Inventory
from toolkit.cluster import vault
from toolkit.providers import lab

REPOSITORY = Path(__file__).resolve().parents[2]
TIMEOUT = 900
"""Seconds; a command that hangs fails its test instead of the whole run."""
TOOLKIT = str(Path(sys.executable).with_name("toolkit"))


@dataclass(frozen=True)
class Cluster:
    """An inventory directory, and the toolkit called on it as a user would."""

    directory: Path
    environment: dict[str, str]

    def toolkit(
        self, *arguments: str, expect: int = 0, stdin: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Call a command with `-i`; a different exit status than expected fails the test."""
        verb, *rest = arguments
        command = [TOOLKIT, verb, "-i", str(self.directory), *rest]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            input=stdin,
            env=self.environment | environment,
            cwd=self.directory.parent,
            check=False,
            timeout=TIMEOUT,
        )
        said = f"{' '.join(command)}\nstdout: {done.stdout}\nstderr: {done.stderr}"
        assert done.returncode == expect, said
        assert "Traceback" not in done.stdout + done.stderr, said
        return done

    def json(self, *arguments: str, expect: int = 0, **environment: str) -> dict[str, Any]:
        """The same with --json, parsed."""
        done = self.toolkit(*arguments, "--json", expect=expect, **environment)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def vault(self) -> dict[str, str]:
        """The generated secrets."""
        from toolkit.cluster import Cluster as Inventory

        return vault.stored(Inventory.load(self.directory))

    @property
    def version(self) -> str:
        """airflow_version of the inventory."""
        return Inventory.load(self.directory).version

    def ssh(self, host: str, command: str, *, check: bool = True) -> str:
        """Run a shell command as root on a host, with OpenSSH; returns what it printed."""
        found = Inventory.load(self.directory).host(host)
        done = subprocess.run(
            ["ssh", "-i", str(found.key_file), "-o", "BatchMode=yes",
             "-o", f"UserKnownHostsFile={self.directory / 'known_hosts'}",
             f"{found.user}@{found.address}", "sudo sh -s"],
            input=command, capture_output=True, text=True, check=False, timeout=TIMEOUT,
        )  # fmt: skip
        if check:
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def reserialize(self, host: str) -> None:
        """Have Airflow read its DAGs at once, by its own command on a host.

        The command fails (duplicate key, dag_pkey) when a dag-processor registers the same new DAG at that
        moment; measured with Airflow 3.3.2. The second time there is nothing left to register.
        """
        once = "said=$(airflow dags reserialize 2>&1)"
        self.ssh(host, f'{once} || {once} || {{ echo "$said"; exit 1; }}')

    def refused_playbook(self, path: str = "playbooks/provision.yml") -> str:
        """What plain ansible-playbook says, without the toolkit's rules; it has to fail."""
        password = self.directory / ".vault-password"
        done = subprocess.run(
            [Path(TOOLKIT).with_name("ansible-playbook"), path, "-i", self.directory,
             *(["--vault-password-file", password] if password.exists() else []),
             "--ssh-extra-args", f"-o UserKnownHostsFile={self.directory}/known_hosts"],
            cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=TIMEOUT,
        )  # fmt: skip
        assert done.returncode != 0, done.stdout
        return done.stdout + done.stderr

    def podman(self, verb: str, host: str, *arguments: str) -> None:
        """Call podman on a lab host, for what SSH cannot do to it."""

        listed = subprocess.run([TOOLKIT, "lab", "list", "--json"], env=self.environment,
                                check=True, capture_output=True)  # fmt: skip
        found = {entry["name"]: entry["container"] for entry in json.loads(listed.stdout)}
        lab.podman(verb, found[host], *arguments)

    def set(self, text: str) -> None:
        """Replace the settings file."""
        path = self.directory / "group_vars/all/airflow.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def last_run(self) -> Path:
        """The directory of the newest run record."""
        runs = json.loads(self.toolkit("runs", "--json").stdout)
        return Path(runs[0]["directory"])


def assert_no_secret(cluster: Cluster, *texts: str) -> None:
    """No generated secret stands in the state directory, in a text, or in a lock."""
    secret_values = [value for value in cluster.vault().values() if isinstance(value, str)]
    assert len(secret_values) >= 6
    state = Path(cluster.environment["XDG_STATE_HOME"])
    files = {path: _text(path) for path in state.rglob("*")}
    assert any(path.name == "events.json" for path in files)
    for value in secret_values:
        assert not [path for path, text in files.items() if value in text]
        assert not [text[:200] for text in texts if value in text]


def _text(path: Path) -> str:
    """What a file holds; nothing when another worker has just removed it."""
    try:
        return path.read_text(errors="replace") if path.is_file() else ""
    except FileNotFoundError:
        return ""
