#!/usr/bin/env bash
# Crash tests with many random seeds: scripts/crash.sh [how many, 20 where not said]. Stops at the first that fails.
set -euo pipefail
cd "$(dirname "$0")/.."

count=${1:-20}
tests=(crashes::a_write_answered crashes::under_interval)
cargo test --locked --test durability --no-run
for ((number = 1; number <= count; number++)); do
    seed=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
    echo "== $number of $count: seed $seed"
    if ! KVSTOREAPP_CRASH_SEEDS=$seed cargo test --quiet --locked --test durability -- "${tests[@]}"; then
        echo "seed $seed fails; to see it again:" >&2
        echo "  KVSTOREAPP_CRASH_SEEDS=$seed cargo test --locked --test durability -- ${tests[*]}" >&2
        exit 1
    fi
done
