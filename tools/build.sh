#!/bin/sh
# Configures a build folder where that was not done yet, and builds it.
# usage: tools/build.sh release | asan | fuzz   [ninja target ...]
set -eu
cd "$(dirname "$0")/.."

kind=${1:-release}
[ $# -eq 0 ] || shift

case $kind in
release)
    folder=build
    options="-Dbuildtype=debugoptimized"
    # Not what Meson takes for all: the tests are built by the commands that run them.
    [ $# -gt 0 ] || set -- roost
    ;;
asan)
    folder=build/asan
    options="-Dbuildtype=debugoptimized -Doptimization=1 -Db_sanitize=address,undefined -Db_lundef=false"
    ;;
fuzz)
    folder=build/fuzz
    options="-Dbuildtype=debugoptimized -Dfuzz=true -Dtests=disabled -Db_sanitize=address,undefined -Db_lundef=false"
    ;;
*)
    echo "usage: $0 release | asan | fuzz" >&2
    exit 2
    ;;
esac

# A sanitizer build is a second compiler's opinion too.
if [ "$kind" != release ] && command -v clang >/dev/null; then
    export CC=clang
fi

# A folder that was only half configured is configured anew.
if [ ! -f "$folder/build.ninja" ]; then
    rm -rf "$folder/meson-private" "$folder/meson-info"
    # shellcheck disable=SC2086 # options are words
    meson setup "$folder" $options
fi
exec ninja -C "$folder" "$@"
