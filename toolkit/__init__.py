"""airflow-toolkit: installs Apache Airflow on plain hosts, proves it, and keeps it working.

A folder is a layer, and imports go down the list only (import-linter holds that, see
pyproject.toml):

=============  ==================================================================================
commands/      how a verb is typed and its result printed: options, output, exit status
verbs/         what a verb does: its stages, in order; one file a verb
providers/     who makes the hosts: ec2/ and lab/
run/           a run: locks, record, progress, playbooks, interrupts, how it ended
checks/        what is wrong: pure rules, a file a topic, each with its catalog beside it
hosts/         what is there: SSH, trust, fan-out; facts and states as typed answers
onhost/        programs that run on a host: standard library only, Python 3.6
cluster/       what is wanted: inventory, variables, vault, settings, topology, sizes, lock
=============  ==================================================================================

Above them: cli.py (which commands there are) and ending.py (how a command ends: errors, defects).
Below all of them: findings.py (what is wrong, as data), errors.py, content.py (where files are).
"""

import sys
from types import TracebackType

__version__ = "0.1.0"


def _end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Whoever interrupts a start, while modules are read, wants no traceback either."""
    if kind is not KeyboardInterrupt:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _end
