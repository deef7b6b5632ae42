#!/bin/bash
# Starts the embedded default in the background and waits until it serves; state and log in run/.
# usage: tools/up.sh [restart]
#   restart: stops what runs first; the pool stays as it was
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/environment.sh

wait_s=60
state=run/state
log=run/roost.log
record=run/up # pid, its start time, digest of the options, as they were at the start

# What the settings come to, as the program reads them; it says what is wrong with them.
effective=$(build/roost check --print 2>/dev/null) || {
    echo "roost did not start:"
    build/roost check >/dev/null || true
    exit 1
} >&2
mapfile -t traffic < <(sed -n 's/^  - address: "\(.*\)"$/\1/p' <<<"$effective")
mapfile -t control < <(sed -n '/^control:/,/^[a-bd-z]/ s/^  address: \["\(.*\)"\]$/\1/p' <<<"$effective" |
    sed 's/", "/\n/g')

# Of every setting that a start would read. A digest, because a token may be among them.
options_digest() {
    local name
    for name in NUM_SERVERS N NUM_SLOTS M NUM_VIRTUAL_SERVERS K SCHEME REQUEST_HASH SERVER_HASH \
        PORT CONTROL_PORT LISTEN CONTROL_LISTEN DRIVER SERVER_IMAGE DOCKER_NETWORK HEARTBEAT_INTERVAL "${!ROOST_@}"; do
        printf '%s=%s\n' "$name" "${!name-}"
    done | sort -u | sha256sum | cut -c1-32
}

# When a process started, in ticks since boot: with its pid, this names it for good.
start_time_of() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    # shellcheck disable=SC2086 # fields are words
    set -- ${stat##*) }
    [[ $1 != Z ]] && echo "${20}"
}

serves() {
    [[ $(build/roost ctl status --state "$state" 2>/dev/null) == 'roost '*', serving for '* ]]
}

has_starting_replicas() {
    [[ $(build/roost ctl status --json --state "$state" 2>/dev/null) == *'"state":"starting"'* ]]
}

# The inodes of the sockets that listen on port $1.
listening_inodes() {
    awk -v port="$(printf ':%04X' "$((10#$1))")" \
        '$4 == "0A" && substr($2, length($2) - 4) == port { print $10 }' \
        /proc/net/tcp /proc/net/tcp6 2>/dev/null || true
}

# Says who has port $1, where that can be seen.
owner_of() {
    local inode fd pid
    for inode in $(listening_inodes "$1"); do
        fd=$(find /proc/[0-9]*/fd -lname "socket:\[$inode\]" -print -quit 2>/dev/null || true)
        pid=${fd#/proc/}
        pid=${pid%%/*}
        [[ -z $pid ]] || {
            echo "$(cat "/proc/$pid/comm" 2>/dev/null) (pid $pid)"
            return
        }
    done
    echo "a process of somebody else"
}

check_ports() {
    local address port
    for address in "${traffic[@]}" "${control[@]}"; do
        port=${address##*:}
        [[ $address != unix:* && -n $(listening_inodes "$port") ]] || continue
        echo "Port $port is taken by $(owner_of "$port"). Try: make up PORT=$((10#$port + 2))" >&2
        exit 1
    done
}

# How a client on this machine reaches address $1.
url_of() {
    case $1 in
    unix:*) echo "$1" ;;
    0.0.0.0:*) echo "http://127.0.0.1:${1##*:}" ;;
    '[::]':*) echo "http://[::1]:${1##*:}" ;;
    *) echo "http://$1" ;;
    esac
}

print_urls() {
    local control_url
    control_url=$(url_of "${control[0]}")
    [[ $control_url == unix:* ]] || control_url+=/
    cat <<EOF
roost serves (pid $1)
  traffic    $(url_of "${traffic[0]}")
  control    $control_url
  try        curl $(url_of "${traffic[0]}")/home
  log        $log (make logs); make down ends it
EOF
}

digest=$(options_digest)
if [[ ${1:-} == restart ]]; then
    tools/down.sh keep
elif [[ -f $record ]]; then
    read -r pid started old_digest <"$record"
    if [[ $(start_time_of "$pid" || true) == "$started" ]]; then
        if [[ $old_digest != "$digest" ]]; then
            echo "roost runs already with other options (pid $pid): make restart" >&2
            exit 1
        fi
        print_urls "$pid"
        exit 0
    fi
fi

check_ports

mkdir -p "$state"
touch "$log"
log_size=$(stat -c %s "$log")
setsid nohup build/roost serve --state "$state" >>"$log" 2>&1 </dev/null &
pid=$!

# Ends what was started, says why, and leaves.
give_up() {
    echo "$1" >&2
    tail -c "+$((log_size + 1))" "$log" | tail -n 20 >&2
    build/roost stop --state "$state" >/dev/null 2>&1 || kill "$pid" 2>/dev/null || true
    rm -f "$record"
    exit 1
}
trap 'give_up "interrupted"' INT TERM

SECONDS=0
until serves; do
    [[ -n $(start_time_of "$pid" || true) ]] || give_up "roost did not start:"
    ((SECONDS < wait_s)) || give_up "roost does not serve after $wait_s s:"
    sleep 0.05
done
while has_starting_replicas && ((SECONDS < wait_s)); do
    sleep 0.05
done
echo "$pid $(start_time_of "$pid") $digest" >"$record"
print_urls "$pid"
