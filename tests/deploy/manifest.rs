//! What kustomize makes of an overlay: `manifests/<overlay>.json`, which `manifests.py` compares with the manifests in
//! every run of `scripts/deploy/check.sh`.

use std::collections::BTreeMap;

use serde_json::Value;

/// What this test gives pods as their namespace.
const NAMESPACE: &str = "default";

pub struct Manifest(Vec<Value>);

/// What kubelet asks over HTTP.
pub struct Probe {
    pub scheme: String,
    pub path: String,
    pub timeout_s: u64,
}

impl Manifest {
    /// Of this overlay.
    pub fn of(overlay: &str) -> Manifest {
        let text = match overlay {
            "try" => include_str!("manifests/try.json"),
            "production" => include_str!("manifests/production.json"),
            other => panic!("there is no overlay {other}"),
        };
        Manifest(serde_json::from_str(text).expect("it is JSON"))
    }

    /// What a container of the pod with this number finds in its environment.
    pub fn environment(&self, number: usize) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for variable in self.container()["env"].as_array().expect("a list") {
            let value = match variable["valueFrom"]["fieldRef"]["fieldPath"].as_str() {
                Some("metadata.labels['apps.kubernetes.io/pod-index']") => number.to_string(),
                Some("metadata.namespace") => NAMESPACE.to_owned(),
                Some(other) => panic!("nobody here knows {other}"),
                // $(NAME) is the value of a variable before it.
                None => all.iter().fold(text(&variable["value"]), |value, (name, other): (&String, &String)| {
                    value.replace(&format!("$({name})"), other)
                }),
            };
            all.insert(text(&variable["name"]), value);
        }
        all
    }

    /// The StatefulSet's name, and before a dash and a number its pods'.
    pub fn name(&self) -> String {
        text(&self.object("StatefulSet")["metadata"]["name"])
    }

    /// The name of the pod with this number, as other pods look it up.
    pub fn dns_name(&self, number: usize) -> String {
        format!("{}-{number}.{}", self.name(), text(&self.object("StatefulSet")["spec"]["serviceName"]))
    }

    pub fn replicas(&self) -> usize {
        self.object("StatefulSet")["spec"]["replicas"].as_u64().expect("a number") as usize
    }

    /// From which number on the controller replaces pods by itself.
    pub fn partition(&self) -> usize {
        let strategy = &self.object("StatefulSet")["spec"]["updateStrategy"];
        assert_eq!(strategy["type"], "RollingUpdate");
        strategy["rollingUpdate"]["partition"].as_u64().expect("a number") as usize
    }

    pub fn config_file(&self) -> String {
        text(&self.object("ConfigMap")["data"]["node_config.json"])
    }

    /// `startupProbe`, `livenessProbe` or `readinessProbe`.
    pub fn probe(&self, name: &str) -> Probe {
        let (container, ports) = (self.container(), &self.container()["ports"][0]);
        let asked = &container[name]["httpGet"];
        assert_eq!((&asked["port"], &ports["containerPort"]), (&ports["name"], &Value::from(5000)));
        let scheme = asked["scheme"].as_str().unwrap_or("HTTP").to_ascii_lowercase();
        Probe { scheme, path: text(&asked["path"]), timeout_s: container[name]["timeoutSeconds"].as_u64().expect("so") }
    }

    /// Where a volume is in the container.
    pub fn mount_path(&self, volume: &str) -> String {
        let mounts = self.container()["volumeMounts"].as_array().expect("a list");
        text(&mounts.iter().find(|mount| mount["name"] == volume).expect("it is mounted")["mountPath"])
    }

    /// Where files of this secret lie, below the volume `config`: key and path.
    pub fn secret_files(&self, secret: &str) -> Vec<(String, String)> {
        let sources = self.pod()["volumes"][0]["projected"]["sources"].as_array().expect("a list");
        let source = sources.iter().find(|source| source["secret"]["name"] == secret).expect("the pod has it");
        let items = source["secret"]["items"].as_array().expect("a list");
        items.iter().map(|item| (text(&item["key"]), text(&item["path"]))).collect()
    }

    /// Mode of the files there.
    pub fn file_mode(&self) -> u32 {
        self.pod()["volumes"][0]["projected"]["defaultMode"].as_u64().expect("a number") as u32
    }

    /// User, group, and the group of the volumes.
    pub fn user(&self) -> (u32, u32, u32) {
        let secured = &self.pod()["securityContext"];
        let number = |name: &str| secured[name].as_u64().expect("a number") as u32;
        assert_eq!(secured["runAsNonRoot"], true);
        let container = &self.container()["securityContext"];
        assert_eq!(container["readOnlyRootFilesystem"], true);
        assert_eq!(container["allowPrivilegeEscalation"], false);
        assert_eq!(container["capabilities"]["drop"][0], "ALL");
        (number("runAsUser"), number("runAsGroup"), number("fsGroup"))
    }

    pub fn grace_s(&self) -> u64 {
        self.pod()["terminationGracePeriodSeconds"].as_u64().expect("a number")
    }

    fn pod(&self) -> &Value {
        &self.object("StatefulSet")["spec"]["template"]["spec"]
    }

    fn container(&self) -> &Value {
        let container = &self.pod()["containers"][0];
        // What the image starts, without arguments.
        assert!(container["command"].is_null() && container["args"].is_null());
        container
    }

    fn object(&self, kind: &str) -> &Value {
        self.0.iter().find(|object| object["kind"] == kind).expect("kustomize made it")
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}
