//! A rolling update with the overlay for production, by `scripts/deploy/kubernetes/roll.sh` itself, under load. The
//! script's `kubectl` is a stand-in: what it reads are files that the controller here writes, what it patches is one
//! that the controller reads, and `exec` runs the command in the pod.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::harness::{Process, wait_for};
use crate::load::{Access, missing, write_to};
use crate::pods::Pods;

/// The stand-in: kubectl -n <namespace> get|patch|exec ... A field that has no file is empty, as one that is not there.
const KUBECTL: &str = r#"#!/usr/bin/env python3
import json, os, re, sys

state, [_, namespace, verb, *words] = os.environ["CLUSTER"], sys.argv[1:]
assert namespace == "kvstoreapp", namespace

def field(place, name):
    try:
        return open(f"{place}/{name}").read()
    except FileNotFoundError:
        return ""

if verb == "get":
    place, template = f"{state}/{words[0]}-{words[1]}", words[3].removeprefix("jsonpath=")
    print(re.sub(r"\{(.*?)\}", lambda found: field(place, found[1]), template), end="")
elif verb == "patch":
    place, update = f"{state}/{words[0]}-{words[1]}", json.loads(words[3])["spec"]["updateStrategy"]["rollingUpdate"]
    name = f"{place}/.spec.updateStrategy.rollingUpdate.partition"
    open(name + ".new", "w").write(str(update["partition"]))
    os.rename(name + ".new", name)
elif verb == "exec":
    assert words[1:4] == ["-c", "kvstoreapp", "--"], words
    container = json.load(open(f"{state}/pod-{words[0]}/container"))
    os.execvpe("nsenter", container["enter"] + words[4:], container["environment"])
else:
    sys.exit(f"there is no {verb}")
"#;

/// What was, and what is wanted.
const REVISIONS: [&str; 2] = ["kvstoreapp-5d8f", "kvstoreapp-7c9b"];
const PARTITION: &str = ".spec.updateStrategy.rollingUpdate.partition";
const READY: &str = r#".status.conditions[?(@.type=="Ready")].status"#;

#[test]
fn a_rolling_update_waits_for_all_nodes_to_agree_and_loses_nothing() {
    // A pod that is replaced has another address.
    let Some(pods) = Pods::none("production", 6) else { return };
    let access = prepare_secrets(&pods);
    let count = pods.manifest.replicas();
    (0..count).for_each(|number| pods.start(number));
    (0..count).for_each(|number| pods.wait_until_ready(number));
    pods.wait_until_all_agree(count);

    let ends = AtomicBool::new(false);
    let (order, reports) = thread::scope(|scope| {
        let clients: Vec<_> = (0..count)
            .map(|number| {
                scope.spawn({
                    let (pods, access, ends) = (&pods, &access, &ends);
                    move || write_to(pods, number, access, ends)
                })
            })
            .collect();
        let update = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| Controller::begin(&pods).update()));
        ends.store(true, Ordering::Relaxed);
        let reports: Vec<_> = clients.into_iter().map(|client| client.join().expect("a client ends")).collect();
        (update.unwrap_or_else(|panic| std::panic::resume_unwind(panic)), reports)
    });
    assert_eq!(order, (0..count).rev().collect::<Vec<_>>());

    pods.wait_until_all_agree(count);
    let answered: BTreeMap<String, String> = reports.iter().flat_map(|report| report.answered.clone()).collect();
    for (number, report) in reports.iter().enumerate() {
        assert_eq!(report.errors, Vec::<String>::new(), "clients see reconnects and nothing else");
        assert!(report.reconnects > 0 && report.answered.len() > 100, "{}: {}", number, report.answered.len());
        let lost = missing(&pods, number, &access, answered.iter());
        assert_eq!(lost, Vec::<String>::new(), "{} lacks what was answered", pods.name(number));
    }
    println!("{} writes were answered while {count} pods were replaced, and all nodes have them", answered.len());
}

/// The secrets that an operator makes; how clients get in.
fn prepare_secrets(pods: &Pods) -> Access {
    let run = |arguments: &[String]| {
        let output = Command::new(env!("CARGO_BIN_EXE_kvstoreapp")).args(arguments).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let made = pods.path("tls");
    let mut certs = vec!["certs".to_owned(), format!("--out={}", made.display())];
    let names = (0..pods.manifest.replicas()).map(|number| pods.manifest.dns_name(number));
    // Clients here know no names.
    let addresses = (1..=6).map(|host| pods.network.address(host).ip().to_string());
    certs.extend(names.chain(addresses).map(|name| format!("--name={name}")));
    let config = pods.path("alone.json");
    fs::write(&config, crate::harness::ONE_NODE).expect("it is writable");
    certs.push(format!("--config={}", config.display()));
    run(&certs);
    let read = |name: &str| fs::read(made.join(name)).expect("it was made");
    let users = "user default off\nuser app on >sesame ~* &* +@all -@admin -@dangerous\n";
    let secrets = BTreeMap::from([
        ("cluster.secret", run(&["secret".to_owned()])),
        ("users.acl", users.as_bytes().to_vec()),
        ("tls.crt", read("node-0.crt")),
        ("tls.key", read("node-0.key")),
        ("ca.crt", read("ca.crt")),
    ]);
    let mut files = vec![("node_config.json".to_owned(), pods.manifest.config_file().into_bytes())];
    for secret in ["kvstoreapp", "kvstoreapp-tls"] {
        let items = pods.manifest.secret_files(secret).into_iter();
        files.extend(items.map(|(key, path)| (path, secrets[key.as_str()].clone())));
    }
    pods.put_config(&files);
    Access { login: Some(("app", "sesame".to_owned())), authority: Some(read("ca.crt")) }
}

/// What the controller of StatefulSets does while a rolling update is under way, and kubelet's part in it.
struct Controller<'a> {
    pods: &'a Pods,
    /// Which revision each pod is of.
    revisions: Vec<&'static str>,
}

