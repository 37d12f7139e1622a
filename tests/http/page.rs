//! The dashboard's files.

use std::collections::BTreeSet;

use kvstoreapp::auth::Password;
use kvstoreapp::node::Options;
use kvstoreapp::status::NodeStatus;

use crate::answers::{Answer, ask, place, place_with};
use crate::pure::options;

/// All files together: what a phone loads over a poor connection within a second.
const BYTES_MAX: usize = 100 << 10;

fn get(path: &str) -> Answer {
    let mut node = place_with(Options { password: Some(Password::of(b"top")), ..options() });
    ask(&mut node, 0, &format!("GET {path}"), "", b"")
}

/// The page and all that it names, and all that those name.
fn files() -> Vec<(String, Answer)> {
    let mut files: Vec<(String, Answer)> = Vec::new();
    let mut names = vec!["/".to_owned()];
    while let Some(name) = names.pop() {
        if files.iter().any(|(known, _)| *known == name) {
            continue;
        }
        let answer = get(&name);
        let text = answer.text();
        names.extend(text.split('"').filter(|part| part.starts_with("/page/")).map(str::to_owned));
        let beside = text.split('"').filter_map(|part| part.strip_prefix("./")).filter(|part| part.ends_with(".js"));
        names.extend(beside.map(|part| format!("/page/{part}")));
        files.push((name, answer));
    }
    files
}

#[test]
fn the_page_is_small_and_its_files_are_there_for_anybody() {
    let files = files();
    assert!(files.len() > 10, "{files:?}");
    for (name, answer) in &files {
        assert_eq!(answer.status, 200, "{name}");
        let kind = match name.rsplit('.').next().expect("there is a part") {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            _ => "text/html; charset=utf-8",
        };
        assert_eq!(answer.header("content-type"), Some(kind), "{name}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{name}");
    }
    let bytes: usize = files.iter().map(|(_, answer)| answer.body.len()).sum();
    println!("{} files, {bytes} bytes", files.len());
    assert!(bytes < BYTES_MAX, "{bytes}");
}

#[test]
fn every_file_of_the_page_is_used() {
    let served = files();
    let on_disk = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/node/http/page")).expect("it is there");
    for file in on_disk {
        let name = file.expect("it is readable").file_name().into_string().expect("text");
        let path = if name == "index.html" { "/".to_owned() } else { format!("/page/{name}") };
        assert!(served.iter().any(|(served, _)| *served == path), "{path} is asked for by nobody");
    }
}

#[test]
fn the_page_may_run_its_own_scripts_and_nothing_else() {
    let page = get("/");
    assert_eq!(
        page.header("content-security-policy"),
        Some(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action \
             'self'; base-uri 'none'; frame-ancestors 'none'"
        )
    );
    for (name, answer) in files() {
        let text = answer.text();
        for forbidden in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"] {
            assert!(!text.contains(forbidden), "{name}: {forbidden}");
        }
        let own = text.replace("http://www.w3.org/2000/svg", "");
        assert!(!own.contains("http://") && !own.contains("https://"), "{name} names another server");
        let is_inline = text.contains("<style") || text.contains(" style=\"") || text.contains("onclick=");
        assert!(!is_inline && text.matches("<script").count() == text.matches("<script type=\"module\" src=").count());
    }
}

#[test]
fn a_browser_asks_whether_a_file_is_what_it_was() {
    for path in ["/", "/page/app.js"] {
        let first = get(path);
        let tag = first.header("etag").expect("it has a tag");
        assert_eq!(first.header("cache-control"), Some("no-cache"));
        let mut node = place();
        let again = ask(&mut node, 0, &format!("GET {path}"), &format!("If-None-Match: {tag}\r\n"), b"");
        assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, Some(tag)));
        for header in ["content-security-policy", "referrer-policy", "cache-control"] {
            assert_eq!(again.header(header), first.header(header), "{path}: a browser keeps the later one");
        }
        let other = ask(&mut node, 0, &format!("GET {path}"), "If-None-Match: \"1\"\r\n", b"");
        assert_eq!((other.status, &other.body), (200, &first.body));
    }
    for path in ["/page/", "/page/nosuch.js", "/page/../openapi.json"] {
        assert_eq!(get(path).status, 404, "{path}");
    }
    assert_eq!(get("/?a=1").status, 400);
}

/// A field that nobody sends is not there, and nobody is told.
#[test]
fn what_the_page_reads_of_a_nodes_status_is_in_it() {
    let status = serde_json::to_value(NodeStatus::default()).expect("it has no keys but texts");
    let text = get("/page/verdict.js").text();
    let read: BTreeSet<&str> = text
        .split("now.")
        .skip(1)
        .filter_map(|rest| rest.split(|char: char| !char.is_ascii_alphanumeric() && char != '_').next())
        .collect();
    assert!(read.len() > 20, "{read:?}");
    read.iter().for_each(|name| assert!(status.get(name).is_some(), "{name}"));
}
