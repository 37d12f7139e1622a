//! From three nodes to five, with the overlay for trying it: the ConfigMap first, then the replicas.

use serde_json::{Value, json};

use crate::harness::wait_for;
use crate::load::{Access, missing};
use crate::pods::Pods;

const OPEN: Access = Access { login: None, authority: None };

#[test]
fn a_changed_config_map_is_noticed_and_two_more_pods_become_nodes() {
    let Some(pods) = Pods::none("try", 5) else { return };
    let config = pods.manifest.config_file();
    pods.put_config(&[("node_config.json".to_owned(), config.clone().into_bytes())]);
    let before = pods.manifest.replicas();
    (0..before).for_each(|number| pods.start(number));
    (0..before).for_each(|number| pods.wait_until_ready(number));
    pods.wait_until_all_agree(before);
    let keys: Vec<(String, String)> = (0..300).map(|number| (format!("key{number}"), number.to_string())).collect();
    pods.outside(|| {
        let mut connection = OPEN.connect(&pods, 0).expect("the pod takes clients");
        let mut set = redis::cmd("MSET");
        for (key, value) in &keys {
            set.arg(key).arg(value);
        }
        set.query::<()>(&mut connection).expect("it is answered");
    });
    let processes: Vec<u32> = (0..before).map(|number| pods.pid(number)).collect();

    // The ConfigMap: nodes know of the new ones, which nobody can reach and whose names nobody knows yet.
    let mut nodes: Vec<Value> = serde_json::from_str(&config).expect("it is JSON");
    let after = before + 2;
    nodes.extend((before..after).map(|number| json!({ "ip": pods.manifest.dns_name(number), "port": 5000 })));
    pods.put_config(&[("node_config.json".to_owned(), serde_json::to_vec(&nodes).expect("it is JSON"))]);
    for number in 0..before {
        wait_for("a node to notice the new ConfigMap", || {
            assert!(pods.passes(number, "readinessProbe"), "a peer that is not there takes no node out of service");
            let (code, text) = pods.get(number, "/readyz?strict&verbose")?;
            (code == 503 && text.contains(&format!("node {}", after - 1))).then_some(())
        });
    }

    // The replicas.
    (before..after).for_each(|number| pods.start(number));
    (0..after).for_each(|number| pods.wait_until_ready(number));
    pods.wait_until_all_agree(after);
    for number in 0..after {
        let lost = missing(&pods, number, &OPEN, keys.iter().map(|(key, value)| (key, value)));
        assert_eq!(lost, Vec::<String>::new(), "{}", pods.name(number));
    }
    let restarted = (0..before).filter(|&number| pods.pid(number) != processes[number]).count();
    assert_eq!(restarted, 0);
}
