"""Kinds of ordinary task code, a task each: what works in a plain unit of user airflow works in ours.

`tests/support/task_code.py` prepares a host for them: Java, Node, /data, /home/shared, an environment in /home.
"""

from __future__ import annotations

from datetime import datetime

try:
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.providers.standard.operators.python import (
        ExternalPythonOperator,
        PythonVirtualenvOperator,
    )
    from airflow.providers.standard.sensors.filesystem import FileSensor
except ImportError:
    from airflow.operators.bash import BashOperator
    from airflow.operators.python import ExternalPythonOperator, PythonVirtualenvOperator
    from airflow.sensors.filesystem import FileSensor
try:
    from airflow.sdk import DAG, task
except ImportError:
    from airflow.decorators import task
    from airflow.models.dag import DAG

SHELL = {
    "java": "java -version && echo 'class A { public static void main(String[] a) { System.out.println(6 * 7); } }'"
    " > $TMP/A.java && java $TMP/A.java | grep -x 42",
    "node": "node -e 'let n = 0; for (let i = 0; i < 1e7; i++) n += i; console.log(n)'",
    "ip_addr": "ip addr | grep -q 'inet '",
    "hostname_i": "hostname -I | grep -q .",
    "nice": "nice -n 5 true",
    "ionice": "ionice -c 3 true",
    "taskset": "taskset -c 0 true",
    "batch_scheduling": "chrt --batch 0 true",
    "tar_same_owner": "touch $TMP/a && tar cf $TMP/a.tar -C $TMP a && mkdir $TMP/x && tar xf $TMP/a.tar --same-owner -C $TMP/x",
    "chgrp": "touch $TMP/a && chgrp shared $TMP/a && stat -c %G $TMP/a | grep -x shared",
    "setgid_folder": "mkdir $TMP/a && chmod g+s $TMP/a",
    "data": "echo 1 > /data/written && rm /data/written",
    "home_read": "cat /home/shared/input",
    "home_write": "echo 1 > /home/shared/out/written && rm /home/shared/out/written",
    "own_home": "mkdir -p ~/.cache/mine && echo 1 > ~/.cache/mine/file",
    "others_read": "echo 1 > /data/report && stat -c %A /data/report | grep -q 'r--$'",
    "personality": "setarch --addr-no-randomize true",
    "user_namespace": "unshare --user --map-root-user true",
    "pipes": "seq 1000 | sort -rn | head -1 | grep -x 1000",
    "fifo": "mkfifo $TMP/p && (echo 1 > $TMP/p &) && cat $TMP/p",
    "daemon": "setsid sleep 1 & wait $!",
    "names": "getent hosts localhost && id -un | grep -x airflow",
    "git": "git init -q $TMP/r && cd $TMP/r && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m a",
    "time": "date && timeout 5 true",
    "processes": "ps ax | grep -q '[s]ystemd'",
    "open_files": "test $(ulimit -n) -ge 1024",
}

with DAG(
    "task_kinds", start_date=datetime(2024, 1, 1), schedule=None, is_paused_upon_creation=False
):
    for name, command in SHELL.items():
        # Its own status is the task's: within `&&`, `set -e` would let a failure pass.
        script = f"export TMP=$(mktemp -d)\ntrap 'rm -rf \"$TMP\"' EXIT\n( {command} )"
        BashOperator(task_id=name, bash_command=script)

    @task
    def numba_jit() -> str:
        import importlib.util

        if importlib.util.find_spec("numba") is None:
            return "not installed"
        import numba

        assert numba.njit(lambda x: x * 2)(21) == 42
        return "compiled"

    @task
    def cffi_callback() -> None:
        import cffi

        ffi = cffi.FFI()
        assert ffi.callback("int(int)", lambda x: x * 2)(21) == 42

    @task
    def ctypes_callback() -> None:
        import ctypes

        double = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)
        assert double(lambda x: x * 2)(21) == 42

    @task
    def interfaces() -> None:
        import psutil

        assert psutil.net_if_addrs()

    @task
    def chown_to_oneself() -> None:
        import os
        import tempfile

        with tempfile.NamedTemporaryFile() as file:
            os.chown(file.name, os.getuid(), os.getgid())

    @task
    def nice_and_affinity() -> None:
        import os

        os.nice(1)
        os.sched_setaffinity(0, os.sched_getaffinity(0))

    @task
    def processes_and_shared_memory() -> None:
        import subprocess
        import sys

        code = (
            "from concurrent.futures import ProcessPoolExecutor as P\n"
            "from multiprocessing import shared_memory as s\n"
            "if __name__ == '__main__':\n"
            "    m = s.SharedMemory(create=True, size=16); m.close(); m.unlink()\n"
            "    assert list(P(2).map(abs, [-1, -2])) == [1, 2]\n"
        )
        subprocess.run([sys.executable, "-c", code], check=True)

    @task
    def sockets() -> None:
        import socket

        server = socket.create_server(("127.0.0.1", 0))
        socket.create_connection(server.getsockname()).close()
        socket.socketpair()

    @task.virtualenv(requirements=["tabulate==0.9.0"])
    def decorated_virtualenv() -> str:
        import tabulate

        return tabulate.tabulate([[1]])

    def in_virtualenv() -> str:
        import tabulate

        return tabulate.__version__

    PythonVirtualenvOperator(
        task_id="virtualenv",
        python_callable=in_virtualenv,
        requirements=["tabulate==0.9.0"],
        system_site_packages=False,
    )
    ExternalPythonOperator(
        task_id="external_python",
        python="/home/shared/env/bin/python",
        python_callable=in_virtualenv,
    )

    # The triggerer looks for what a task has left in /tmp.
    leave = BashOperator(task_id="leave_in_tmp", bash_command="touch /tmp/task_kinds_file")
    found = FileSensor(
        task_id="deferred_sensor", fs_conn_id="task_kinds_fs", filepath="/tmp/task_kinds_file", deferrable=True,
        poke_interval=1, timeout=120,
    )  # fmt: skip
    leave >> found
    for python in (
        numba_jit, cffi_callback, ctypes_callback, interfaces, chown_to_oneself, nice_and_affinity,
        processes_and_shared_memory, sockets, decorated_virtualenv,
    ):  # fmt: skip
        python()
