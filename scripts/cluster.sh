#!/usr/bin/env bash
# The cluster of a node_config.json on this machine: starts, watches and stops all its nodes. --help explains.
#
# State lies in one directory: node-<id>.command (what was started, one argument a line), node-<id>.pid, node-<id>.log,
# node-<id>/ (data), and cluster.secret with --secret. A process is signalled only while its command line says that it is the node of that directory.
set -euo pipefail

usage() {
    cat <<'END'
usage: scripts/cluster.sh start [options] [-- flags for every node]
       scripts/cluster.sh status | logs [id] | kill <id> | restart <id> | stop [--wipe] [--dir DIR]

  start         starts every node of the config file on this machine that does not run, and waits until all are linked
                and ready. Nodes that run stay as they are; they are told to read the config file again
  status        one line per process, and what kvstoreapp status says; exit code 0 only if all run and agree
  logs [id]     what one node, or each, has printed
  kill <id>     SIGKILL: what a crash is
  restart <id>  stops the node if it runs, starts it as it was started first, waits until it has caught up
  stop          SIGTERM to all, waits until they have saved and ended; data and logs stay
  stop --wipe   ... and removes data, logs, certificates and the secret, too

options:
  --config FILE   the cluster; default: what was started in DIR, else node_config.json in the current directory
  --dir DIR       pid files, logs, and the data of each node (DIR/node-<id>); default: data/cluster
  --binary FILE   default: what was started in DIR, else target/release/kvstoreapp, built where it is missing
  --pin           one core per process: id modulo the number of cores
  --secret        start: links between nodes are proven; a secret is made in DIR where there is none (kvstoreapp secret)
  --tls           start: clients may speak TLS; certificates are made in DIR/tls where there are none (kvstoreapp certs)
  --patience S    seconds to wait for nodes to come up, to link, and to end; default: 60

try it:
  scripts/cluster.sh start
  printf 'SET color blue\n' | nc -N 127.0.0.1 5000
  printf 'GET color\n' | nc -N 127.0.0.1 5002
  scripts/cluster.sh kill 1; scripts/cluster.sh status; scripts/cluster.sh restart 1
  scripts/cluster.sh stop
END
}

fail() {
    echo "cluster.sh: $*" >&2
    exit 1
}

main() {
    root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
    config='' dir=data/cluster binary='' pin=no secret=no tls=no wipe=no patience_s=60 words=() flags=()
    ips=() ports=() # by id; empty where a node was removed
    while (($# > 0)); do
        case $1 in
            --help | -h) usage && exit 0 ;;
            --config | --dir | --binary | --patience)
                (($# > 1)) || fail "$1 needs a value; --help explains"
                case $1 in
                    --config) config=$2 ;;
                    --dir) dir=$2 ;;
                    --binary) binary=$2 ;;
                    --patience) patience_s=$2 ;;
                esac
                shift
                ;;
            --secret) secret=yes ;;
            --pin) pin=yes ;;
            --tls) tls=yes ;;
            --wipe) wipe=yes ;;
            --)
                shift
                flags=("$@")
                break
                ;;
            -*) fail "there is no option $1; --help explains" ;;
            *) words+=("$1") ;;
        esac
        shift
    done
    [[ $patience_s =~ ^[1-9][0-9]*$ ]] || fail "--patience is a number of seconds, not $patience_s"
    [[ -d /proc/self ]] || fail "this needs Linux: it knows its processes by /proc"
    dir=$(absolute "$dir")

    local command=${words[0]:-} id=${words[1]:-}
    case "$command:$((${#words[@]} - 1))" in
        start:0) start ;;
        status:0) read_config && status ;;
        logs:0 | logs:1) logs "$id" ;;
        kill:1) read_config && known "$id" && crash "$id" ;;
        restart:1) read_config && known "$id" && restart "$id" ;;
        stop:0) stop ;;
        :*) usage >&2 && exit 2 ;;
        *) fail "that is not a command: ${words[*]}; --help explains" ;;
    esac
}

# --- commands

