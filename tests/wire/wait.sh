#!/bin/sh
# Waits until a file has a text, at most 20 s: wait.sh FILE TEXT
tries=0
until grep -q -- "$2" "$1" 2> /dev/null; do
    tries=$((tries + 1))
    [ $tries -lt 400 ] || { echo "waited in vain for $2" >&2; cat "$1" >&2; exit 1; }
    sleep 0.05
done
