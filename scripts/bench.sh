#!/usr/bin/env bash
# Compares a node with Debian's Redis and memcached on this machine: scripts/bench.sh [--rounds N] [--seconds S] [--out FILE]
#
# All servers run at once, each pinned to core 0; the load runs on core 1 against one of them at a time, in turns. The
# table shows medians over the rounds, and ratios of them. A node takes snapshots every 2 s; Redis and memcached keep
# nothing on disk. Processor time is that of the whole process, the node's snapshot thread included; beside it stands
# that of the event loop's thread.
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=5 seconds=3 out=target/bench.md keys=1000000
while [ $# -gt 0 ]; do
    case "$1" in
    --rounds) rounds=$2; shift 2 ;;
    --seconds) seconds=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    --keys) keys=$2; shift 2 ;;
    *) sed -n 2,8p "$0"; exit 1 ;;
    esac
done

need=()
command -v redis-server >/dev/null || need+=(redis-server)
command -v memcached >/dev/null || need+=(memcached)
if [ ${#need[@]} -gt 0 ]; then
    apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${need[@]}" >/dev/null
fi
cargo build --release --quiet --locked

dir=$(mktemp -d)
pids=()
finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$dir"
}
trap finish EXIT

port() { python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
node_port=$(port) redis_port=$(port) memcached_port=$(port) null_port=$(port)
echo "[{\"ip\":\"127.0.0.1\",\"port\":$node_port}]" >"$dir/node_config.json"
taskset -c 0 target/release/kvstoreapp --id=0 --config "$dir/node_config.json" --data-dir "$dir/data" --log-level warn &
node=$!
(cd "$dir" && exec taskset -c 0 redis-server --port "$redis_port" --save '' --appendonly no >/dev/null) &
redis=$!
taskset -c 0 memcached -u nobody -l 127.0.0.1 -p "$memcached_port" -t 1 -m 4096 &
memcached=$!
taskset -c 0 target/release/kvbench --null-server "$null_port" >/dev/null &
null=$!
pids=("$node" "$redis" "$memcached" "$null")
sleep 1

# name, port, dialect, pid
servers=("node-line $node_port line $node" "node-resp $node_port resp $node" "redis $redis_port resp $redis"
    "memcached $memcached_port memcached $memcached" "null $null_port resp $null")
bench() { taskset -c 1 target/release/kvbench --json --keys "$keys" --seconds "$seconds" --warm-up 0.5 "$@"; }
for server in "${servers[@]}"; do
    read -r name port dialect pid <<<"$server"
    bench --address "127.0.0.1:$port" --dialect "$dialect" --fill --reads 1 >/dev/null
done
for round in $(seq "$rounds"); do
    for shape in "1 1" "50 1" "50 16" "50 100"; do
        read -r clients depth <<<"$shape"
        for reads in 0 1; do
            for server in "${servers[@]}"; do
                read -r name port dialect pid <<<"$server"
                measured=$(bench --address "127.0.0.1:$port" --dialect "$dialect" --clients "$clients" --depth "$depth" \
                    --reads "$reads" --server-pid "$pid")
                echo "$name $clients $depth $reads $measured" >>"$dir/measured"
            done
        done
    done
    echo "round $round of $rounds" >&2
done

resident() { awk '/VmRSS/ { print $2 * 1024 }' "/proc/$1/status"; }
for server in "${servers[@]}"; do
    read -r name port dialect pid <<<"$server"
    echo "$name $(resident "$pid")" >>"$dir/resident"
done

python3 - "$dir" "$keys" "$rounds" "$seconds" >"$out" <<'END'
import json, pathlib, platform, re, statistics, subprocess, sys
directory, keys, rounds, seconds = pathlib.Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
seen = {}
for line in (directory / "measured").read_text().splitlines():
    name, clients, depth, reads, measured = line.split(" ", 4)
    seen.setdefault((int(clients), int(depth), int(reads)), {}).setdefault(name, []).append(json.loads(measured))
cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
version = lambda command: subprocess.run(command, capture_output=True, text=True).stdout.split("\n")[0]
print(f"{cpu.group(1) if cpu else 'unknown processor'}, {platform.release()}; {version(['redis-server', '--version'])[:22]}; "
      f"{version(['memcached', '--version'])}; {keys:,} keys of 16 B with 64 B, {rounds} rounds of {seconds} s, medians\n")
names = ["node-line", "node-resp", "redis", "memcached", "null"]
def table(title, value, better_is_less):
    print(f"**{title}**\n")
    print("| clients x depth | work | " + " | ".join(names) + " | node-resp / redis | node-line / memcached |")
    print("|---|---|" + "---|" * (len(names) + 2))
    for (clients, depth, reads), by_name in seen.items():
        median = {name: statistics.median(value(one) for one in by_name[name]) for name in names}
        shown = " | ".join(f"{median[name]:,.2f}" if better_is_less else f"{median[name]:,.0f}" for name in names)
        ratio = lambda one, other: f"{median[one] / median[other]:.2f}" if median[other] else "-"
        print(f"| {clients} x {depth} | {'GET' if reads else 'SET'} | {shown} | {ratio('node-resp', 'redis')} | "
              f"{ratio('node-line', 'memcached')} |")
    print()
table("requests a second", lambda one: one["per_second"], False)
table("us of processor time a request, whole process", lambda one: one["server"]["cpu_us_per_request"], True)
table("us of processor time a request, event loop's thread", lambda one: one["server"]["first_thread_us_per_request"], True)
table("p50 in us", lambda one: one["p50_us"], True)
table("p99.9 in us", lambda one: one["p999_us"], True)
resident = dict(line.split() for line in (directory / "resident").read_text().splitlines())
print("resident bytes a key: " + ", ".join(f"{name} {float(resident[name]) / keys:.0f}" for name in names[1:4]))
END
cat "$out"
