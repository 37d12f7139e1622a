#!/usr/bin/env bash
# The one gate: format, lints, docs, all tests. Installs what the tests need where it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

need=()
command -v nc >/dev/null || need+=(netcat-openbsd)
command -v sqlite3 >/dev/null || need+=(sqlite3)
command -v strace >/dev/null || need+=(strace)
if [ "$(id -u)" = 0 ]; then # only root can make network namespaces; others skip those tests
    command -v ip >/dev/null || need+=(iproute2)
    command -v nft >/dev/null || need+=(nftables)
fi
if [ ${#need[@]} -gt 0 ]; then
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${need[@]}" >/dev/null
    else
        echo "check.sh: please install: ${need[*]}" >&2
        exit 1
    fi
fi

step() { printf '\n== %s\n' "$*"; "$@"; }
step cargo fmt --check
step cargo clippy --quiet --locked --all-targets -- -D warnings
RUSTDOCFLAGS="-D warnings" step cargo doc --quiet --locked --no-deps --document-private-items
step cargo test --locked
step cargo test --locked --features planted-faults --test planted
echo
echo "all checks passed"
