//! `/metrics`: every figure of the table is there once, under a name that keeps the rules, in slices of any length.

use kvstoreapp::metrics::statistic::Kind;
use kvstoreapp::node::encryption::{Certificate, ClientAuth, Tls, TlsFiles, TlsPolicy};
use kvstoreapp::node::exposition::{Cursor, Form, Page};
use kvstoreapp::node::options::CpuTime;
use kvstoreapp::node::statistics::{self, Exposed, Family, Statistic};
use kvstoreapp::node::{Node, Origin, Usage};

use crate::pure::{NOW, cluster, options, say, start};
use crate::scrape::{self, Families, find};

/// What no row tells before a peer has said how far it is.
pub const UNKNOWN_OF_STRANGERS: [&str; 4] =
    ["peer_clock_skew_ms", "peer_lag_changes_durable", "peer_lag_ms", "peer_lag_ms_durable"];

/// A node of three, which has answered this and that.
pub fn node() -> Node {
    let mut options = options();
    options.process.memory_bytes = Some(1 << 34);
    let subject = "CN=a \"b\"".to_owned();
    let certificate = Certificate { subject, ends_unix_s: 1_800_000_000, ..Certificate::default() };
    let (policy, client_auth) = (TlsPolicy::Optional, ClientAuth::No);
    options.tls = Some(Tls { policy, client_auth, user_from: None, files: TlsFiles::default(), certificate });
    let mut node = start(cluster(0, 3, 1), options, NOW);
    node.measure_by(|| {
        let process = CpuTime { user_us: 1_500_000, system_us: 250_000 };
        let (files, files_max) = (Some(9), Some(1_024));
        Some(Usage { process, resident_bytes: 4 << 20, files, files_max, ..Usage::default() })
    });
    node.begin_tick(NOW);
    node.open(0, Origin::Loopback, NOW).expect("one is not too many");
    for request in
        ["SET a b", "GET a", "GET none", "CONFIG GET maxmemory", "INCR a", "DEBUG ERROR A\"}\\B~no", "NOSUCH"]
    {
        ask(&mut node, request);
    }
    node.end_tick(0);
    node
}

/// A client asks for that, as Redis' clients do; `~` is a blank within a word.
fn ask(node: &mut Node, request: &str) {
    let words: Vec<String> = request.split(' ').map(|word| word.replace('~', " ")).collect();
    let parts = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
    say(node, 0, format!("*{}\r\n{}", words.len(), parts.collect::<String>()).as_bytes());
}

/// A page in slices of so many bytes.
fn page(node: &Node, page: Page, form: Form, bytes_max: usize) -> String {
    let mut whole = Vec::new();
    let mut cursor = Some(Cursor::default());
    while let Some(at) = cursor {
        let mut slice = Vec::new();
        cursor = node.expose(page, form, at, bytes_max, NOW, &mut slice);
        // A histogram, or a header and a figure, go beyond it.
        assert!(slice.len() <= bytes_max.saturating_add(4 << 10), "a slice of {} bytes", slice.len());
        assert!(!slice.is_empty() || cursor.is_none(), "each slice has something, or is the last");
        whole.append(&mut slice);
    }
    String::from_utf8(whole).expect("a page is text")
}

const FORMS: [(Form, bool); 2] = [(Form::Prometheus, false), (Form::OpenMetrics, true)];

pub fn own(node: &Node) -> Families {
    scrape::read(&page(node, Page::Own, Form::Prometheus, usize::MAX), false)
}

#[test]
fn pages_keep_the_rules_of_both_forms_and_are_the_same_in_slices() {
    let node = node();
    for which in [Page::Own, Page::Redis] {
        for (form, is_open) in FORMS {
            let whole = page(&node, which, form, usize::MAX);
            assert!(scrape::read(&whole, is_open).len() > 30, "there is much to tell");
            for bytes_max in [1, 100, 1_000, 16 << 10] {
                assert_eq!(page(&node, which, form, bytes_max), whole, "in slices of {bytes_max} bytes");
            }
        }
    }
}

/// How many figures a row has, by the members of its family.
fn members(node: &Families, statistic: &Statistic) -> usize {
    let states = match statistic.exposed {
        Exposed::States { states, .. } => states.len(),
        _ => 1,
    };
    let of = |name: &str, label: &str| {
        let family = &node[name];
        family.samples.iter().filter(|sample| sample.labels.iter().any(|(name, _)| name == label)).count()
    };
    states
        * match statistic.family() {
            None => 1,
            Some(Family::Phase) => 6,
            Some(Family::Peer) => 2,
            Some(Family::Database) => 1,
            Some(Family::Command) => of("kvstoreapp_command_calls_total", "command"),
            Some(Family::Error) => of("kvstoreapp_errors_total", "code"),
        }
}

