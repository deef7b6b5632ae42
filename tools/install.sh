#!/bin/sh
# Installs the release build. usage: PREFIX=/usr/local DESTDIR= tools/install.sh
set -eu
cd "$(dirname "$0")/.."

meson configure build -Dprefix="${PREFIX:-/usr/local}"
exec meson install -C build --quiet --no-rebuild
