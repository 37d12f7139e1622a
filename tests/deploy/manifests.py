"""The manifests below scripts/deploy/kubernetes, as those see them who use them.

    manifests.py kubectl         checks them, by the schemas of Kubernetes and of Prometheus' operator
    manifests.py kubectl --write makes what is made of other files, first

Made are: the operator's rule, of the alerts that Prometheus itself takes; and manifests/<overlay>.json, what kustomize
makes of an overlay, for the test that plays it with processes. Needs PyYAML, jsonschema and kubernetes-validate.
"""

import copy
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import jsonschema
import kubernetes_validate
import yaml

HERE = pathlib.Path(__file__).resolve().parent
DEPLOY = HERE.parent.parent / "scripts/deploy"
KUBERNETES = DEPLOY / "kubernetes"
RULE = KUBERNETES / "overlays/production/prometheus-rule.yaml"
OVERLAYS = ("try", "production")
# The version whose fields all are checked against, and the first that older clusters may have.
VERSION, OLDEST = "1.30", "1.27"
HEAD = """\
# Made of scripts/deploy/prometheus/alerts.yml, which is the one to change; tests/deploy/manifests.py says how.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: kvstoreapp
  labels:
    app.kubernetes.io/name: kvstoreapp
spec:
"""


class Wrong(Exception):
    """A sentence."""


def rule():
    """The alerts as the operator wants them."""
    alerts = (DEPLOY / "prometheus/alerts.yml").read_text()
    groups = alerts[alerts.index("groups:"):]
    return HEAD + "".join(f"  {line}" if line.strip() else line for line in groups.splitlines(keepends=True))


def rendered(kubectl, folder):
    """What kustomize makes of a folder, object by object."""
    done = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, timeout=60)
    if done.returncode != 0 or done.stderr:
        raise Wrong(f"kustomize {folder}: {done.stderr}")
    return list(yaml.safe_load_all(done.stdout))


def as_json(objects):
    """What is kept beside the test: what it looks into."""
    objects = [thing for thing in objects if thing["kind"] in ("ConfigMap", "StatefulSet")]
    return json.dumps(objects, indent=1, sort_keys=True) + "\n"


def validate(thing, version=VERSION):
    """One object, by its kind's schema; a field that it does not have is wrong."""
    name = f"{thing['kind']} {thing['metadata'].get('name')}"
    own = HERE / "schemas" / f"{thing['kind']}.json"
    try:
        if own.exists():
            jsonschema.Draft7Validator(json.loads(own.read_text())).validate(thing)
        else:
            kubernetes_validate.validate(copy.deepcopy(thing), version, strict=True)
    except (jsonschema.ValidationError, kubernetes_validate.ValidationError) as error:
        raise Wrong(f"{name}: {error.message.splitlines()[0]}") from None


def find(objects, kind, name="kvstoreapp"):
    """The object of that kind and name."""
    [found] = [thing for thing in objects if (thing["kind"], thing["metadata"]["name"]) == (kind, name)]
    return found


