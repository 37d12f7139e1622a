#!/usr/bin/env bash
# The dashboard in a browser, over a cluster that works, breaks and comes back. --help explains.
set -euo pipefail

usage() {
    cat <<'END'
usage: scripts/dashboard.sh [--pictures DIR] [--binary FILE] [--nodes N]

Starts a cluster of three nodes on this machine and writes to it, opens the dashboard of node 0 in chromium, and compares
what each part shows with what the nodes say: INFO, and the commands that the part stands for. Meanwhile a node is
killed and comes back, another is stopped and goes on, a stream of changes breaks and goes on without loss, and a user who
may only read is refused. Fails at what differs, at any error in the browser's console, and at any request to elsewhere.

Pictures of each part, light and dark, and as a phone shows it (390 pixels), are kept for people to look at.

  --pictures DIR  where to; default: target/dashboard
  --binary FILE   default: target/release/kvstoreapp, built where it is missing; kvbench lies beside it
  --nodes N       of the cluster, from 3 on; default: 3

It takes some two minutes. Needs chromium, node, and playwright-core, which scripts/check.sh installs.
END
}

cd "$(dirname "$0")/.."
pictures=target/dashboard binary=target/release/kvstoreapp nodes=3
while (($# > 0)); do
    case $1 in
        --help | -h) usage && exit 0 ;;
        --pictures) pictures=${2:?} && shift ;;
        --binary) binary=${2:?} && shift ;;
        --nodes) nodes=${2:?} && shift ;;
        *) usage >&2 && exit 2 ;;
    esac
    shift
done
[[ $binary != target/release/kvstoreapp || -x $binary ]] || cargo build --locked --release --bins
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) ||
    { echo "dashboard.sh: please install chromium" >&2 && exit 1; }
[[ -d target/clients-node/node_modules/playwright-core ]] ||
    { echo "dashboard.sh: playwright-core is missing: scripts/check.sh installs it" >&2 && exit 1; }
mkdir -p "$pictures"
work=$(mktemp -d)
# The nodes end with this script, also one that is stopped.
finish() {
    for file in "$work"/cluster/node-*.pid; do
        [[ ! -f $file ]] || kill -CONT "$(cat "$file")" 2>/dev/null || true
    done
    scripts/cluster.sh stop --dir "$work/cluster" --config "$work/config.json" --patience 20 >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap finish EXIT
NODE_PATH=$PWD/target/clients-node/node_modules node scripts/dashboard.cjs \
    "$work" "$(realpath "$binary")" "$browser" "$(realpath "$pictures")" "$nodes"
echo "pictures: $pictures"
