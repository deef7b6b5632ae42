#!/bin/sh
# Installs the release build. usage: PREFIX=/usr/local DESTDIR= tools/install.sh
set -eu
cd "$(dirname "$0")/.."

meson configure build -Dprefix="${PREFIX:-/usr/local}"
# The hashing library is no part of `make build`.
ninja --quiet -C build roost examples/libroost-balance.a examples/libroost-balance.so.1.0.0
exec meson install -C build --quiet --no-rebuild
