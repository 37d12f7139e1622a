#!/usr/bin/env bash
# Makes a small data file with the binary of a release, for the test that opens one of each format:
#   tests/durability/formats/make.sh <binary> tests/durability/formats/format-<n>.db
# What a format cannot hold (expiries before 2, databases before 4) is left out.
set -euo pipefail
binary=$(realpath "$1") file=$(realpath -m "$2")
scratch=$(mktemp -d)
node=
trap '[ -z "$node" ] || kill -KILL "$node" 2>/dev/null || true; rm -rf "$scratch"' EXIT
cd "$scratch"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
# Two nodes: what is deleted is remembered for the other one, which never comes.
echo "[{ \"ip\": \"127.0.0.1\", \"port\": $port }, { \"ip\": \"127.0.0.2\", \"port\": $port }]" >node_config.json
"$binary" --id=0 --data-dir=data >log 2>&1 &
node=$!
for _ in $(seq 200); do ! grep -q 'listening on' log || break; sleep 0.05; done
{
    for n in $(seq 20); do echo "SET key-$n value $n"; done
    printf 'SET größe zwölf  Zoll\nSET long %s\n' "$(printf 'x%.0s' $(seq 5000))"
    echo "SET gone soon"
    echo "DELETE gone"
    echo "SET lasts long"
    echo "SELECT 3"
    echo "SET key-1 of database 3"
} >requests
# A release that does not know SELECT would set key-1 in its only database.
if ! printf 'SELECT 3\n' | nc -N 127.0.0.1 "$port" | grep -qx OK; then sed -i '/^SELECT/,$d' requests; fi
nc -N 127.0.0.1 "$port" <requests >answers
# In RESP: lines know no PEXPIREAT.
timeout 5 redis-cli -p "$port" PEXPIREAT lasts 4102444800123 >>answers || true
kill -TERM "$node"
wait "$node" || { cat log >&2; exit 1; }
node=
sqlite3 data/backup.db 'PRAGMA journal_mode = DELETE; VACUUM' >/dev/null
cp data/backup.db "$file"
sort answers | uniq -c
sqlite3 "$file" 'PRAGMA user_version; SELECT count(*) FROM entry'
