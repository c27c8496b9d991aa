"""What this host's systemd says to options of a unit that it would be given."""

import os
import re
import shutil
import subprocess
import tempfile

NAME = "airflow-options.service"


HEAD = ["[Service]", "ExecStart=/bin/true"]


def refused(lines):
    """What it does not know or cannot read: (option, why) in its words.

    Args:
        lines: of section [Service], as (option, value).
    """
    if not lines or not shutil.which("systemd-analyze"):
        return []
    directory = tempfile.mkdtemp()
    try:
        path = os.path.join(directory, NAME)
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(HEAD + ["%s=%s" % tuple(line) for line in lines]) + "\n")
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", path],
            env=dict(os.environ, LC_ALL="C", SYSTEMD_LOG_TARGET="console", SYSTEMD_COLORS="0"),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            timeout=20, check=False,
        )  # fmt: skip
    finally:
        shutil.rmtree(directory)
    return said(lines, done.stderr.decode("utf-8", "replace"))


def said(lines, text):
    """What of systemd-analyze's words is about these lines; it reports other units as well."""
    # What is not ignored works, such as an option that has a newer name. The value may be a secret.
    pattern = re.compile(re.escape(NAME) + r":(\d+): (.*), ignor(?:ing|ed)")
    found = [one.groups() for one in map(pattern.search, text.splitlines()) if one]
    return [
        (lines[int(number) - len(HEAD) - 1][0], why)
        for number, why in found
        if 0 < int(number) - len(HEAD) <= len(lines)
    ]
