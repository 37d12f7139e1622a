//! The dashboard in a browser.

use std::path::Path;
use std::process::Command;

use crate::harness::Server;

/// The browser, as distributions call it.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// More is in `scripts/dashboard.sh`.
#[test]
fn a_browser_shows_what_a_node_has_and_undoes_a_deletion() {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let mut found = BROWSERS.iter().flat_map(|name| std::env::split_paths(&paths).map(move |path| path.join(name)));
    let Some(browser) = found.find(|path| path.is_file()) else {
        println!("skipped: there is no chromium");
        return;
    };
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send(
        b"*5\r\n$3\r\nSET\r\n$28\r\n<img src=x onerror=alert(1)>\r\n$24\r\n<b class=alien>value</b>\r\n$2\r\nEX\r\n$4\r\n9000\r\n\
          *3\r\n$3\r\nSET\r\n$5\r\nbytes\r\n$3\r\n\x00\xff\xfe\r\n*3\r\n$3\r\nSET\r\n$5\r\ncolor\r\n$4\r\nblue\r\n",
    );
    for _ in 0..3 {
        assert_eq!(client.line(), "+OK\r");
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut node = Command::new("node");
    node.env("NODE_PATH", root.join("target/clients-node/node_modules")).env("NO_COLOR", "1").current_dir(root);
    node.args(["tests/http/clients/dashboard.cjs", &format!("http://{}", server.address)]).arg(browser);
    let output = node.output().expect("scripts/check.sh installs it");
    // A script that ends well has nothing to say.
    assert_eq!(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()), "");
    assert!(output.status.success());
}
