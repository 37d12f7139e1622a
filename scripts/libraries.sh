#!/usr/bin/env bash
# Popular libraries doing their work against two nodes and against Debian's Redis: see scripts/libraries.py, which it runs
# with its arguments. Installs into target/libraries what is missing, and builds first. Takes some five minutes after that.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v redis-server >/dev/null || {
    apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq redis-server >/dev/null
}

lists=tests/compatibility/libraries
needs=$(cat $lists/python/requirements.txt $lists/node/package.json)
if [ "$(cat target/libraries/installed 2>/dev/null)" != "$needs" ]; then
    rm -rf target/libraries && mkdir -p target/libraries/node
    pip() { target/libraries/"$1"/bin/pip install --quiet --disable-pip-version-check "${@:2}"; }
    python3 -m venv target/libraries/python && python3 -m venv target/libraries/python-arq
    pip python wheel 'setuptools<81' --requirement $lists/python/requirements.txt
    pip python --no-build-isolation walrus==0.9.8 # its build imports redis
    pip python-arq arq==0.28.0                    # it wants an older redis than all others
    cp $lists/node/package.json target/libraries/node/
    npm install --prefix target/libraries/node --no-audit --no-fund --silent
    echo "$needs" >target/libraries/installed
fi
cargo build --quiet --locked
exec python3 scripts/libraries.py "$@"
