#!/bin/sh
# Stops what tools/up.sh started, crashed or not.
# usage: tools/down.sh [keep]
#   keep: the pool is remembered; otherwise it is forgotten
set -eu
cd "$(dirname "$0")/.."

state=run/state

if [ -d "$state" ]; then
    if [ ! -x build/roost ]; then
        echo "There is a state folder in run/ and no build/roost to stop what it belongs to: make build" >&2
        exit 1
    fi
    build/roost stop --state "$state"
fi
rm -f run/up
[ "${1:-}" = keep ] || rm -rf "$state"
