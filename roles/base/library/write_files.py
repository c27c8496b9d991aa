#!/usr/bin/python
"""Writes files, each in one step, with owner and mode from its first moment on."""

import grp
import os
import pwd
import stat

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: write_files
short_description: Write many files in one call
description:
  - Renders templates and reads files of the role on the control machine, and writes on the host what differs.
  - A file is replaced as a whole, and is never there with another owner or mode than the one wanted.
  - Diffs show no content of a file that is secret, and neither results nor the host's log show any.
options:
  files:
    description: The files.
    type: list
    elements: dict
    required: true
    suboptions:
      path: {description: Where on the host, type: path, required: true}
      template: {description: Template of the role; left out when empty, type: str}
      copy: {description: "File of the role, or a path here; left out when empty", type: str}
      vars: {description: More variables for the template, type: dict}
      content: {description: What the action plugin made of template or copy, type: str}
      owner: {description: Name of the owner, type: str, default: root}
      group: {description: Name of the group, type: str, default: root}
      mode: {description: Permissions in octal digits, type: str, default: "0644"}
      secret: {description: Whether diffs leave out its content, type: bool, default: false}
author: airflow-toolkit
"""
RETURN = """
written: {description: Paths of the files that differed, type: list, elements: str, returned: always}
"""


class File:
    """A file that is wanted on this host."""

    def __init__(self, wanted: dict) -> None:
        self.path = wanted["path"]
        self.content = wanted["content"].encode("utf-8", "surrogateescape")
        self.mode = int(wanted["mode"], 8)
        self.names = (wanted["owner"], wanted["group"])
        self.secret = wanted["secret"]

    def content_now(self) -> "bytes | None":
        """What is there; None where there is no regular file."""
        try:
            if not stat.S_ISREG(os.lstat(self.path).st_mode):
                return None
            with open(self.path, "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def has_access(self) -> bool:
        """Whether the file that is there has owner, group and mode as wanted."""
        now = os.lstat(self.path)
        try:
            owner, group = self.numbers()
        except KeyError:  # in check mode they may be about to be created
            return False
        return (now.st_uid, now.st_gid, stat.S_IMODE(now.st_mode)) == (owner, group, self.mode)

    def numbers(self) -> "tuple[int, int]":
        """Owner and group. Raises KeyError where there is none of that name."""
        return pwd.getpwnam(self.names[0]).pw_uid, grp.getgrnam(self.names[1]).gr_gid

    def set_access(self) -> None:
        """Mend owner, group and mode, and leave the time of its content."""
        with os.fdopen(os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            self._grant(file.fileno())

    def write(self) -> None:
        """Put it in place of what is there. A directory's owner can plant no link in the way."""
        new = f"{self.path}.toolkit-new"
        if os.path.lexists(new):  # of a run that was killed
            os.unlink(new)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(self.content)
            self._grant(file.fileno())
        os.replace(new, self.path)

    def _grant(self, descriptor: int) -> None:
        os.fchown(descriptor, *self.numbers())
        os.fchmod(descriptor, self.mode)

    def difference(self, now: "bytes | None") -> dict:
        """For --diff."""
        if self.secret:
            before = after = "(its content is secret)\n"
        else:
            before, after = (text.decode("utf-8", "replace") for text in (now or b"", self.content))
        return {
            "before_header": self.path,
            "after_header": self.path,
            "before": before,
            "after": after,
        }


def main() -> None:
    """Ansible calls it."""
    module = AnsibleModule(
        {
            "files": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "path": {"type": "path", "required": True},
                    "content": {"type": "str", "required": True},
                    "owner": {"type": "str", "default": "root"},
                    "group": {"type": "str", "default": "root"},
                    "mode": {"type": "str", "default": "0644"},
                    "secret": {"type": "bool", "default": False},
                },
            }
        },
        supports_check_mode=True,
        no_log=True,  # the host's log gets none of the contents
    )
    written, differences = [], []
    for file in map(File, module.params["files"]):
        now = file.content_now()
        same = now == file.content
        if same and file.has_access():
            continue
        try:
            if not module.check_mode:
                file.set_access() if same else file.write()
                module.set_default_selinux_context(file.path, False)
        except (OSError, KeyError) as error:
            module.fail_json(msg=f"{file.path} cannot be written: {error}", invocation={})
        written.append(file.path)
        differences.append(file.difference(now))
    found = {"diff": differences} if module._diff else {}
    module.exit_json(changed=bool(written), written=written, invocation={}, **found)


if __name__ == "__main__":
    main()
