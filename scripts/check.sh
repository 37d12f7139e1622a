#!/usr/bin/env bash
# The one gate: format, lints, docs, all tests. Installs what the tests need where it is missing.
# `check.sh quick`: format, lints and the pure tests, which need nothing but cargo.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*"; "$@"; }

case ${1:-} in
    '') ;;
    quick)
        step cargo fmt --check
        step cargo clippy --quiet --locked --all-targets -- -D warnings
        step cargo test --locked --lib --test properties --test replication
        printf '\nthe quick checks passed\n'
        exit
        ;;
    *)
        echo "usage: scripts/check.sh [quick]" >&2
        exit 2
        ;;
esac

need=()
command -v nc >/dev/null || need+=(netcat-openbsd)
command -v sqlite3 >/dev/null || need+=(sqlite3)
command -v strace >/dev/null || need+=(strace)
command -v curl >/dev/null || need+=(curl)
command -v openssl >/dev/null || need+=(openssl)
command -v redis-server >/dev/null || need+=(redis-server)
{ command -v redis-cli && command -v redis-benchmark; } >/dev/null || need+=(redis-tools)
command -v node >/dev/null || need+=(nodejs)
command -v npm >/dev/null || need+=(npm)
command -v python3 >/dev/null || need+=(python3)
# Without the module a virtual environment can be named, but has no pip in it.
python3 -c 'import ensurepip' 2>/dev/null || need+=(python3-venv)
# What collects figures: 100 MB, half a minute. What Debian recommends beside them is not needed.
tools=()
command -v promtool >/dev/null || tools+=(prometheus)
command -v prometheus-redis-exporter >/dev/null || tools+=(prometheus-redis-exporter)
# What the dashboard is looked at with: another 300 MB. Where there is none to be had, its test says that it is skipped.
browser=()
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null ||
    browser=(chromium)
if [ "$(id -u)" = 0 ]; then # only root can make network namespaces; others skip those tests
    command -v ip >/dev/null || need+=(iproute2)
    command -v nft >/dev/null || need+=(nftables)
fi
if [ $((${#need[@]} + ${#tools[@]} + ${#browser[@]})) -gt 0 ]; then
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        # Debian starts a service that it installs, unless this file says that it may not (101).
        policy=/usr/sbin/policy-rc.d
        if [ ! -e $policy ]; then
            trap 'rm -f $policy' EXIT
            printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy
        fi
        install() { DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" >/dev/null; }
        apt-get update -qq
        [ ${#need[@]} = 0 ] || install "${need[@]}"
        [ ${#tools[@]} = 0 ] || install --no-install-recommends "${tools[@]}"
        [ ${#browser[@]} = 0 ] || install --no-install-recommends "${browser[@]}" ||
            echo "check.sh: there is no chromium to be had: nobody looks at the dashboard" >&2
    elif [ $((${#need[@]} + ${#tools[@]})) -gt 0 ]; then
        echo "check.sh: please install: ${need[*]} ${tools[*]}" >&2
        exit 1
    fi
fi

# Redis clients. What is there in this release is not asked for again.
install_clients() {
    redis_py=redis[xxhash]==8.1.0 redis_py_5=redis==5.3.1
    node_clients="ioredis@6.0.0 redis@6.3.1 @upstash/redis@1.39.0 playwright-core@1.65.1"
    if [ "$(cat target/clients/installed 2>/dev/null)" != "$redis_py" ]; then
        rm -rf target/clients && mkdir -p target && python3 -m venv target/clients
        target/clients/bin/pip install --quiet --disable-pip-version-check "$redis_py"
        echo "$redis_py" >target/clients/installed
    fi
    if [ "$(cat target/clients-redis-py-5/installed 2>/dev/null)" != "$redis_py_5" ]; then
        rm -rf target/clients-redis-py-5
        target/clients/bin/pip install --quiet --disable-pip-version-check --target target/clients-redis-py-5 "$redis_py_5"
        echo "$redis_py_5" >target/clients-redis-py-5/installed
    fi
    if [ "$(cat target/clients-node/installed 2>/dev/null)" != "$node_clients" ]; then
        rm -rf target/clients-node && mkdir -p target/clients-node
        # shellcheck disable=SC2086 # several words
        npm install --prefix target/clients-node --no-audit --no-fund --no-save --silent $node_clients
        echo "$node_clients" >target/clients-node/installed
    fi
}

# The network works while the compiler does.
install_clients &
clients=$!
step cargo fmt --check
step cargo clippy --quiet --locked --all-targets -- -D warnings
RUSTDOCFLAGS="-D warnings" step cargo doc --quiet --locked --no-deps --document-private-items
# What is an example is built by the lints alone.
step cargo test --locked --lib --bins --tests --no-run
wait $clients || { echo "check.sh: the Redis clients could not be installed" >&2; exit 1; }
step bash scripts/deploy/check.sh

# Those that wait for a disk most of the time run beside the others, and so does the last build.
others=(--lib --bins)
for test in tests/*/main.rs; do
    name=$(basename "$(dirname "$test")")
    [ "$name" = durability ] || others+=(--test "$name")
done
{ cargo test --locked --test durability && cargo test --quiet --locked --features fault-injection --test fault_injection --no-run; } \
    >target/durability.log 2>&1 &
durability=$!
step cargo test --locked "${others[@]}"
printf '\n== cargo test --locked --test durability\n'
wait $durability && verdict=0 || verdict=$?
cat target/durability.log
[ $verdict = 0 ] || exit $verdict
step cargo test --locked --features fault-injection --test fault_injection
echo
echo "all checks passed"
