#!/usr/bin/env bash
# Compares a node with Debian's Redis and memcached on this machine: see scripts/bench.py, which it runs; --help explains.
# With --tls first it is scripts/tls.py, which compares TLS; with --http first scripts/beside_nginx.py, which compares HTTP with nginx.
# Installs what is missing (Debian, as root) and builds first.
set -euo pipefail
cd "$(dirname "$0")/.."
need=()
command -v redis-server >/dev/null || need+=(redis-server)
command -v memcached >/dev/null || need+=(memcached)
command -v strace >/dev/null || need+=(strace)
if [ "${1:-}" = --http ]; then
    command -v nginx >/dev/null || need+=(nginx-light)
    command -v wrk >/dev/null || need+=(wrk)
fi
if [ ${#need[@]} -gt 0 ]; then
    apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${need[@]}" >/dev/null
fi
cargo build --release --quiet --locked
if [ "${1:-}" = --tls ]; then
    shift
    exec python3 scripts/tls.py "$@"
fi
if [ "${1:-}" = --http ]; then
    shift
    exec python3 scripts/beside_nginx.py "$@"
fi
exec python3 scripts/bench.py "$@"
