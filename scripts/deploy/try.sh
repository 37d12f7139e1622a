#!/usr/bin/env bash
# Builds the image and runs it, then the compose files, and looks whether all is as scripts/deploy/README.md says. It asks
# no registry for images: under the names of the base images lie stand-ins, made of the Debian packages that those are
# made of, and of this machine's Rust. Outside of the gate, as the first build takes minutes; it stays in target/deploy.
# Needs root and Debian. All containers, images, volumes and networks lie in a directory of its own, which it removes.
set -euo pipefail
cd "$(dirname "$0")/../.."

usage() {
    cat <<'END'
usage: scripts/deploy/try.sh [--binary FILE]

  --binary FILE  a kvstoreapp of this machine, for which cargo is not asked; all else of the build is done. A minute or two
END
}

fail() {
    echo "try.sh: $*" >&2
    exit 1
}

say() { echo "[$((SECONDS / 60)):$(printf %02d $((SECONDS % 60)))] $*"; }

binary='' patience_s=60
while (($# > 0)); do
    case $1 in
        --binary) binary=$(realpath "$2") && shift ;;
        --help | -h) usage && exit ;;
        *) usage >&2 && exit 2 ;;
    esac
    shift
done
[ "$(id -u)" = 0 ] || fail "only root can make containers without a service's help"

# -- what it needs

need=()
for tool in buildah podman runc debootstrap prometheus sqlite3 redis-cli; do
    command -v $tool >/dev/null || need+=("$tool")
