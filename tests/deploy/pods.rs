//! Pods as processes. Each has a host (a network namespace), a root file system that it cannot write to, the volumes of
//! its manifest, a host name, and a user without any capability. Names are lines of a file of hosts that all pods have,
//! and that has a pod's name while it runs: with the address that this pod has, which is another one after it was
//! replaced.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::harness::{Process, wait_for};
use crate::hosts::Network;
use crate::manifest::{Manifest, Probe};

/// What a container begins with: its root, made of what the programs of this machine need, and nothing else in it.
const CONTAINER: &str = r#"
    mount -t tmpfs -o mode=755 root "$ROOT"
    cd "$ROOT"
    mkdir -p proc dev etc usr ".$CONFIG_PATH" ".$DATA_PATH"
    for part in usr bin sbin lib lib64; do
        if [ -L "/$part" ]; then cp -P "/$part" .; elif [ -d "/$part" ]; then mkdir -p $part; mount --bind "/$part" $part; fi
    done
    mount --rbind /proc proc
    mount --rbind /dev dev
    echo 'hosts: files' >etc/nsswitch.conf
    touch kvstoreapp etc/hosts
    mount --bind "$BINARY" kvstoreapp
    mount --bind "$HOSTS" etc/hosts
    mount --bind "$CONFIG" ".$CONFIG_PATH"
    mount -o remount,ro,bind ".$CONFIG_PATH"
    mount --bind "$DATA" ".$DATA_PATH"
    mount -o remount,ro .
    hostname "$NAME"
    unset ROOT BINARY HOSTS CONFIG DATA CONFIG_PATH DATA_PATH NAME OLDPWD PWD
    exec chroot . "$@"
"#;

/// All pods of a StatefulSet, and what they have in common.
pub struct Pods {
    pub manifest: Manifest,
    pub network: Network,
    /// Volumes, by pod and of all; the file of hosts; what pods say.
    pub directory: TempDir,
    running: Mutex<BTreeMap<usize, Pod>>,
    /// The host that the next pod gets: none gets one that another has had.
    next_host: Mutex<usize>,
}

struct Pod {
    process: Process,
    host: usize,
}

impl Pods {
    /// None yet, and so many hosts for them; beside these one that has no pod, from which they are asked.
    pub fn none(overlay: &str, hosts: usize) -> Option<Pods> {
        let network = Network::of_hosts(hosts + 1)?;
        let directory = tempfile::tempdir().expect("there is a temporary directory");
        // Others than root have to come through.
        fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).expect("it is ours");
        let manifest = Manifest::of(overlay);
        let pods = Pods { manifest, network, directory, running: Mutex::default(), next_host: Mutex::new(1) };
        fs::write(pods.path("hosts"), "").expect("it is writable");
        fs::create_dir(pods.path("config")).expect("it is writable");
        Some(pods)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Puts files into the volume `config` as kubelet does: into a directory beside the one before, and a link to it is
    /// exchanged.
    pub fn put_config(&self, files: &[(String, Vec<u8>)]) {
        let (volume, (_, _, group)) = (self.path("config"), self.manifest.user());
        let count = fs::read_dir(&volume).expect("it is there").count();
        let fresh = format!("..{count}");
        for (path, content) in files {
            let place = volume.join(&fresh).join(path);
            fs::create_dir_all(place.parent().expect("it has one")).expect("it is writable");
            fs::write(&place, content).expect("it is writable");
            chown(&place, Some(0), Some(group)).expect("root may");
            fs::set_permissions(&place, PermissionsExt::from_mode(self.manifest.file_mode())).expect("root may");
        }
        symlink(&fresh, volume.join("..data_tmp")).expect("it is writable");
        fs::rename(volume.join("..data_tmp"), volume.join("..data")).expect("it is writable");
        for (path, _) in files {
            let first = Path::new(path).iter().next().expect("it has a name");
            // A link that is there leads to what is new.
            let _ = symlink(Path::new("..data").join(first), volume.join(first));
        }
    }

