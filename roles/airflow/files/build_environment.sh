#!/bin/sh
# build_environment.sh RELEASE PYTHON: builds the virtual environment RELEASE from RELEASE.lock.
# A build that was cut off is begun anew; two at once wait for each other.
set -eu
# Users of the host run what root builds, whatever umask root is given (pam_umask, sudoers, login.defs).
umask 022
release=$1 python=$2 uv=/usr/local/lib/airflow-toolkit/uv
exec 9>"$release.building"
flock 9
open_to_all() { chmod -R u=rwX,go=rX "$release"; }
# One that was built under another umask is whole, and closed.
[ ! -e "$release/.complete" ] || { open_to_all; exit 0; }
# Packages are being installed beside it, and the database server has to start before all is well.
renice -n 10 $$ >/dev/null
"$uv" venv --quiet --no-python-downloads --clear --python "$python" "$release"
# Without bytecode every start of a root-owned environment compiles anew: twice the CPU.
"$uv" pip install --quiet --python "$release/bin/python" --require-hashes --compile-bytecode \
    --requirement "$release.lock"
# What is linked from the cache has the modes that an earlier build gave it.
open_to_all
# Where SELinux has a policy, what systemd starts needs the label of a program.
if command -v selinuxenabled >/dev/null && selinuxenabled; then restorecon -R "$release"; fi
touch "$release/.complete"
