#!/usr/bin/python
"""Writes files, each in one step, with owner and mode from its first moment on, and lists them as ours."""

import grp
import os
import pwd
import stat
import subprocess

from ansible.module_utils import ownership
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: write_files
short_description: Write many files in one call
description:
  - Renders templates and reads files of the role on the control machine, and writes on the host what differs.
  - A file is replaced as a whole, and is never there with another owner or mode than the one wanted.
  - Every file is put on the list of what is ours (cluster.json) before it is written. One that is there with
    another content and is not on it stays as it is, and the module fails.
  - The directory of a unit's drop-in is made with it and goes with it, and systemd reads its units again.
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
      link: {description: "In place of a file, a link to there; left out when empty", type: str}
      directory: {description: "In place of a file, a directory; one that is there stays as it is", type: bool, default: false}
      absent: {description: "In place of a file, none; one that is not ours stays", type: bool, default: false}
      vars: {description: More variables for the template, type: dict}
      content: {description: What the action plugin made of template or copy, type: str}
      owner: {description: Name of the owner, type: str, default: root}
      group: {description: Name of the group, type: str, default: root}
      mode: {description: Permissions in octal digits, type: str, default: "0644"}
      secret: {description: Whether diffs leave out its content, type: bool, default: false}
      validate: {description: "A command that succeeds for a content that is right, with %s for its file", type: str}
      listed: {description: "False for a file in a directory of ours, whose name goes by its content", type: bool, default: true}
  record: {description: The list, type: path, default: /usr/local/lib/airflow-toolkit/cluster.json}
author: airflow-toolkit
"""
RETURN = """
written: {description: Paths of the files that differed, type: list, elements: str, returned: always}
removed: {description: Paths of those that were removed, type: list, elements: str, returned: always}
"""


UNITS = "/etc/systemd/system"
DROP_IN = ".service.d"
"""How the directory of a unit's drop-ins ends."""


