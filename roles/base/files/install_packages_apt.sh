# sh -s -- [--simulate] PACKAGE...: installs what is missing; says `CHANGED` if it changed anything.
# One of `a|b` is enough, the first that there is. Nothing is ever removed to make room.
# Downloads have a time limit and are tried again: apt-get was seen waiting without end for an answer
# that had come (its own time limits do not see that), and a mirror may stall. dpkg has no limit.
set -eu
# Packages' scripts make directories that the users of their servers have to pass.
umask 022
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
lists=/var/lib/apt/lists
# How far apt is, for whoever watches (toolkit/onhost/counts.py).
status=/run/airflow-toolkit/packages
apt_get="apt-get -q -y -o APT::Status-Fd=8 --no-remove --no-install-recommends -o Acquire::http::Timeout=20 -o Acquire::Retries=5 -o DPkg::Lock::Timeout=600"

# Two of these at once: the second waits here, and finds everything installed.
exec 9< /var/lib/dpkg
flock 9

installed() {
    for one in $(echo "$1" | tr '|' ' '); do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$one" 2>/dev/null)" = installed ] && return
    done
    return 1
}
first_there_is() {
    for one in $(echo "$1" | tr '|' ' '); do
        apt-cache policy "$one" | grep -q 'Candidate: [^(]' && break
    done
    echo "$one"
}

missing=
simulate=
for name; do
    case $name in
        --simulate) simulate=yes ;;
        *) installed "$name" || missing="$missing $name" ;;
    esac
done
if [ "$simulate" ]; then
    [ -z "$missing" ] || echo "Would install$missing"
    exit 0
fi

state() { cksum < /var/lib/dpkg/status; }
fetch() {
    said=$(mktemp)
    for limit in 60 180 900; do
        # apt-get does not wait for the lock of its lists, and a fresh host updates itself.
        for _ in $(seq 120); do
            code=0
            timeout "$limit" $apt_get "$@" > "$said" 2>&1 || code=$?
            grep -q 'Could not get lock' "$said" || break
            sleep 5
        done
        [ $code = 124 ] || break
    done
    [ $code = 0 ] || { cat "$said" >&2; [ $code != 124 ] || echo "apt-get $1 did not end within $limit s" >&2; exit 1; }
    rm "$said"
}

mkdir -p "${status%/*}"
exec 8> "$status"
before=$(state)
# Finish an installation that was cut off, ours or another's.
[ -z "$(dpkg --audit)" ] || dpkg --configure -a >&2
if [ "$missing" ]; then
    [ "$(find $lists -maxdepth 1 -name '*_Packages*' -mmin -60 | head -n 1)" ] || fetch update
    chosen=
    for name in $missing; do chosen="$chosen $(first_there_is "$name")"; done
    # shellcheck disable=SC2086
    fetch install --download-only $chosen
    # shellcheck disable=SC2086
    $apt_get install $chosen >&2
fi
[ "$before" = "$(state)" ] || echo CHANGED
