#!/bin/sh
# As root: installs packages and leaves no service started or enabled that was not so before.
# usage: tools/install_packages.sh PACKAGE ...
set -eu

policy=/usr/sbin/policy-rc.d # Debian asks it before it starts a service
kept=$policy.before-roost
log=$(mktemp)
before=$(mktemp)
after=$(mktemp)

finish() {
    rm -f "$policy" "$log" "$before" "$after"
    [ ! -e "$kept" ] || mv "$kept" "$policy"
}
trap finish EXIT
trap 'exit 130' HUP INT TERM

# The links that say "start this with the machine".
enabled() {
    for folder in /etc/systemd /etc/rc[0-6S].d; do
        [ ! -d "$folder" ] || find "$folder" -type l \( -path '*.wants/*' -o -name 'S[0-9]*' \)
    done | sort
}

if [ -e "$policy" ] && [ ! -e "$kept" ]; then
    mv "$policy" "$kept"
fi
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 755 "$policy"
enabled >"$before"

install() {
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
        -o DPkg::Lock::Timeout=120 "$@" >"$log" 2>&1
}
# Old lists name files that are gone: ask again, once.
if ! install "$@"; then
    apt-get update -qq
    install "$@" || {
        tail -n 30 "$log" >&2
        exit 1
    }
fi

enabled >"$after"
comm -13 "$before" "$after" | while read -r link; do
    unit=${link##*/}
    case $link in
    /etc/systemd/*) deb-systemd-helper disable "$unit" >/dev/null 2>&1 || rm -f "$link" ;;
    *) update-rc.d "${unit#S[0-9][0-9]}" disable >/dev/null 2>&1 || rm -f "$link" ;;
    esac
done
echo "Installed: $*"
