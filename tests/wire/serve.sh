#!/bin/sh
# Runs roost for a wire test: serve.sh ROOST PORT FOLDER NAME=IP:PORT ... -- [YAML]
#
# Traffic on 127.0.0.1:PORT, control on a socket in FOLDER, the replicas given as static ones of the
# service web. Each is probed once, on a connection of its own, and then left alone, so that a
# script says all that happens. Lines of YAML that begin with two blanks belong to the service, all
# others to the top.
set -eu

roost=$1 port=$2 folder=$3
shift 3

{
    echo "workers: 1"
    echo "control: { address: $folder/control }"
    echo "log: { access: $folder/access }"
    echo "services:"
    echo "  - name: web"
    echo "    health: { interval: 24h, timeout: 10s }"
    echo "    replicas:"
    echo "      driver: static"
    echo "      addresses:"
    while [ "$1" != -- ]; do
        echo "        ${1%%=*}: \"${1#*=}\""
        shift
    done
    shift
    printf '%s\n' "$@" | sed -n 's/^  /    /p'
    printf '%s\n' "$@" | sed -n '/^  /!p'
} > "$folder/roost.yaml"

exec "$roost" serve -c "$folder/roost.yaml" --state "$folder/state" --listen "127.0.0.1:$port"
