# stop_units.sh UNIT...: stops those units that there are, and waits; fails where one still runs.
systemctl stop "$@" 2>/dev/null
! systemctl --quiet is-active "$@"