start() {
    read_config
    find_binary
    local id cores
    local old=()
    new=()
    for id in $(nodes); do
        if running "$id"; then old+=("$id"); else new+=("$id"); fi
    done
    ((${#new[@]} > 0)) || fail "already running: node ${old[0]}, process $(pid_of "${old[0]}"), and all others"
    # Those that run began with flags that the others need, too.
    if ((${#old[@]} > 0 && ${#flags[@]} == 0)); then
        secret=no
        mapfile -t flags < <(sed 1d "$dir/node-${old[0]}.command" | grep -vE '^--(id|config|data-dir|cpu|tls-cert|tls-key)=')
        ! grep -q '^--tls-cert=' "$dir/node-${old[0]}.command" || tls=yes
    fi
    if [[ $tls = yes && ! -e $dir/tls ]]; then
        "$binary" certs --out="$dir/tls" --config="$config" >/dev/null || fail "nothing was started"
    fi
    if [[ $secret = yes ]]; then
        mkdir -p "$dir"
        [[ -s $dir/cluster.secret ]] || (umask 077 && "$binary" secret >"$dir/cluster.secret") ||
            fail "nothing was started"
        flags+=(--cluster-secret-file="$dir/cluster.secret")
    fi
    for id in "${new[@]}"; do
        is_local "${ips[id]}" || fail "node $id is at ${ips[id]}: only processes on this machine (127.x, ::1," \
            "localhost) are started here. On each machine of the cluster, run: kvstoreapp --id=<n> --config $config"
        ! listens "$id" || fail "the port of node $id is taken: something listens on $(address "$id")." \
            "Nothing was started"
        show_certificate "$id"
        "$binary" --id="$id" --config="$config" "${certificate[@]}" "${flags[@]}" --check-config >/dev/null ||
            fail "nothing was started"
    done
    mkdir -p "$dir"
    cores=$(nproc)
    trap 'give_up "interrupted"' INT TERM
    for id in "${new[@]}"; do
        {
            printf '%s\n' "$binary" --id="$id" --config="$config" --data-dir="$dir/node-$id"
            [[ $pin = no ]] || echo "--cpu=$((id % cores))"
            show_certificate "$id"
            ((${#certificate[@]} == 0)) || printf '%s\n' "${certificate[@]}"
            ((${#flags[@]} == 0)) || printf '%s\n' "${flags[@]}"
        } >"$dir/node-$id.command"
        launch "$id"
    done
    for id in "${new[@]}"; do await_listening "$id" || give_up "node $id did not come up"; done
    for id in "${old[@]}"; do kill -HUP "$(pid_of "$id")"; done
    for id in $(nodes); do await_linked "$id" || give_up "node $id was not linked with all others"; done
    for id in $(nodes); do await_ready "$id" || give_up "node $id has not caught up with all others"; done
    for id in $(nodes); do echo "node $id  $(address "$id")  pid $(pid_of "$id")"; done
}

status() {
    local id all=yes
    find_binary
    for id in $(nodes); do
        if running "$id"; then
            echo "node $id  $(address "$id")  pid $(pid_of "$id")  running"
        else
            echo "node $id  $(address "$id")  not running"
            all=no
        fi
    done
    echo
    show_access
    "$binary" status --config="$config" "${access[@]}" && [[ $all = yes ]]
}

logs() {
    local file files=("$dir"/node-"${1:-*}".log)
    [[ -n $1 ]] || mapfile -t files < <(compgen -G "$dir/node-*.log" | sort -V)
    for file in "${files[@]}"; do
        [[ -f $file ]] || fail "there is no $file"
        [[ -n $1 ]] || echo "== $file"
        cat "$file"
    done
}

crash() {
    running "$1" || fail "node $1 does not run"
    kill -KILL "$(pid_of "$1")"
    await_end "$1" || fail "node $1 was sent SIGKILL and has not ended"
    rm -f "$dir/node-$1.pid"
}

restart() {
    find_binary
    [[ -f $dir/node-$1.command ]] || fail "node $1 was not started here; start the cluster first"
    if running "$1"; then
        kill -TERM "$(pid_of "$1")"
        await_end "$1" || fail "node $1 was sent SIGTERM and is still saving; ask again later"
    fi
    ! listens "$1" || fail "the port of node $1 is taken: something listens on $(address "$1")"
    launch "$1"
    if ! await_listening "$1"; then
        last_lines "$1"
        rm -f "$dir/node-$1.pid"
        fail "node $1 did not come up"
    fi
    await_linked "$1" || fail "node $1 runs, but was not linked with all others that run"
    await_ready "$1" || fail "node $1 runs, but is not ready after $patience_s s: $(why_not_ready "$1")"
    echo "node $1  $(address "$1")  pid $(pid_of "$1")"
}

stop() {
    # shellcheck disable=SC2046 # numbers
    end $(started)
    if [[ $wipe = yes && -d $dir ]]; then
        # Only what was made here: the directory may hold other things.
        rm -rf "$dir"/node-* "$dir/tls" "$dir/cluster.secret"
        rmdir "$dir" || fail "$dir holds more than this cluster, and stays"
    fi
}

# SIGTERM to these nodes, and their ends.
end() {
    local id unsaved=()
    for id in "$@"; do
        ! running "$id" || kill -TERM "$(pid_of "$id")"
    done
    for id in "$@"; do
        if await_end "$id"; then
            rm -f "$dir/node-$id.pid" "$dir/node-$id.command"
        else
            unsaved+=("$id")
        fi
    done
    ((${#unsaved[@]} == 0)) || fail "still saving after $patience_s s: node ${unsaved[*]}; ask again later"
}

# --- the config file

# Its syntax is checked by the server; this only has to find the addresses in a file that is valid.
read_config() {
    local from text object id=0
    if [[ -z $config ]]; then
        from=$(compgen -G "$dir/node-*.command" | head -1) || true
        config=$([[ -z $from ]] || sed -n 's/^--config=//p' "$from")
        config=${config:-node_config.json}
    fi
    [[ -f $config ]] || fail "there is no $config here; --config names another file"
    config=$(absolute "$config")
    text=$(tr '\n' ' ' <"$config")
    while [[ $text =~ ^[^n{]*(null|\{[^}]*\})(.*)$ ]]; do
        object=${BASH_REMATCH[1]} text=${BASH_REMATCH[2]}
        ips[id]='' ports[id]=''
        [[ ! $object =~ \"ip\"[[:space:]]*:[[:space:]]*\"([^\"]*)\" ]] || ips[id]=${BASH_REMATCH[1]}
        [[ ! $object =~ \"port\"[[:space:]]*:[[:space:]]*([0-9]+) ]] || ports[id]=${BASH_REMATCH[1]}
        id=$((id + 1))
    done
    [[ -n $(nodes) ]] || fail "$config lists no node: an array of { \"ip\": \"...\", \"port\": ... } is wanted"
}

# The ids of all nodes that were not removed.
nodes() {
    local id
    for id in "${!ips[@]}"; do [[ -z ${ips[id]} ]] || echo "$id"; done
}

known() {
    [[ $1 =~ ^[0-9]+$ && -n ${ips[$1]:-} ]] || fail "there is no node $1 in $config"
}

address() {
    if [[ ${ips[$1]} = *:* ]]; then echo "[${ips[$1]}]:${ports[$1]}"; else echo "${ips[$1]}:${ports[$1]}"; fi
}

is_local() {
    [[ $1 =~ ^127\.[0-9.]+$ || $1 = ::1 || $1 = localhost ]]
}

# --- processes

# The flags by which a node shows its certificate.
show_certificate() {
    certificate=()
    [[ $tls = no ]] || certificate=(--tls-cert="$dir/tls/node-$1.crt" --tls-key="$dir/tls/node-$1.key")
}

# The one that is named, else the one that was started here, else the one that is built.
find_binary() {
    local from
    if [[ -z $binary ]]; then
        from=$(compgen -G "$dir/node-*.command" | head -1) || true
        binary=$([[ -z $from ]] || head -1 "$from")
    fi
    if [[ -z $binary ]]; then
        binary=${CARGO_TARGET_DIR:-$root/target}/release/kvstoreapp
        [[ -x $binary ]] || (cd "$root" && cargo build --release) || fail "the server could not be built"
    fi
    [[ -x $binary ]] || fail "there is no program $binary"
    binary=$(absolute "$binary")
}

# Starts what node-<id>.command says, in a session of its own: a Ctrl-C for this script is none for the node.
launch() {
    local arguments
    mapfile -t arguments <"$dir/node-$1.command"
    touch "$dir/node-$1.log"
    logged[$1]=$(wc -c <"$dir/node-$1.log")
    setsid "${arguments[@]}" </dev/null >>"$dir/node-$1.log" 2>&1 &
    echo $! >"$dir/node-$1.pid"
    # Until it is the server, or has ended: before that it is a copy of this script.
    until running "$1" || ! kill -0 $! 2>/dev/null; do sleep 0.01; done
}

# The ids of which there is a pid file or a command.
started() {
    { compgen -G "$dir/node-*.pid" || true; compgen -G "$dir/node-*.command" || true; } |
        sed 's/.*node-\([0-9]*\)\.[a-z]*$/\1/' | sort -nu
}

pid_of() {
    cat "$dir/node-$1.pid" 2>/dev/null
}

# Whether the process is the one that was started here, and not another one that got its number since.
running() {
    local pid argument
    pid=$(pid_of "$1") || return 1
    while IFS= read -r -d '' argument; do
        [[ $argument != "--data-dir=$dir/node-$1" ]] || return 0
    done 2>/dev/null <"/proc/$pid/cmdline"
    return 1
}

# Runs a command again and again until it succeeds; gives up after the patience, or when the node has ended.
await() {
    local id=$1 until=$((SECONDS + patience_s))
    shift
    until "$@"; do
        ((SECONDS < until)) && running "$id" || return 1
        sleep 0.05
    done
}

await_listening() { await "$1" says_listening "$1"; }
await_linked() { await "$1" is_linked "$1"; }
await_ready() { await "$1" is_ready "$1"; }

await_end() {
    local until=$((SECONDS + patience_s))
    while running "$1"; do
        ((SECONDS < until)) || return 1
        sleep 0.05
    done
}

says_listening() {
    tail -c +$((logged[$1] + 1)) "$dir/node-$1.log" | grep -q 'listening on '
}

# With all others that run. Who may not ask that relies on what is ready.
is_linked() {
    local id linked others=-1
    for id in $(nodes); do ! running "$id" || others=$((others + 1)); done
    show_access
    if ! linked=$("$binary" cli --address="$(address "$1")" "${access[@]}" INFO replication 2>/dev/null); then
        [[ $linked = NOAUTH* || $linked = NOPERM* ]]
        return
    fi
    linked=$(sed -n 's/^connected_slaves:\([0-9]*\).*/\1/p' <<<"$linked")
    [[ -n $linked ]] && ((linked >= others))
}

# It has all that those had which it reaches.
is_ready() {
    why_not_ready "$1" >/dev/null
}

why_not_ready() {
    show_access
    "$binary" check --ready --address="$(address "$1")" "${access[@]}" 2>&1
}

# What was started stops, and the reason is said last.
give_up() {
    local id
    trap - INT TERM
    for id in "${new[@]}"; do
        if ! running "$id" || [[ $1 = "node $id "* ]]; then last_lines "$id"; fi
    done
    (end "${new[@]}") || true
    fail "$1; all that was started is stopped"
}

last_lines() {
    echo "== the last lines of $dir/node-$1.log" >&2
    tail -c +$((${logged[$1]:-0} + 1)) "$dir/node-$1.log" | tail -n 10 >&2
}

listens() {
    (exec 3<>"/dev/tcp/${ips[$1]}/${ports[$1]}") 2>/dev/null
}

# The flags by which the tools reach what was started here.
show_access() {
    access=()
    [[ ! -f $dir/tls/ca.crt ]] || ! grep -qsx -- '--tls-cert=.*' "$dir"/node-*.command ||
        access+=(--tls-ca-file="$dir/tls/ca.crt")
    mapfile -t -O ${#access[@]} access < <(cat "$dir"/node-*.command 2>/dev/null | grep -m 1 '^--password-file=')
}

absolute() {
    case $1 in
        /*) echo "$1" ;;
        *) echo "$PWD/$1" ;;
    esac
}

declare -A logged # by id: the length of the log before the last start
main "$@"
