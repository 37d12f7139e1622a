#!/usr/bin/env bash
# Three nodes of an older version become the version of this clone, one after the other, while a client writes to each.
#
#   scripts/deploy/try_upgrade.sh [<older binary or git revision>] [--new FILE] [--seconds N]
#
# Beside the gate. Without an argument the older version is the last commit of 0.1.0. A revision is built in
# target/deploy/older, which takes minutes once. --new: target/release/kvstoreapp otherwise, built where it is missing.
# Exit code 0 only if no answered durable write is lost and no client got anything but answers and lost connections.
set -euo pipefail
cd "$(dirname "$0")/../.."

older=f20005e new='' seconds=4
while (($# > 0)); do
    case $1 in
        --new) new=$2 && shift ;;
        --seconds) seconds=$2 && shift ;;
        -*) sed -n '2,9s/^# \{0,1\}//p' "$0" && exit 2 ;;
        *) older=$1 ;;
    esac
    shift
done

if [ ! -x "$older" ]; then
    tree=target/deploy/older/$older
    if [ ! -x "$tree/target/release/kvstoreapp" ]; then
        mkdir -p "$tree"
        git archive "$older" | tar -x -C "$tree"
        (cd "$tree" && cargo build --locked --release --bin kvstoreapp --target-dir target)
    fi
    older=$tree/target/release/kvstoreapp
fi
if [ -z "$new" ]; then
    new=${CARGO_TARGET_DIR:-target}/release/kvstoreapp
    [ -x "$new" ] || cargo build --locked --release --bin kvstoreapp
fi
exec timeout 300 python3 scripts/deploy/upgrade.py "$(realpath "$older")" "$(realpath "$new")" "$seconds"
