#!/usr/bin/env bash
# Suites that others wrote, against a node and against Debian's Redis: see scripts/compatibility.py, which it runs with
# its arguments. Installs into target/compatibility what is missing, and builds first. Takes some four minutes after that.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v redis-server >/dev/null || {
    apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq redis-server >/dev/null
}

# What the suites want beside the library itself, which they bring along.
needs="pytest==9.2.0 pytest-asyncio==1.5.0 pytest-timeout==2.4.0 aiohttp==3.14.5 cachetools==8.0.2 numpy==2.4.6
    opentelemetry-api==1.45.2 opentelemetry-sdk==1.45.2 packaging==26.4 pybreaker==1.4.1 PyJWT==2.12.1
    redis-entraid==1.1.2 ujson==6.1.0 xxhash==3.6.0"
if [ "$(cat target/compatibility/installed 2>/dev/null)" != "$needs" ]; then
    rm -rf target/compatibility && mkdir -p target/compatibility && python3 -m venv target/compatibility/python
    # shellcheck disable=SC2086 # words
    target/compatibility/python/bin/pip install --quiet --disable-pip-version-check $needs
    echo "$needs" >target/compatibility/installed
fi
cargo build --quiet --locked
exec python3 scripts/compatibility.py "$@"
