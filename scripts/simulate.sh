#!/usr/bin/env bash
# Plays seeds of the cluster simulator: scripts/simulate.sh [count] [first seed] [secret]. Beside the gate, which plays a fixed list.
# The first seed that breaks what must hold is shown with its plan and its trace; the same seed shows it again.
set -euo pipefail
cd "$(dirname "$0")/.."
# With a secret nodes prove their links, and strangers do what they can.
secret=$([[ ${3:-} = secret ]] && echo 1 || echo 0)
exec cargo run --release --quiet --locked --example simulate -- "${1:-2000}" "${2:-1000000}" 150 "$secret"