class File:
    """A file that is wanted on this host."""

    def __init__(self, wanted: dict) -> None:
        self.path = wanted["path"]
        self.content = (wanted["content"] or "").encode("utf-8", "surrogateescape")
        self.mode = int(wanted["mode"], 8)
        self.names = (wanted["owner"], wanted["group"])
        self.secret = wanted["secret"]
        self.listed = wanted["listed"]
        self.validate = wanted["validate"]

    def content_now(self) -> "bytes | None":
        """What is there; None where there is no regular file."""
        return None if os.path.islink(self.path) else ownership.content_of(self.path)

    def is_right(self) -> bool:
        """Whether it is there as wanted, owner, group and mode included."""
        return self.content_now() == self.content and self.has_access()

    def is_theirs(self, owned: dict) -> bool:
        """Whether something is there that would be lost and is not ours."""
        there = os.path.lexists(self.path) and self.content_now() != self.content
        return there and self.listed and self.path not in owned["files"]

    def entry(self, key: str) -> "list | None":
        """What the list has of it."""
        return [ownership.digest(key, self.content), ownership.access(self.mode, *self.names)]

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

    def put(self) -> None:
        """Make it as wanted. Raises OSError, KeyError."""
        self._set_access() if self.content_now() == self.content else self._write()

    def _set_access(self) -> None:
        """Mend owner, group and mode, and leave the time of its content."""
        with os.fdopen(os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            self._grant(file.fileno())

    def _write(self) -> None:
        """Put it in place of what is there. A directory's owner can plant no link in the way."""
        if in_drop_in(self.path):
            os.makedirs(os.path.dirname(self.path), 0o755, exist_ok=True)
        new = new_name(self.path)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(self.content)
            self._grant(file.fileno())
        if self.validate:
            self._validate(new)
        os.replace(new, self.path)

    def _validate(self, new: str) -> None:
        done = subprocess.run(
            self.validate.replace("%s", new).split(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode:
            os.unlink(new)
            raise OSError("it is not valid: " + done.stdout.decode("utf-8", "replace").strip())

    def _grant(self, descriptor: int) -> None:
        os.fchown(descriptor, *self.numbers())
        os.fchmod(descriptor, self.mode)

    def difference(self) -> dict:
        """For --diff."""
        texts = ["(its content is secret)\n"] * 2
        if not self.secret:
            texts = [
                text.decode("utf-8", "replace")
                for text in (self.content_now() or b"", self.content)
            ]
        return dict(
            zip(
                ("before_header", "after_header", "before", "after"), (self.path, self.path, *texts)
            )
        )


class Link(File):
    """A link that is wanted on this host."""

    def __init__(self, wanted: dict) -> None:
        super().__init__(wanted)
        self.content = os.fsencode(wanted["link"])

    def content_now(self) -> "bytes | None":
        """Where the link leads that is there; None where there is none."""
        return ownership.content_of(self.path) if os.path.islink(self.path) else None

    def entry(self, key: str) -> "list | None":
        """What the list has of it: a link's mode says nothing."""
        return [ownership.digest(key, self.content), ownership.access(0o777, "root", "root")]

    def is_theirs(self, owned: dict) -> bool:
        """A directory is never replaced."""
        return (os.path.isdir(self.path) and not os.path.islink(self.path)) or super().is_theirs(
            owned
        )

    def has_access(self) -> bool:
        """Always: a link's owner and mode say nothing."""
        return True

    def put(self) -> None:
        """Make it as wanted."""
        new = new_name(self.path)
        os.symlink(self.content, new)
        os.replace(new, self.path)


class Directory(File):
    """A directory that has to be there; whoever made it decides about its owner and mode."""

    def is_right(self) -> bool:
        """Whether it is there."""
        return os.path.isdir(self.path)

    def is_theirs(self, owned: dict) -> bool:
        """A file of that name is; a link to what is not there yet as well."""
        return os.path.lexists(self.path) or super().is_theirs(owned)

    def put(self) -> None:
        """Make it, and those above it, which belong to root."""
        os.makedirs(os.path.dirname(self.path), 0o755, exist_ok=True)
        os.mkdir(self.path, 0o700)
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            self._grant(descriptor)
        finally:
            os.close(descriptor)


class Absent(File):
    """A file of ours that is not wanted any more."""

    def is_right(self) -> bool:
        """Whether it is gone."""
        return not os.path.lexists(self.path)

    def is_theirs(self, owned: dict) -> bool:
        """What is not ours stays."""
        return os.path.lexists(self.path) and self.path not in owned["files"]

    def put(self) -> None:
        """Remove it, and a directory that was made for it."""
        os.unlink(self.path)
        directory = os.path.dirname(self.path)
        if in_drop_in(self.path) and not os.listdir(directory):
            os.rmdir(directory)


def made(wanted: dict) -> File:
    """The file, link, directory or absence that an entry asks for."""
    if wanted["absent"]:
        return Absent(wanted)
    if wanted["directory"]:
        return Directory(wanted)
    return Link(wanted) if wanted["link"] else File(wanted)


def in_drop_in(path: str) -> bool:
    """Whether it is a drop-in of a unit (systemd.unit(5))."""
    return os.path.dirname(path).endswith(DROP_IN)


def new_name(path: str) -> str:
    """Where a file is written before it replaces the one that is there; nothing is there then."""
    new = f"{path}.toolkit-new"
    if os.path.lexists(new):  # of a run that was killed
        os.unlink(new)
    return new


def list_ours(record: dict, files: list) -> None:
    """Put files on the list of what is ours; one that goes stays on it until it is gone."""
    entries, units = record["owned"]["files"], []
    for file in files:
        if file.listed and not isinstance(file, (Absent, Directory)):
            entries[file.path] = file.entry(record["key"])
            units += [os.path.basename(file.path)] * (os.path.dirname(file.path) == UNITS)
    ownership.add(record, "units", units)


def forget(record: dict, files: list) -> None:
    """Take what is gone off the list."""
    for file in files:
        record["owned"]["files"].pop(file.path, None)
    gone = [os.path.basename(file.path) for file in files if os.path.dirname(file.path) == UNITS]
    ownership.remove(record, "units", gone)


def refusal(files: list, record: dict) -> str:
    """What is there and not ours, and what to do; "" when nothing is."""
    theirs = [file.path for file in files if file.is_theirs(record["owned"])]
    return theirs and (
        f"{', '.join(theirs)}: there already, and not ours; fix: move it away, or have it taken over, with a copy: "
        f"base_adopt: [{', '.join(theirs)}]"
    )


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
                    "content": {"type": "str"},
                    "link": {"type": "str"},
                    "directory": {"type": "bool", "default": False},
                    "absent": {"type": "bool", "default": False},
                    "owner": {"type": "str", "default": "root"},
                    "group": {"type": "str", "default": "root"},
                    "mode": {"type": "str", "default": "0644"},
                    "secret": {"type": "bool", "default": False},
                    "validate": {"type": "str"},
                    "listed": {"type": "bool", "default": True},
                },
            },
            "record": {"type": "path", "default": ownership.RECORD},
        },
        supports_check_mode=True,
        no_log=True,  # the host's log gets none of the contents
    )
    os.umask(0o022)  # of directories that are made on the way
    path = module.params["record"]
    files = [made(wanted) for wanted in module.params["files"]]
    try:
        wrong = [file for file in files if not file.is_right()]
        theirs = refusal(wrong, ownership.complete(ownership.read(path)))
        if theirs:
            module.fail_json(msg=theirs, invocation={})
        differences = [file.difference() for file in wrong] if module._diff else []
        if not module.check_mode:
            with ownership.changing(path) as record:
                list_ours(record, files)
            put(module, wrong)
            gone = [file for file in files if isinstance(file, Absent)]
            if gone:
                with ownership.changing(path) as record:
                    forget(record, gone)
    except ownership.BrokenError as error:
        module.fail_json(msg=str(error), invocation={})
    removed = [file.path for file in wrong if isinstance(file, Absent)]
    written = [file.path for file in wrong if file.path not in removed]
    found = {"diff": differences} if module._diff else {}
    module.exit_json(changed=bool(wrong), written=written, removed=removed, invocation={}, **found)


def put(module: AnsibleModule, files: list) -> None:
    """Make the files as wanted; fails with the first that cannot be."""
    for file in files:
        try:
            file.put()
            if not isinstance(file, Absent):
                module.set_default_selinux_context(file.path, False)
        except (OSError, KeyError) as error:
            module.fail_json(msg=f"{file.path} cannot be written: {error}", invocation={})
    # At once: a run that is killed before a later task would leave a drop-in that counts for nothing.
    if any(in_drop_in(file.path) and file.path.startswith(UNITS) for file in files):
        module.run_command(["systemctl", "daemon-reload"], check_rc=True)


if __name__ == "__main__":
    main()
