"""The half of `write_files` that runs on the control machine: finds and renders what is to be written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template

SOURCES = {"template": "templates", "copy": "files"}
"""What an entry may name -> the directory of the role that it is looked for in."""
IN_PLACE = ("link", "directory", "absent")
"""What it may name in place of a content."""
LEFT_TO_THE_HOST = ("path", "owner", "group", "mode", "secret", "validate", "listed", *IN_PLACE)


class ActionModule(ActionBase):  # type: ignore[misc]
    """All files go to the host in one call, where a task for each would take ten times as long."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """What the module on the host answers; contents stand nowhere in it."""
        super().run(tmp, task_vars)
        files = [self._ready(entry, task_vars or {}) for entry in self._wanted()]
        answer: dict[str, Any] = self._execute_module(
            module_name="write_files", module_args={"files": files}, task_vars=task_vars
        )
        answer.pop("invocation", None)
        return answer

    def _wanted(self) -> list[Mapping[str, Any]]:
        """The entries, but for those whose source is empty because a setting is."""
        for entry in self._task.args["files"]:
            if len(set(entry) & {*SOURCES, *IN_PLACE}) != 1:
                raise AnsibleActionFail(
                    f"{entry.get('path')}: give one of template, copy, link, directory and absent"
                )
        names = (*SOURCES, *IN_PLACE)
        return [one for one in self._task.args["files"] if any(one.get(name) for name in names)]

    def _ready(self, entry: Mapping[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        kept = {name: entry[name] for name in LEFT_TO_THE_HOST if name in entry}
        kind = next((name for name in SOURCES if name in entry), "")
        if not kind:
            return kept
        text = self._loader.get_text_file_contents(self._find_needle(SOURCES[kind], entry[kind]))
        if kind == "template":
            text = self._rendered(text, variables | dict(entry.get("vars", {})))
        return kept | {"content": str(text)}

    def _rendered(self, text: str, variables: dict[str, Any]) -> Any:
        variables.setdefault("ansible_managed", "Ansible managed")
        templar = self._templar.copy_with_new_env(available_variables=variables)
        return templar.template(
            trust_as_template(text), escape_backslashes=False, overrides={"trim_blocks": True}
        )
