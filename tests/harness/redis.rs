//! Debian's Redis, whose answers are the reference.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};

use super::{Process, wait_for};

/// A Redis server that keeps nothing.
pub struct Redis {
    _process: Process,
    pub address: SocketAddr,
    _directory: tempfile::TempDir,
}

impl Redis {
    pub fn start() -> Redis {
        let directory = tempfile::tempdir().expect("there is a temporary directory");
        let free = TcpListener::bind("127.0.0.1:0").expect("there is a free port").local_addr().expect("it is bound");
        let mut command = Command::new("redis-server");
        command.args(["--port", &free.port().to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.args(["--enable-debug-command", "yes", "--databases", "16"]);
        command.current_dir(directory.path()).stdout(Stdio::null());
        let process = Process(command.spawn().expect("redis-server is installed: scripts/check.sh does that"));
        wait_for("Redis to listen", || TcpStream::connect(free).ok());
        Redis { _process: process, address: free, _directory: directory }
    }
}
