#!/usr/bin/env bash
# Fuzzes the line decoder: scripts/fuzz.sh [seconds, 30 where not said] [seed, random where not said].
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-30}
seed=${2:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
cargo build --quiet --locked --release --example fuzz_line
if ! cargo run --quiet --locked --release --example fuzz_line -- "$seconds" "$seed"; then
    echo "seed $seed fails; to see it again: scripts/fuzz.sh $seconds $seed" >&2
    exit 1
fi