    /// Starts a pod, which has what the one before it of this number had on its disk.
    pub fn start(&self, number: usize) {
        let host = {
            let mut next = self.next_host.lock().expect("nobody panics");
            *next += 1;
            *next - 1
        };
        let (user, group, volumes) = self.manifest.user();
        let (root, data) = (self.path(&format!("root-{number}")), self.path(&format!("data-{number}")));
        fs::create_dir_all(&root).expect("it is writable");
        fs::create_dir_all(&data).expect("it is writable");
        chown(&data, Some(0), Some(volumes)).expect("root may");
        fs::set_permissions(&data, PermissionsExt::from_mode(0o2775)).expect("root may");
        let log = File::options().create(true).append(true).open(self.log(number)).expect("it is writable");
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.network.host(host), "unshare", "--mount", "--uts"]);
        command.args(["sh", "-ec", CONTAINER, "sh", "/usr/bin/setpriv"]).args(drop_to(user, group, volumes));
        command.arg("/kvstoreapp").env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.envs(self.manifest.environment(number));
        command.env("ROOT", root).env("HOSTS", self.path("hosts")).env("NAME", self.name(number));
        command.env("CONFIG", self.path("config")).env("CONFIG_PATH", self.manifest.mount_path("config"));
        command.env("DATA", data).env("DATA_PATH", self.manifest.mount_path("data"));
        command.env("BINARY", env!("CARGO_BIN_EXE_kvstoreapp"));
        command.stdin(Stdio::null()).stderr(log.try_clone().expect("it is open")).stdout(log);
        let process = Process(command.spawn().expect("there is ip"));
        self.running.lock().expect("nobody panics").insert(number, Pod { process, host });
        self.tell_names();
    }

    /// Ends a pod as kubelet does, and says whether it did so by itself, well, and in time.
    pub fn stop(&self, number: usize) -> bool {
        let mut pod = self.running.lock().expect("nobody panics").remove(&number).expect("it runs");
        self.tell_names();
        let pid = Pid::from_raw(pod.process.id().cast_signed()).expect("a process id");
        kill_process(pid, Signal::TERM).expect("the process is ours");
        let begun = Instant::now();
        let status = wait_for("the pod to end", || pod.process.try_wait().expect("it is ours"));
        status.success() && begun.elapsed() < Duration::from_secs(self.manifest.grace_s())
    }

    pub fn name(&self, number: usize) -> String {
        format!("{}-{number}", self.manifest.name())
    }

    /// Where it is now, where it runs.
    pub fn address(&self, number: usize) -> Option<SocketAddr> {
        let running = self.running.lock().expect("nobody panics");
        running.get(&number).map(|pod| self.network.address(pod.host))
    }

    pub fn pid(&self, number: usize) -> u32 {
        self.running.lock().expect("nobody panics")[&number].process.id()
    }

    /// Whether a pod's probe of this name is answered as kubelet wants it.
    pub fn passes(&self, number: usize, probe: &str) -> bool {
        self.is_fine(number, &self.manifest.probe(probe))
    }

    /// Waits until a pod has started and takes clients.
    pub fn wait_until_ready(&self, number: usize) {
        for probe in ["startupProbe", "readinessProbe"] {
            wait_for(&format!("the {probe} of {}: {}", self.name(number), self.log(number).display()), || {
                assert!(self.is_running(number), "{}", fs::read_to_string(self.log(number)).unwrap_or_default());
                self.passes(number, probe).then_some(())
            });
        }
    }

    /// Waits until every one of these nodes says that all are linked and agree.
    pub fn wait_until_all_agree(&self, count: usize) {
        for number in 0..count {
            wait_for(&format!("{} to agree with all", self.name(number)), || {
                self.get(number, "/readyz?strict").is_some_and(|(code, _)| code == 200).then_some(())
            });
        }
    }

    /// What `GET` of this path is answered: code and body.
    pub fn get(&self, number: usize, path: &str) -> Option<(u16, String)> {
        let Probe { scheme, timeout_s, .. } = self.manifest.probe("readinessProbe");
        self.ask(number, &Probe { scheme, path: path.to_owned(), timeout_s })
    }

    /// Works on the host that has no pod.
    pub fn outside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.network.on(0, work)
    }

    /// The words before a command that is to run in the pod's container, as `kubectl exec` has it.
    pub fn enter(&self, number: usize) -> Vec<String> {
        let (user, group, volumes) = self.manifest.user();
        let pid = self.pid(number).to_string();
        let enter = ["nsenter", "--target", &pid, "--mount", "--net", "--uts", "--root", "--wd", "/usr/bin/setpriv"];
        enter.map(str::to_owned).into_iter().chain(drop_to(user, group, volumes)).collect()
    }

    fn is_running(&self, number: usize) -> bool {
        let mut running = self.running.lock().expect("nobody panics");
        running.get_mut(&number).is_some_and(|pod| pod.process.try_wait().expect("it is ours").is_none())
    }

    fn log(&self, number: usize) -> PathBuf {
        self.path(&format!("log-{number}"))
    }

    fn is_fine(&self, number: usize, probe: &Probe) -> bool {
        self.ask(number, probe).is_some_and(|(code, _)| (200..400).contains(&code))
    }

    /// Asks as kubelet does: it looks at no certificate.
    fn ask(&self, number: usize, probe: &Probe) -> Option<(u16, String)> {
        let url = format!("{}://{}{}", probe.scheme, self.address(number)?, probe.path);
        let patience = probe.timeout_s.to_string();
        let arguments =
            ["--silent", "--insecure", "--noproxy", "*", "--max-time", &patience, "--write-out", "\n%{http_code}"];
        let output = self.outside(|| Command::new("curl").args(arguments).arg(&url).output().expect("there is curl"));
        let text = String::from_utf8(output.stdout).expect("it is text");
        let (body, code) = text.rsplit_once('\n')?;
        output.status.success().then(|| (code.parse().expect("a number"), body.to_owned()))
    }

    /// Names of pods that run, each with its address. The file stays the same one: pods have it in their places.
    fn tell_names(&self) {
        let running = self.running.lock().expect("nobody panics");
        let lines = running.iter().map(|(&number, pod)| {
            format!("{} {}\n", self.network.address(pod.host).ip(), self.manifest.dns_name(number))
        });
        fs::write(self.path("hosts"), lines.collect::<String>()).expect("it is writable");
    }
}

/// What `setpriv` is told so that what it runs is this user, and can never be more.
fn drop_to(user: u32, group: u32, volumes: u32) -> Vec<String> {
    vec![
        format!("--reuid={user}"),
        format!("--regid={group}"),
        format!("--groups={volumes}"),
        "--bounding-set=-all".to_owned(),
        "--inh-caps=-all".to_owned(),
        "--no-new-privs".to_owned(),
    ]
}