def check_together(name, objects):
    """What no schema says: names and numbers that have to fit."""
    def expect(is_so, what):
        if not is_so:
            raise Wrong(f"{name}: {what}")

    workload = find(objects, "StatefulSet")
    spec, pod = workload["spec"], workload["spec"]["template"]["spec"]
    [container] = pod["containers"]
    labels = spec["template"]["metadata"]["labels"]
    headless = find(objects, "Service", spec["serviceName"])
    for service in (headless, find(objects, "Service")):
        expect(service["spec"]["selector"].items() <= labels.items(), "a Service finds the pods")
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        expect([ports[port["targetPort"]] for port in service["spec"]["ports"]] == [5000], "a Service finds the port")
    expect(headless["spec"]["clusterIP"] == "None" and headless["spec"]["publishNotReadyAddresses"], "pods have names")
    expect(find(objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"].items() <= labels.items(),
           "the budget is of the pods")
    expect(find(objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"].items() <= labels.items(),
           "the policy is of the pods")
    nodes = json.loads(find(objects, "ConfigMap")["data"]["node_config.json"])
    names = [f"{workload['metadata']['name']}-{id}.{spec['serviceName']}" for id in range(spec["replicas"])]
    expect([node["ip"] for node in nodes] == names, "each pod has its place in node_config.json")
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    volumes = [volume["name"] for volume in pod["volumes"] + [c["metadata"] for c in spec["volumeClaimTemplates"]]]
    expect(sorted(mounts) == sorted(volumes), "each volume is mounted")
    expect(all("subPath" not in mount for mount in mounts.values()), "a changed ConfigMap comes to the pods")
    files = {"node_config.json"}
    for source in pod["volumes"][0]["projected"]["sources"]:
        files |= {item["path"] for item in source.get("secret", {}).get("items", [])}
    root = mounts["config"]["mountPath"] + "/"
    for variable in container["env"]:
        value = variable.get("value", "")
        expect(not value.startswith(root) or value.removeprefix(root) in files, f"{variable['name']} names a file")
    secured, probes = container["securityContext"], ("startupProbe", "livenessProbe", "readinessProbe")
    expect(secured["readOnlyRootFilesystem"] and secured["capabilities"]["drop"] == ["ALL"], "the container is closed")
    expect(pod["securityContext"]["runAsNonRoot"] and not pod["enableServiceLinks"], "the pod is closed")
    asked = [container[probe]["httpGet"]["path"] for probe in probes]
    expect(asked == ["/livez", "/livez", "/readyz"], "no probe asks for more than it may")
    if name == "production":
        monitor, alerts = find(objects, "ServiceMonitor"), find(objects, "PrometheusRule")
        own = headless["metadata"]["labels"]
        expect(monitor["spec"]["selector"]["matchLabels"].items() <= own.items(), "the pods are asked")
        expect(not monitor["spec"]["selector"]["matchLabels"].items()
               <= find(objects, "Service")["metadata"]["labels"].items(), "each pod is asked once")
        job = own[monitor["spec"]["jobLabel"]]
        jobs = set(re.findall(r'job="([^"]*)"', json.dumps(alerts).replace('\\"', '"')))
        expect(jobs == {job}, f"the alerts are about the job {job}")


def plant(objects, kind, path, value):
    """The same objects with one mistake."""
    objects = copy.deepcopy(objects)
    place = find(objects, kind)
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return objects


def refuses(check, what, word):
    """The check finds a mistake, which it tells by this word."""
    try:
        check(what)
    except Wrong as wrong:
        if word in str(wrong):
            return
        raise Wrong(f"{word} was planted, and found was: {wrong}") from None
    raise Wrong(f"{word} was planted, and nobody found it")


def validate_all(objects):
    """All, one by one."""
    for thing in objects:
        validate(thing)


def check(kubectl):
    """All of it."""
    if RULE.read_text() != rule():
        raise Wrong(f"{RULE} is not what alerts.yml says: --write makes it")
    overlays = {name: rendered(kubectl, KUBERNETES / "overlays" / name) for name in OVERLAYS}
    for name, objects in overlays.items():
        validate_all(objects)
        check_together(name, objects)
        kept = HERE / "manifests" / f"{name}.json"
        if not kept.exists() or kept.read_text() != as_json(objects):
            raise Wrong(f"{kept} is not what kustomize makes: --write makes it")
    for secret in yaml.safe_load_all((KUBERNETES / "overlays/production/secrets.example.yaml").read_text()):
        validate(secret)
    # With the component for older clusters, in a copy: an overlay may only look below itself and at its bases.
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copytree(KUBERNETES, f"{scratch}/kubernetes")
        overlay = pathlib.Path(scratch, "kubernetes/overlays/production/kustomization.yaml")
        overlay.write_text(overlay.read_text() + "components: [../../components/older-clusters]\n")
        for thing in rendered(kubectl, overlay.parent):
            validate(thing, OLDEST)
            assert "pod-index" not in json.dumps(thing)
    # Each check finds what it is there for.
    objects, container = overlays["production"], ["spec", "template", "spec", "containers", 0]
    for kind, path, value, word in [
        ("StatefulSet", [*container, "readinesProbe"], {}, "readinesProbe"),
        ("StatefulSet", ["spec", "minReadySeconds"], "ten", "ten"),
        ("NetworkPolicy", ["spec", "ingres"], [], "ingres"),
        ("ServiceMonitor", ["spec", "endpoints", 0, "shceme"], "https", "shceme"),
        ("PrometheusRule", ["spec", "groups", 0, "rules", 0, "labels"], "critical", "critical"),
        ("PrometheusRule", ["spec", "groups", 0, "rules", 0, "epxr"], "up", "epxr"),
    ]:
        refuses(validate_all, plant(objects, kind, path, value), word)
    together = lambda objects: check_together("production", objects)
    for kind, path, value, word in [
        ("StatefulSet", ["spec", "replicas"], 4, "place in node_config.json"),
        ("StatefulSet", [*container, "readinessProbe", "httpGet", "path"], "/readyz?strict", "no probe"),
        ("StatefulSet", [*container, "volumeMounts", 0, "subPath"], "node_config.json", "ConfigMap"),
        ("StatefulSet", [*container, "env", 2, "value"], "/etc/kvstoreapp/nodes.json", "names a file"),
        ("ServiceMonitor", ["spec", "jobLabel"], "app.kubernetes.io/component", "about the job"),
    ]:
        refuses(together, plant(objects, kind, path, value), word)
    refuses(lambda version: [validate(thing, version) for thing in objects], OLDEST, "sleep")
    counts = ", ".join(f"{name}: {len(objects)} objects" for name, objects in overlays.items())
    print(f"kustomize made what is right ({counts}), and 12 mistakes were found")


def write(kubectl):
    """What is made of other files."""
    RULE.write_text(rule())
    for name in OVERLAYS:
        kept = HERE / "manifests" / f"{name}.json"
        kept.write_text(as_json(rendered(kubectl, KUBERNETES / "overlays" / name)))


if __name__ == "__main__":
    try:
        if "--write" in sys.argv[2:]:
            write(sys.argv[1])
        check(sys.argv[1])
    except Wrong as wrong:
        sys.exit(f"manifests.py: {wrong}")
