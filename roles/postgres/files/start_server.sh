# sh -s -- SERVICE UNIT PORT: enables the service, starts the unit, and waits until the server answers.
# Debian's own start waits 2 s longer than that.
set -eu
service=$1 unit=$2 port=$3
systemctl enable --quiet "$service"
systemctl start --no-block "$unit"
for _ in $(seq 600); do
    pg_isready --quiet --port="$port" && exit
    ! systemctl is-failed --quiet "$unit" || break
    sleep 0.1
done
echo "$unit does not start: $(journalctl --quiet --no-pager --output=cat --unit="$unit" --lines=5)" >&2
exit 1
