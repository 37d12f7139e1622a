#!/usr/bin/env bash
# Brings what was applied to the pods: one after the other, the highest number first, and each only while all nodes run,
# are linked and agree (/readyz?strict). Where they do not within the time it stops, and leaves the others as they are.
# A StatefulSet by itself waits for /readyz, which a peer that is down does not change; so overlays/production lets it
# replace no pod, and this script says which may be (its partition).
set -euo pipefail

usage() {
    cat >&2 <<'END'
usage: scripts/deploy/kubernetes/roll.sh [-n NAMESPACE] [-t SECONDS]
  -n  the namespace [kvstoreapp]
  -t  how long each pod may take, and the nodes to agree before and after it [600]
Exit code: 0, all pods are as was applied, and all nodes agree; 1, it stopped, and said where. Run it again once that is
mended, or go back: kubectl rollout undo statefulset/kvstoreapp, and roll.sh.
END
    exit 2
}

namespace=kvstoreapp patience=600 name=kvstoreapp
while getopts n:t: flag; do
    case $flag in
        n) namespace=$OPTARG ;;
        t) patience=$OPTARG ;;
        *) usage ;;
    esac
done
[ $OPTIND -gt $# ] && [[ $patience =~ ^[0-9]+$ ]] || usage

kube() { kubectl -n "$namespace" "$@"; }

fail() {
    echo "roll.sh: $*" >&2
    exit 1
}

# Fields of the StatefulSet, or of a pod, with one blank between two; a field that is not there is "".
field() { kube get "$1" "$2" -o "jsonpath=$3"; }
set_field() { field statefulset "$name" "$1"; }
allow_from() {
    kube patch statefulset "$name" -p "{\"spec\":{\"updateStrategy\":{\"rollingUpdate\":{\"partition\":$1}}}}" >/dev/null
}

# Asks again, once a second, until it is so. $why has the last answer.
until_so() {
    local what=$1 ends=$((SECONDS + patience))
    shift
    until "$@"; do
        [ $SECONDS -lt $ends ] || fail "not within $patience s: $what: $why"
        sleep 1
    done
}

# Every node says that all are linked and agree.
all_agree() {
    local pod
    for pod in "${pods[@]}"; do
        # /kvstoreapp check --strict asks its own node for what GET /readyz?strict tells.
        why=$(kube exec "$pod" -c "$name" -- /kvstoreapp check --strict 2>&1) || return 1
    done
}

is_seen() {
    read -r generation observed <<<"$(set_field '{.metadata.generation} {.status.observedGeneration}')"
    why="generation $generation, and it has seen ${observed:-none}"
    [ "$generation" = "${observed:-}" ]
}

# The pod is the new one, and takes clients.
is_new() {
    local has ready
    read -r has ready <<<"$(field pod "$1" \
        '{.metadata.labels.controller-revision-hash} {.status.conditions[?(@.type=="Ready")].status}' 2>&1)" || true
    why="it is of ${has:-no revision}, ready: ${ready:-unknown}"
    [ "$has" = "$wanted" ] && [ "${ready:-}" = True ]
}

until_so "the controller sees what was applied" is_seen
replicas=$(set_field '{.spec.replicas}')
wanted=$(set_field '{.status.updateRevision}')
kept=$(set_field '{.spec.updateStrategy.rollingUpdate.partition}')
pods=()
for ((number = 0; number < replicas; number++)); do pods+=("$name-$number"); done
until_so "all nodes agree before anything changes" all_agree

for ((number = replicas - 1; number >= 0; number--)); do
    pod=$name-$number
    if ! is_new "$pod"; then
        allow_from "$number"
        until_so "$pod is replaced" is_new "$pod"
        until_so "all nodes agree after $pod" all_agree
    fi
    echo "$pod: $wanted"
done
# The new revision is the one that pods come back with, from here on.
allow_from 0
is_current() {
    why=$(set_field '{.status.currentRevision}')
    [ "$why" = "$wanted" ]
}
until_so "the StatefulSet has taken $wanted for its own" is_current
allow_from "$kept"
echo "all $replicas pods are of $wanted, and all nodes agree"
