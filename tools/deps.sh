#!/bin/sh
# Installs the Debian packages of some groups of packages.txt that are not there yet. Says first
# what and how big; asks on a terminal unless CI=true or YES=1. Plain sh: this runs on a machine
# that has nothing yet.
# usage: tools/deps.sh GROUP ...
set -eu
cd "$(dirname "$0")"

# The packages of the groups $@.
packages_of() {
    for group in "$@"; do
        while read -r of package _; do
            [ "$of" != "$group" ] || echo "$package"
        done <packages.txt
    done
}

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# The names of a package that has another one in another release: A|B.
names_of() {
    echo "$1" | tr '|' ' '
}

missing_of() {
    for package in $(packages_of "$@"); do
        is_there=false
        for name in $(names_of "$package"); do
            if is_installed "$name"; then is_there=true; fi
        done
        $is_there || echo "$package"
    done
}

# The name that it has here; the first one where nobody knows.
name_here() {
    for name in $(names_of "$1"); do
        if apt-cache show "$name" >/dev/null 2>&1; then
            echo "$name"
            return 0
        fi
    done
    echo "${1%%|*}"
    return 1
}

names_here() {
    for package in "$@"; do
        name_here "$package" || true
    done | tr '\n' ' '
}

[ $# -gt 0 ] || {
    echo "usage: $0 build | check | test ..." >&2
    exit 2
}

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    echo "roost builds natively on Debian 12, Debian 13 and Ubuntu 24.04. Here is no apt; what is needed:" >&2
    packages_of "$@" | tr '\n' ' ' >&2
    echo >&2
    exit 1
fi

wanted=$(missing_of "$@")
[ -n "$wanted" ] || exit 0
# shellcheck disable=SC2086 # packages are words
missing=$(names_here $wanted)
missing=${missing% }

echo "Packages to install: $missing"

if [ "$(id -u)" -eq 0 ]; then
    as_root=
elif command -v sudo >/dev/null; then
    as_root=sudo
    [ "${CI:-}" != true ] || as_root='sudo -n'
else
    echo "Neither root nor sudo here. Run as root:" >&2
    echo "  apt-get install --no-install-recommends $missing" >&2
    exit 1
fi

# A machine that never asked knows no packages.
for package in $wanted; do
    if ! name_here "$package" >/dev/null; then
        echo "Reading the package lists"
        $as_root apt-get update -qq
        # shellcheck disable=SC2086
        missing=$(names_here $wanted)
        break
    fi
done

# With what they need in turn. (`apt-get --assume-no` will not do: it installs a single package.)
# shellcheck disable=SC2086 # packages are words
all=$(LC_ALL=C apt-get install -s --no-install-recommends $missing | awk '$1 == "Inst" { print $2 }')
[ -n "$all" ] || {
    echo "apt finds no way to install them; apt-get install $missing says why." >&2
    exit 1
}
# shellcheck disable=SC2086
LC_ALL=C apt-cache show --no-all-versions $all | awk -v packages="$(echo "$all" | wc -w)" '
    $1 == "Size:" { download += $2 }
    $1 == "Installed-Size:" { disk += $2 }
    END {
        printf "%d packages with their dependencies: %.0f MB to download, %.0f MB on disk\n",
            packages, download / 1e6, disk / 1024
    }'

if [ -t 0 ] && [ "${CI:-}" != true ] && [ "${YES:-}" != 1 ]; then
    printf 'Install them? [y/N] '
    read -r answer
    case $answer in
    y | Y | yes | Yes) ;;
    *)
        echo "Nothing was installed." >&2
        exit 1
        ;;
    esac
fi

# shellcheck disable=SC2086 # packages are words
exec $as_root sh ./install_packages.sh $missing