done
need=("${need[@]/redis-cli/redis-tools}")
[ -x /usr/lib/podman/netavark ] || need+=(netavark)
[ -x /usr/lib/podman/aardvark-dns ] || need+=(aardvark-dns)
[ -x /bin/busybox ] || need+=(busybox-static)
if ((${#need[@]} > 0)); then
    command -v apt-get >/dev/null || fail "please install: ${need[*]}"
    # Debian starts a service that it installs, unless this file says that it may not (101).
    policy=/usr/sbin/policy-rc.d
    [ -e $policy ] || { trap 'rm -f $policy' EXIT && printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy; }
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${need[@]}" >/dev/null
    say "installed: ${need[*]}"
fi

kept=$PWD/target/deploy
mkdir -p "$kept/tmp"
composer=$kept/podman-compose/bin/podman-compose
if [ ! -x "$composer" ]; then
    python3 -m venv "$kept/podman-compose"
    "$kept/podman-compose/bin/pip" install --quiet --disable-pip-version-check podman-compose==1.6.0
fi

# -- a place of its own for all that podman and buildah make

dir=$(mktemp -d)
export CONTAINERS_STORAGE_CONF=$dir/storage.conf CONTAINERS_CONF=$dir/containers.conf TMPDIR=$kept/tmp
# Timers of health are systemd's; without it they are looked at by hand.
export DISABLE_HC_SYSTEMD=true
cat >"$CONTAINERS_STORAGE_CONF" <<END
[storage]
driver = "vfs"
graphroot = "$dir/storage"
runroot = "$dir/run"
END
cat >"$CONTAINERS_CONF" <<END
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=1000:1000"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
[network]
network_config_dir = "$dir/networks"
END

compose_files=(-f scripts/deploy/compose/compose.yaml -f scripts/deploy/compose/compose.observe.yaml)
# podman-compose waits for what a service depends on, and tells podman of it, too, which would start once more what was to
# be done once, and fails where that depends on others of its kind: that is kept from it.
cat >"$dir/podman" <<'END'
#!/usr/bin/env bash
for argument; do
    shift
    [[ $argument == --requires=* ]] || set -- "$@" "$argument"
done
exec podman "$@"
END
chmod +x "$dir/podman"
compose() {
    "$composer" --podman-path "$dir/podman" --in-pod false "${compose_files[@]}" "$@"
}
# What ends a container is said to a file, and shown where something went wrong.
clean() {
    local verdict=$?
    [ $verdict = 0 ] || [ ! -s "$dir/log" ] || { echo "try.sh: the last that was said:" && tail -n 30 "$dir/log"; } >&2
    compose down --volumes --timeout 1 >/dev/null 2>&1 || true
    podman rm --all --force --time 0 >/dev/null 2>&1 || true
    podman network prune --force >/dev/null 2>&1 || true
    umount -R "$dir/storage" 2>/dev/null || true
    rm -rf "$dir" || true
    exit $verdict
}
trap clean EXIT

# -- stand-ins for the base images

file=scripts/deploy/docker/Dockerfile
base_of() { sed -n "s/^FROM \([^ ]*\).*/\1/p" $file | sed "s/\${RUST_VERSION}/$(sed -n 's/^ARG RUST_VERSION=//p' $file)/" | sed -n "$1p"; }
mirror=http://deb.debian.org/debian

# rust:slim is Debian with a compiler of C, and Rust, which is bound into it at the build.
if [ ! -e "$kept/build.tar" ]; then
    debootstrap --variant=minbase --include=ca-certificates,gcc,libc6-dev bookworm "$dir/build" $mirror >"$dir/log" 2>&1
    rm -rf "$dir"/build/var/cache/apt/archives/*.deb "$dir"/build/var/lib/apt/lists/*
    tar -C "$dir/build" -cf "$kept/build.tar.unfinished" . && mv "$kept/build.tar.unfinished" "$kept/build.tar"
    rm -rf "$dir/build"
fi
# Cargo takes the crates from a directory, as the build is shown no registry.
mkdir -p "$dir/cargo/usr/local/cargo"
cat >"$dir/cargo/usr/local/cargo/config.toml" <<'END'
[source.crates-io]
replace-with = "vendored"
[source.vendored]
directory = "/usr/local/vendor"
END
toolchain=$(rustc --print sysroot)
mkdir "$dir/vendor"
if [ -z "$binary" ]; then
    cargo vendor --quiet --locked --versioned-dirs "$dir/vendor" >/dev/null 2>"$dir/log"
else
    toolchain=$dir/toolchain
    mkdir -p "$toolchain/bin" && cp "$binary" "$toolchain/bin/kvstoreapp"
    printf '#!/bin/sh\ninstall -D /usr/local/toolchain/bin/kvstoreapp "target/$(uname -m)/release/kvstoreapp"\n' >"$toolchain/bin/cargo"
    chmod +x "$toolchain/bin/cargo"
fi
cp "$kept/build.tar" "$dir/build.tar" && tar -C "$dir/cargo" -rf "$dir/build.tar" ./usr/local/cargo/config.toml
podman import --quiet --change 'ENV CARGO_HOME=/usr/local/cargo' \
    --change 'ENV PATH=/usr/local/toolchain/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    "$dir/build.tar" "$(base_of 1)" >/dev/null 2>"$dir/log"
rm "$dir/build.tar"
say "$(base_of 1): Debian with gcc, and ${binary:-$(rustc --version) of this machine}"

# base-nossl is these packages, unpacked. There is no shell in it.
mkdir -p "$kept/debs" "$dir/base"
packages=(base-files libc6 media-types netbase tzdata)
for package in "${packages[@]}"; do
    compgen -G "$kept/debs/${package}_*.deb" >/dev/null ||
        (cd "$kept/debs" && apt-get download -qq -o APT::Sandbox::User=root "$package")
    dpkg-deb -x "$kept/debs/${package}"_*.deb "$dir/base"
done
mkdir -p "$dir/base/etc/ssl/certs" "$dir/base/home/nonroot"
printf 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n' >"$dir/base/etc/passwd"
tar -C "$dir/base" -c . | podman import --quiet --change 'USER 65532' - "$(base_of 2)" >/dev/null 2>"$dir/log"
say "$(base_of 2): ${packages[*]}, unpacked"

# -- the image

image=localhost/kvstoreapp:0.2.0
nice -n 5 buildah bud --isolation chroot --format docker --pull-never \
    --volume "$toolchain:/usr/local/toolchain:ro" --volume "$dir/vendor:/usr/local/vendor:ro" \
    --build-arg "KVSTOREAPP_BUILD_COMMIT=$(git rev-parse HEAD)" --build-arg "KVSTOREAPP_BUILD_DATE=$(git log -1 --format=%cs)" \
    --file $file --tag $image . >"$dir/log" 2>&1
label() { podman image inspect --format "{{index .Labels \"org.opencontainers.image.$1\"}}" $image; }
bytes=$(podman image inspect --format '{{.Size}}' $image)
say "the image is built: $((bytes / 1000000)) MB, version $(label version), commit $(label revision), of $(label created)"
((bytes < 40000000)) || fail "the image has more than 40 MB"
[ "$(label revision)" = "$(git rev-parse HEAD)" ] || fail "its label names another commit"
inspect() { podman image inspect --format "$1" $image; }
[ "$(inspect '{{.Config.User}} {{.Config.StopSignal}}')" = "65532:65532 SIGTERM" ] || fail "$(inspect '{{.Config}}')"
say "it runs as $(inspect '{{.Config.User}}'), ends by $(inspect '{{.Config.StopSignal}}'), is asked by $(inspect '{{.HealthCheck.Test}}')"

hardened=(--read-only --cap-drop all --security-opt no-new-privileges --network host)
run() { podman run "${hardened[@]}" "$@"; }
say "it says: $(run --rm $image --version)"
! run --rm --entrypoint /bin/sh $image -c true >/dev/null 2>&1 || fail "there is a shell in the image"
! run --rm --entrypoint /bin/busybox $image true >/dev/null 2>&1 || fail "there is a shell in the image"
say "there is no shell in it"

# -- three containers

free_ports() {
    python3 -c '
import socket, sys
taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(one.getsockname()[1] for one in taken))' "$1"
}
read -r -a ports <<<"$(free_ports 3)"
mkdir "$dir/config" "$dir/secrets"
printf '[{"ip":"127.0.0.1","port":%s},{"ip":"127.0.0.1","port":%s},{"ip":"127.0.0.1","port":%s}]\n' "${ports[@]}" \
    >"$dir/config/node_config.json"
chown 65532:65532 "$dir/secrets"
run --rm --volume "$dir/secrets:/data" $image secret --out /data/cluster.secret >"$dir/log" 2>&1
chmod 755 "$dir"
start() {
    run --detach --env "KVSTOREAPP_ID=$1" --env KVSTOREAPP_CLUSTER_SECRET_FILE=/run/secrets/cluster.secret \
        --volume "$dir/config:/etc/kvstoreapp:ro" --volume "$dir/secrets:/run/secrets:ro" --volume "try-data-$1:/data" \
        $image 2>"$dir/log"
}
# Tries until it works, or patience ends.
await() {
    local until=$((SECONDS + patience_s))
    until "$@" >"$dir/log" 2>&1; do
        ((SECONDS < until)) || fail "not within $patience_s s: $*: $(cat "$dir/log")"
        sleep 0.2
    done
}
ask() {
    local container=$1
    shift
    podman exec "$container" /kvstoreapp "$@"
}
containers=()
for id in 0 1 2; do containers+=("$(start $id)"); done
for container in "${containers[@]}"; do await ask "$container" check --strict; done
say "three containers, each read-only, without capabilities and as user 65532, are a cluster that proves its secret:"
say "  $(ask "${containers[0]}" status | head -n 1)"
[ "$(ask "${containers[0]}" cli SET color blue)" = OK ] || fail "SET was refused"
holds() { [ "$(ask "$1" cli GET "$2")" = "$3" ]; }
for container in "${containers[@]}"; do await holds "$container" color blue; done
say "SET at one is GET at all"
for container in "${containers[@]}"; do podman healthcheck run "$container" >"$dir/log" || fail "not healthy: $(cat "$dir/log")"; done
say "podman healthcheck run: all three are healthy"

podman kill --signal KILL "${containers[1]}" >/dev/null
! podman healthcheck run "${containers[1]}" >/dev/null 2>&1 || fail "a killed container is healthy"
ask "${containers[0]}" cli SET color green >/dev/null
ask "${containers[2]}" cli SET while away >/dev/null
podman start "${containers[1]}" >/dev/null
for container in "${containers[@]}"; do
    await ask "$container" check --strict
    await holds "$container" color green
    await holds "$container" while away
done
say "one was killed, and came back with what was written meanwhile:"
say "  $(ask "${containers[1]}" status | head -n 1)"

ask "${containers[2]}" cli SET last "word $$" >/dev/null
began=$(date +%s%N)
podman stop --time 30 "${containers[2]}" >/dev/null
took_ms=$((($(date +%s%N) - began) / 1000000))
code=$(podman inspect --format '{{.State.ExitCode}}' "${containers[2]}")
[ "$code" = 0 ] || fail "SIGTERM ended it with $code"
on_disk=$(sqlite3 "$(podman volume inspect --format '{{.Mountpoint}}' try-data-2)/backup.db" \
    "select value from kvstore where key = 'last'")
[ "$on_disk" = "word $$" ] || fail "the last write is not in its data file: $on_disk"
for id in 0 1; do podman stop --time 30 "${containers[$id]}" >/dev/null; done
podman start "${containers[2]}" >/dev/null
await holds "${containers[2]}" last "word $$"
say "SIGTERM ended one $took_ms ms after a write, with exit code 0; alone and started again it has the write"
podman rm --force --time 5 "${containers[@]}" >/dev/null
podman volume rm try-data-0 try-data-1 try-data-2 >/dev/null

# -- compose

# Prometheus as its image has it: the program, and a shell for what is copied before it starts.
at=$dir/prometheus
mkdir -p "$at/bin" "$at/etc/prometheus" "$at/prometheus" "$at/tmp"
cp "$(command -v prometheus)" "$at/bin/prometheus"
ldd "$at/bin/prometheus" | grep -o '/[^ ]*' | while read -r library; do
    mkdir -p "$at$(dirname "$library")" && cp -L "$library" "$at$library"
done
cp /bin/busybox "$at/bin/busybox"
for tool in sh cp chown wget; do ln -s busybox "$at/bin/$tool"; done
chown 65534:65534 "$at/prometheus"
prometheus_image=$(sed -n 's/^ *image: \(.*prometheus.*\)/\1/p' scripts/deploy/compose/compose.observe.yaml | head -n 1)
tar -C "$at" -c . | podman import --quiet --change 'USER 65534' --change 'ENTRYPOINT ["/bin/prometheus"]' \
    --change 'WORKDIR /prometheus' - "$prometheus_image" >/dev/null 2>"$dir/log"
say "$prometheus_image: $(prometheus --version 2>&1 | head -n 1 | cut -d ' ' -f 1-3) of Debian, and busybox"

if ! podman network create try-probe >"$dir/log" 2>&1 ||
    ! podman run --rm --network try-probe $image --version >>"$dir/log" 2>&1; then
    say "no network of containers can be made here: the compose files are not started"
    echo "verdict: the image is as it should be; the compose files were not tried"
    exit
fi
podman network rm try-probe >/dev/null
read -r NODE_0_PORT NODE_1_PORT NODE_2_PORT PROMETHEUS_PORT <<<"$(free_ports 4)"
export NODE_0_PORT NODE_1_PORT NODE_2_PORT PROMETHEUS_PORT
# There is no Grafana to be had; all others start.
services=(node-0 node-1 node-2 prometheus)
compose up --detach --no-build "${services[@]}" >"$dir/log" 2>&1
name() { podman ps --all --filter "label=io.podman.compose.service=$1" --format '{{.Names}}'; }
for id in 0 1 2; do await ask "$(name node-$id)" check --strict; done
say "podman-compose up: $(podman ps --format '{{.Names}}' | tr '\n' ' ')"
say "  $(ask "$(name node-0)" status | head -n 1)"
keys=$(podman volume inspect --format '{{.Mountpoint}}' kvstoreapp_keys)
before=$(cat "$keys"/* | sha256sum)
redis() { REDISCLI_AUTH=$(cat "$keys/password") redis-cli --tls --cacert "$keys/ca.crt" -h 127.0.0.1 -p "$@"; }
[ "$(redis "$NODE_0_PORT" SET color red)" = OK ] || fail "SET by TLS and a password was refused"
arrived() { [ "$(redis "$NODE_2_PORT" GET color)" = red ]; }
await arrived
say "SET from outside, over TLS with the password, at one node is GET at another"
! redis-cli -h 127.0.0.1 -p "$NODE_0_PORT" GET color 2>&1 | grep -qx red || fail "somebody without TLS was served"
! redis-cli --tls --cacert "$keys/ca.crt" -h 127.0.0.1 -p "$NODE_0_PORT" GET color 2>&1 | grep -qx red ||
    fail "somebody without a password was served"
say "without TLS, or without the password, nobody is served"
for id in 0 1 2; do podman healthcheck run "$(name node-$id)" >"$dir/log" || fail "not healthy: $(cat "$dir/log")"; done
say "podman healthcheck run: all three are healthy"

query() {
    podman exec "$(name prometheus)" wget -q -O - "http://127.0.0.1:9090/api/v1/$1"
}
collected() { query 'query?query=sum(up)' | grep -q '"3"'; }
await collected
# What the dashboard shows is what was collected, but for what an idle cluster does not have.
known() {
    query 'label/__name__/values' >"$dir/names"
    python3 - "$dir/names" <<'END'
import json, re, sys
have = set(json.load(open(sys.argv[1]))["data"])
shown = set(re.findall(r"\b(?:kvstoreapp|process)_[a-z0-9_]+", open("scripts/deploy/grafana/kvstoreapp.json").read()))
sys.exit(f"not collected: {sorted(shown - have)}" if shown - have else 0)
END
}
await known
query rules | grep -q KvstoreappNodeDown || fail "the alerts are not loaded"
say "Prometheus collects all three over TLS, has each figure of the dashboard, and watches the alerts"

compose down --timeout 30 >"$dir/log" 2>&1
compose up --detach --no-build "${services[@]}" >"$dir/log" 2>&1
for id in 0 1 2; do await ask "$(name node-$id)" check --strict; done
await arrived
[ "$(cat "$keys"/* | sha256sum)" = "$before" ] || fail "keys were made anew"
say "down and up again: keys and data are those from before"
compose down --volumes --timeout 30 >"$dir/log" 2>&1
[ -z "$(podman ps --all --quiet)" ] || fail "containers are left"
say "Grafana was not started: no registry that is asked here has it"
echo "verdict: the image and the compose files do what the page says"
