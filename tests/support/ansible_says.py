"""What Ansible's own libraries say of an inventory, in a process of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from toolkit.cluster import Inventory, ansible_config
from toolkit.cluster.vaultfile import Passwords

_PROGRAM = """
import json, sys
sources, passwords = json.load(sys.stdin)
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultSecret, VaultSecretsContext
from ansible.vars.manager import VariableManager
from ansible.vars.hostvars import HostVars
from ansible.template import Templar
known = [(label, VaultSecret(text.encode("latin-1"))) for label, text in passwords]
VaultSecretsContext.initialize(VaultSecretsContext(known))
loader = DataLoader()
loader.set_vault_secrets(known)
inventory = InventoryManager(loader=loader, sources=sources)
manager = VariableManager(loader=loader, inventory=inventory)
HostVars(inventory=inventory, variable_manager=manager, loader=loader)
other = InventoryManager(loader=loader, sources="x,")
magic = set(VariableManager(loader=loader, inventory=other).get_vars(host=other.get_host("x")))
magic |= {"hostvars", "inventory_file", "inventory_dir"}
found = {}
for host in inventory.get_hosts():
    values = manager.get_vars(host=host)
    templar = Templar(loader=loader, variables=values)
    found[host.name] = {name: templar.template(value) for name, value in values.items() if name not in magic}
print("\\n" + json.dumps(found, default=str))
"""


def variables(inventory: Inventory) -> dict[str, dict[str, Any]]:
    """Host -> its variables, templates evaluated, with the passwords that the inventory has."""
    question = [
        [str(source) for source in inventory.all_sources],
        Passwords(inventory.home).known(),
    ]
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        input=json.dumps(question), capture_output=True, text=True, check=True,
        env={"ANSIBLE_CONFIG": str(ansible_config()), "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
    )  # fmt: skip
    found: dict[str, dict[str, Any]] = json.loads(
        done.stdout.rpartition("\n")[2] or done.stdout.splitlines()[-1]
    )
    return found
