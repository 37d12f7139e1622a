//! A node's id as the number at the end of its machine's name: `kvstoreapp-2` is node 2, as StatefulSets name pods.

use crate::store::NodeId;

/// The id that this machine's name ends with. An error is a sentence.
pub(super) fn own_id() -> Result<NodeId, String> {
    id_in(&rustix::system::uname().nodename().to_string_lossy())
}

/// The id that a machine's name ends with, before the first dot. An error is a sentence.
fn id_in(name: &str) -> Result<NodeId, String> {
    let host = name.split('.').next().unwrap_or_default();
    let number = &host[host.trim_end_matches(|char: char| char.is_ascii_digit()).len()..];
    number.parse().map_err(|_| match number {
        "" => format!(
            "--id-from-hostname: this machine is called {name}, which does not end in a number, as kvstoreapp-2 does; \
             --id=<n> says which node it is"
        ),
        _ => format!("--id-from-hostname: this machine is called {name}, and there is no node {number}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_at_the_end_is_the_id() {
        assert_eq!(id_in("kvstoreapp-2"), Ok(2));
        assert_eq!(id_in("kvstoreapp-12.kvstoreapp.default.svc.cluster.local"), Ok(12));
        assert_eq!(id_in("node007"), Ok(7));
        assert_eq!(id_in("3"), Ok(3));
    }

    #[test]
    fn a_name_without_one_is_a_mistake_that_is_explained() {
        let without = id_in("db-a.example7").expect_err("it ends in a letter");
        assert!(without.contains("db-a.example7") && without.contains("--id=<n>"), "{without}");
        assert!(id_in("").is_err());
        let beyond = id_in("db-99999").expect_err("so many there are not");
        assert!(beyond.contains("no node 99999"), "{beyond}");
    }
}
