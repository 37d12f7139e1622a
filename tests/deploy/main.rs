//! What the manifests below `scripts/deploy/kubernetes` come to, played with processes: a pod is a process with the
//! user, environment, files and host name that its manifest gives it, on a host of its own; kubelet is whoever asks the
//! manifest's probes. There is no Kubernetes in it: what that does with manifests is its own matter.

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../netns/hosts.rs"]
#[allow(dead_code, reason = "each test binary uses its own part")]
mod hosts;

mod growth;
mod load;
mod manifest;
mod pods;
mod rolling;
