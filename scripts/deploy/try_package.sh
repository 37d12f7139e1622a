#!/usr/bin/env bash
# Installs, upgrades, removes and purges the Debian package in a chroot that debootstrap makes, with a node and data in it.
#
#   scripts/deploy/try_package.sh <older binary> [new binary]       as root; some minutes; beside the gate
#
# There is no systemd in a chroot: a node is started as the unit would, with its user, environment and a NOTIFY_SOCKET.
# The older package is made from the older binary (0.1.0 knows flags alone, so it is given those). No new binary: a release.
set -euo pipefail
cd "$(dirname "$0")/../.."
(($# == 1 || $# == 2)) || { sed -n '2,7s/^# \{0,1\}//p' "$0" && exit 2; }

scratch=$(mktemp -d) root='' node='' listener=''
root=$scratch/root
end() {
    [ -z "$node" ] || kill -KILL "$node" 2>/dev/null || true
    [ -z "$listener" ] || kill "$listener" 2>/dev/null || true
    rm -rf "$scratch"
}
trap end EXIT
fail() { echo "try_package.sh: $*" >&2 && exit 1; }

mkdir "$scratch/old" "$scratch/new"
mv "$(scripts/deploy/package.sh --binary "$1" | tail -1)" "$scratch/old/"
mv "$(scripts/deploy/package.sh ${2:+--binary "$2"} | tail -1)" "$scratch/new/"
timeout 300 debootstrap --variant=minbase --include=adduser "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$root" >"$scratch/debootstrap.log" 2>&1 ||
    { tail -5 "$scratch/debootstrap.log" && fail "there is no chroot to be had"; }
cp "$scratch"/old/*.deb "$root/old.deb" && cp "$scratch"/new/*.deb "$root/new.deb"

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
start() { # flags: as the unit's user, in its environment
    local unit=$root/usr/lib/systemd/system/kvstoreapp.service settings
    mapfile -t settings < <(sed -n 's/^Environment=//p' "$unit")
    chroot "$root" install -d -o "$user" -g "$user" -m 700 /var/lib/kvstoreapp # what StateDirectory does
    : >"$scratch/notified"
    python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); import os; os.chmod(sys.argv[1], 0o777)
while True: print(s.recv(65536).decode(), flush=True)' "$root/run/notify" >"$scratch/notified" &
    listener=$!
    for _ in $(seq 100); do [ ! -S "$root/run/notify" ] || break; sleep 0.05; done
    chroot --userspec="$user:$user" "$root" env "${settings[@]}" NOTIFY_SOCKET=/run/notify \
        /usr/bin/kvstoreapp --data-dir=/var/lib/kvstoreapp/0 --bind=127.0.0.1:"$port" "$@" >"$scratch/log" 2>&1 &
    node=$!
    for _ in $(seq 200); do ! grep -q 'listening on' "$scratch/log" || return 0; sleep 0.05; done
    cat "$scratch/log" >&2 && fail "the node did not start"
}
stop() {
    kill -TERM "$node" && wait "$node" || fail "the node did not end with 0"
    kill "$listener" && rm -f "$root/run/notify"
    node='' listener=''
}
ask() { printf '%s\n' "$1" | nc -N 127.0.0.1 "$port"; }
says() { [ "$(ask "$1")" = "$2" ] || fail "$1 was not answered $2"; }

chroot "$root" dpkg -i /old.deb >/dev/null
user=kvstoreapp
chroot "$root" id $user >/dev/null || fail "there is no user"
[ ! -e "$root/etc/systemd/system/multi-user.target.wants/kvstoreapp.service" ] || fail "the unit was enabled"
start --id=0 --config=/etc/kvstoreapp/node_config.json
says 'SET color blue' OK
stop
echo "installed: $(chroot "$root" dpkg-query -W kvstoreapp)"

echo '# changed by the admin' >>"$root/etc/kvstoreapp/kvstoreapp.env"
chroot "$root" dpkg --force-confold -i /new.deb >/dev/null
tail -1 "$root/etc/kvstoreapp/kvstoreapp.env" | grep -q admin || fail "the admin's file was overwritten"
start
says 'GET color' blue
for _ in $(seq 100); do ! grep -q '^READY=1' "$scratch/notified" || break; sleep 0.05; done
grep -q '^READY=1' "$scratch/notified" || fail "the node did not say READY=1"
stop
echo "upgraded: $(chroot "$root" dpkg-query -W kvstoreapp)"

chroot "$root" dpkg -r kvstoreapp >/dev/null
[ -s "$root/var/lib/kvstoreapp/0/backup.db" ] || fail "a removal took the data"
[ ! -e "$root/usr/bin/kvstoreapp" ] || fail "a removal left the program"
chroot "$root" dpkg -P kvstoreapp >/dev/null
[ ! -e "$root/var/lib/kvstoreapp" ] || fail "a purge left the data"
[ ! -e "$root/etc/kvstoreapp/node_config.json" ] || fail "a purge left the configuration"
echo "removed with the data kept, purged with the data gone"