#[test]
fn each_row_with_a_number_is_there_exactly_once() {
    let families = own(&node());
    let mut told = 0;
    for row in statistics::all().filter(|row| row.kind != Kind::Text) {
        let suffix = if row.kind == Kind::Counter { "_total" } else { "" };
        let name = row.family_name() + suffix;
        let is_unknown = UNKNOWN_OF_STRANGERS.contains(&row.name);
        assert_eq!(!families.contains_key(&name), is_unknown, "{} is {name}", row.name);
        let Some(family) = families.get(&name) else { continue };
        let is_part = |labels: &[(String, String)]| match row.exposed {
            Exposed::Part { label, value, .. } => labels.iter().any(|(name, said)| name == label && said == value),
            _ => true,
        };
        let count = family.samples.iter().filter(|sample| is_part(&sample.labels)).count();
        let expected = if row.kind == Kind::Histogram { 28 } else { members(&families, row) };
        assert_eq!(count, expected, "{} is {name}", row.name);
        told += count;
    }
    // And nothing else but texts as labels and states.
    let others = families.iter().filter(|(name, family)| {
        let is_state = family.samples[0].labels.iter().any(|(name, _)| ["state", "agreement"].contains(&name.as_str()));
        name.ends_with("_info") || is_state
    });
    let others: usize = others.map(|(_, family)| family.samples.len()).sum();
    assert_eq!(families.values().map(|family| family.samples.len()).sum::<usize>(), told + others);
}

#[test]
fn figures_say_what_happened_in_base_units() {
    let families = own(&node());
    for (name, labels, expected) in [
        ("kvstoreapp_command_calls_total", &[("command", "get")][..], 2.0),
        ("kvstoreapp_command_failed_total", &[("command", "incr")], 1.0),
        ("kvstoreapp_errors_total", &[("code", "A\"}\\B")], 1.0),
        ("kvstoreapp_lookups_total", &[("result", "miss")], 1.0),
        ("kvstoreapp_keys", &[], 1.0),
        ("kvstoreapp_cpu_seconds_total", &[("mode", "system")], 0.25),
        ("process_resident_memory_bytes", &[], 4_194_304.0),
        ("process_cpu_seconds_total", &[], 1.75),
        ("process_open_fds", &[], 9.0),
        ("process_max_fds", &[], 1_024.0),
        ("process_start_time_seconds", &[], 1_700_000_000.0),
        ("kvstoreapp_tls_certificate_until_timestamp_seconds", &[], 1_800_000_000.0),
        ("kvstoreapp_tls_certificate_info", &[("subject", "CN=a \"b\"")], 1.0),
        ("kvstoreapp_ticks_spent_seconds_total", &[("phase", "clients")], 0.0),
        ("kvstoreapp_peer_up", &[("peer", "1")], 0.0),
        ("kvstoreapp_peer_state", &[("peer", "2"), ("state", "waiting")], 1.0),
        ("kvstoreapp_peer_state", &[("peer", "2"), ("state", "linked")], 0.0),
        ("kvstoreapp_peer_info", &[("peer", "1"), ("address", "10.0.0.1:5000")], 1.0),
        ("kvstoreapp_build_info", &[("version", env!("CARGO_PKG_VERSION")), ("build", env!("KVSTOREAPP_BUILD"))], 1.0),
        ("kvstoreapp_tick_duration_seconds_count", &[], 1.0),
    ] {
        assert_eq!(find(&families, name, labels), Some(expected), "{name} {labels:?}");
    }
}

#[test]
fn what_a_peer_or_a_client_calls_itself_is_told_as_it_is_in_both_forms() {
    let node = node();
    for (form, is_open) in FORMS {
        let families = scrape::read(&page(&node, Page::Own, form, usize::MAX), is_open);
        assert_eq!(find(&families, "kvstoreapp_errors_total", &[("code", "A\"}\\B")]), Some(1.0));
    }
}

#[test]
fn a_figure_that_appears_between_two_slices_makes_none_come_twice() {
    let mut node = node();
    let mut whole = Vec::new();
    let mut cursor = Some(Cursor::default());
    let mut asked = 0;
    while let Some(at) = cursor {
        cursor = node.expose(Page::Own, Form::Prometheus, at, 200, NOW, &mut whole);
        // Commands and errors that come before those that are told, and after.
        let request =
            ["APPEND x y", "STRLEN x", "TTL x", "EXISTS x", "DEBUG ERROR AAA~x", "DEBUG ERROR ZZZ~x"][asked % 6];
        ask(&mut node, request);
        asked += 1;
        if asked == 50 {
            ask(&mut node, "CONFIG RESETSTAT");
        }
    }
    assert!(asked > 50, "{asked} slices");
    scrape::read(&String::from_utf8(whole).expect("a page is text"), false);
}

#[test]
fn the_names_of_redis_have_the_figures_that_info_has() {
    let node = node();
    for (form, is_open) in FORMS {
        let families = scrape::read(&page(&node, Page::Redis, form, usize::MAX), is_open);
        for (name, labels, expected) in [
            ("redis_up", &[][..], 1.0),
            ("redis_connected_clients", &[], 1.0),
            ("redis_commands_total", &[("cmd", "get")], 2.0),
            ("redis_commands_total", &[("cmd", "config|get")], 1.0),
            ("redis_latency_percentiles_usec_count", &[("cmd", "get")], 2.0),
            ("redis_latency_percentiles_usec", &[("cmd", "get"), ("quantile", "0.99")], 0.0),
            ("redis_db_keys", &[("db", "db0")], 1.0),
            ("redis_keyspace_hits_total", &[], 1.0),
            ("redis_cpu_sys_seconds_total", &[], 0.25),
            ("redis_errors_total", &[("err", "A\"}\\B")], 1.0),
            ("redis_rdb_last_bgsave_status", &[], 1.0),
            ("redis_aof_enabled", &[], 0.0),
            ("redis_instance_info", &[("role", "master"), ("tcp_port", "5000")], 1.0),
        ] {
            assert_eq!(find(&families, name, labels), Some(expected), "{name} {labels:?}");
        }
    }
}
