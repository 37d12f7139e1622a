#!/usr/bin/env bash
# A node's OpenAPI file, and a fuzzer of such files (schemathesis) that tries out whether the node is as the file says.
# `openapi.sh [examples] [seed]`: so many a path (100). Streams, which do not end, are left out.
set -euo pipefail
cd "$(dirname "$0")/.."
examples=${1:-100} seed=${2:-1}

cargo build --quiet --locked
place=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; wait; rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet schemathesis==4.32.5

program=$PWD/target/debug/kvstoreapp
cd "$place"
cat >schemathesis.toml <<'TOML'
# What a request wants a key to be like is no mistake of the request, and a key may be too long for a head.
[checks]
positive_data_acceptance.expected-statuses = ["2xx", "3xx", 400, 404, 412, 414]
negative_data_rejection.expected-statuses = [400, 404, 405, 412, 413, 414, 415, 431]
TOML
"$program" --id=0 --bind=127.0.0.1:0 >log &
for _ in $(seq 100); do
    address=$(sed -n 's/.*listening on //p' log)
    [ -n "$address" ] && break
    sleep 0.1
done
venv/bin/schemathesis --config-file schemathesis.toml run "http://$address/v1/openapi.json" --exclude-path /v1/watch \
    --max-examples "$examples" --seed "$seed" --no-color
"$program" check --address "$address"
