#!/usr/bin/env bash
# A Prometheus that collects the figures of three nodes: starts both, waits until it has them, asks it what the dashboard
# asks, and stops all of it. --keep leaves it running, to be looked at in a browser. Needs Debian's prometheus.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    cat <<'END'
usage: scripts/observe.sh [--keep] [--binary FILE] [--port N]

  --keep         leaves nodes and Prometheus running, and says how to stop them
  --binary FILE  default: target/release/kvstoreapp, built where it is missing
  --port N       of Prometheus; the nodes have the three after it; default: 9490
END
}

fail() {
    echo "observe.sh: $*" >&2
    exit 1
}

keep=no binary=() port=9490 patience_s=60
while (($# > 0)); do
    case $1 in
        --keep) keep=yes ;;
        --binary) binary=(--binary "$2") && shift ;;
        --port) port=$2 && shift ;;
        --help | -h) usage && exit ;;
        *) usage >&2 && exit 2 ;;
    esac
    shift
done
command -v prometheus >/dev/null || fail "please install prometheus"
command -v curl >/dev/null || fail "please install curl"
command -v python3 >/dev/null || fail "please install python3"

dir=$(mktemp -d)
prometheus=''
stop() {
    [[ -z $prometheus ]] || { kill "$prometheus" 2>/dev/null && wait "$prometheus" 2>/dev/null; } || true
    scripts/cluster.sh stop --wipe --dir "$dir/cluster" >/dev/null || true
    rm -rf "$dir"
}
trap stop EXIT

nodes=() targets=()
for id in 1 2 3; do
    nodes+=("{ \"ip\": \"127.0.0.1\", \"port\": $((port + id)) }")
    targets+=("\"127.0.0.1:$((port + id))\"")
done
join() { local IFS=, && echo "$*"; }
echo "[$(join "${nodes[@]}")]" >"$dir/node_config.json"
scripts/cluster.sh start --config "$dir/node_config.json" --dir "$dir/cluster" "${binary[@]}"
for id in 1 2 3; do
    { for key in $(seq 1000); do echo "SET key$id-$key value"; done && echo NOSUCH && echo QUIT; } |
        (exec 3<>"/dev/tcp/127.0.0.1/$((port + id))" && cat >&3 && cat <&3 >/dev/null)
done

cat >"$dir/prometheus.yml" <<END
global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: ["$PWD/scripts/deploy/prometheus/alerts.yml"]
scrape_configs:
  - job_name: kvstoreapp
    static_configs: [{ targets: [$(join "${targets[@]}")] }]
  - job_name: redis
    metrics_path: /metrics/redis
    static_configs: [{ targets: [$(join "${targets[@]}")] }]
END
prometheus --config.file="$dir/prometheus.yml" --storage.tsdb.path="$dir/tsdb" \
    --web.listen-address="127.0.0.1:$port" --log.level=warn >"$dir/prometheus.log" 2>&1 &
prometheus=$!

# The value of each series that an expression has, one a line.
query() {
    curl -fsS --max-time 5 --data-urlencode "query=$1" "http://127.0.0.1:$port/api/v1/query" |
        python3 -c 'import json, sys; [print(one["value"][1]) for one in json.load(sys.stdin)["data"]["result"]]'
}
# Waits until an expression has so many series, each of this value.
await() {
    local until=$((SECONDS + patience_s)) found
    until found=$(query "$1" 2>/dev/null) && [[ $(grep -cx -- "$3" <<<"$found") = "$2" ]]; do
        kill -0 "$prometheus" 2>/dev/null || fail "Prometheus has ended: $(tail -n 5 "$dir/prometheus.log")"
        ((SECONDS < until)) || fail "$1 was not $2 times $3 within $patience_s s, but: ${found:-nothing}"
        sleep 0.2
    done
    echo "$1 is $2 times $3"
}
await 'up' 6 1
await 'kvstoreapp_keys' 3 3000
await 'sum by (instance) (kvstoreapp_peer_up)' 3 2
await 'kvstoreapp_peer_agreement{agreement="agrees"}' 6 1
await 'redis_up' 3 1
await 'redis_db_keys' 3 3000
await 'count(rate(kvstoreapp_tick_duration_seconds_bucket[10s]))' 1 78
await 'count(ALERTS{alertstate="firing"}) or vector(0)' 1 0

# Each figure that the dashboard shows is one that Prometheus has collected; what no cluster without TLS has is not.
missing=$(
    python3 - "$port" <<'END'
import json, re, sys, urllib.request
have = set(json.load(urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/api/v1/label/__name__/values"))["data"])
text = open("scripts/deploy/grafana/kvstoreapp.json").read()
print(*sorted(set(re.findall(r"\b(?:kvstoreapp|process)_[a-z0-9_]+", text)) - have))
END
)
[[ -z $missing ]] || fail "the dashboard uses what Prometheus has not collected: $missing"
echo "each figure of the dashboard is there"

if [[ $keep = yes ]]; then
    trap - EXIT
    echo "http://127.0.0.1:$port; stop it: kill $prometheus; scripts/cluster.sh stop --wipe --dir $dir/cluster; rm -r $dir"
fi