impl Controller<'_> {
    fn begin(pods: &Pods) -> Controller<'_> {
        let controller = Controller { pods, revisions: vec![REVISIONS[0]; pods.manifest.replicas()] };
        fs::create_dir_all(pods.path("cluster/bin")).expect("it is writable");
        let kubectl = pods.path("cluster/bin/kubectl");
        fs::write(&kubectl, KUBECTL).expect("it is writable");
        fs::set_permissions(&kubectl, PermissionsExt::from_mode(0o755)).expect("it is ours");
        for (field, value) in [
            (".metadata.generation", "2"),
            (".status.observedGeneration", "2"),
            (".spec.replicas", &pods.manifest.replicas().to_string()),
            (".status.updateRevision", REVISIONS[1]),
            (".status.currentRevision", REVISIONS[0]),
            (PARTITION, &pods.manifest.partition().to_string()),
        ] {
            controller.say(&format!("statefulset-{}", pods.manifest.name()), field, value);
        }
        (0..pods.manifest.replicas()).for_each(|number| controller.say_of_pod(number, "True"));
        controller
    }

    /// Plays until the script ends. Which pods were replaced, in this order.
    fn update(mut self) -> Vec<usize> {
        let pods = self.pods;
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/deploy/kubernetes/roll.sh");
        let path = format!("{}:{}", pods.path("cluster/bin").display(), std::env::var("PATH").unwrap_or_default());
        let mut roll = Command::new(script);
        roll.arg("-t30").env("PATH", path).env("CLUSTER", pods.path("cluster")).stdin(Stdio::null());
        let mut roll = Process(roll.spawn().expect("the script starts"));
        let (mut order, count) = (Vec::new(), self.revisions.len());
        let status = loop {
            if let Some(status) = roll.try_wait().expect("it is ours") {
                break status;
            }
            let partition = self.partition();
            match (0..count).rev().find(|&number| self.revisions[number] != REVISIONS[1]) {
                Some(number) if number >= partition => {
                    self.replace(number);
                    order.push(number);
                }
                None if partition == 0 => {
                    self.say(&format!("statefulset-{}", pods.manifest.name()), ".status.currentRevision", REVISIONS[1]);
                }
                // Nothing is to be done before somebody says so.
                _ => thread::sleep(Duration::from_millis(20)),
            }
        };
        assert!(status.success(), "the script says why");
        assert_eq!(self.partition(), pods.manifest.partition(), "the script leaves it as it was");
        order
    }

    /// One pod, while the others go on taking clients.
    fn replace(&mut self, number: usize) {
        let pods = self.pods;
        let others: Vec<usize> = (0..self.revisions.len()).filter(|&other| other != number).collect();
        let others_serve = || {
            for &other in &others {
                let is_served = ["livenessProbe", "readinessProbe"].map(|probe| pods.passes(other, probe));
                assert_eq!(is_served, [true; 2], "{} without {}", pods.name(other), pods.name(number));
            }
        };
        for &other in &others {
            // The script has asked just now. A link that is made anew meanwhile catches up within moments.
            wait_for(&format!("{} to agree with all", pods.name(other)), || {
                pods.get(other, "/readyz?strict").filter(|(code, _)| *code == 200)
            });
        }
        self.say_of_pod(number, "False");
        assert!(pods.stop(number), "{} ends well, and in time", pods.name(number));
        others_serve();
        self.revisions[number] = REVISIONS[1];
        pods.start(number);
        self.say_of_pod(number, "False");
        pods.wait_until_ready(number);
        others_serve();
        self.say_of_pod(number, "True");
    }

    fn partition(&self) -> usize {
        let place = self.pods.path(&format!("cluster/statefulset-{}", self.pods.manifest.name()));
        fs::read_to_string(place.join(PARTITION)).expect("it is there").parse().expect("a number")
    }

    fn say_of_pod(&self, number: usize, ready: &str) {
        let pods = self.pods;
        let place = format!("pod-{}", pods.name(number));
        let mut environment = pods.manifest.environment(number);
        environment.insert("PATH".to_owned(), "/usr/sbin:/usr/bin:/sbin:/bin".to_owned());
        let container = serde_json::json!({ "enter": pods.enter(number), "environment": environment });
        self.say(&place, "container", &container.to_string());
        self.say(&place, ".metadata.labels.controller-revision-hash", self.revisions[number]);
        self.say(&place, READY, ready);
    }

    /// Whoever reads a field meanwhile has the old value or the new one.
    fn say(&self, object: &str, field: &str, value: &str) {
        let place = self.pods.path("cluster").join(object);
        fs::create_dir_all(&place).expect("it is writable");
        let (new, field) = (place.join("new"), place.join(field));
        fs::write(&new, value).and_then(|()| fs::rename(&new, &field)).expect("it is writable");
    }
}
