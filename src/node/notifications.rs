//! Changes of keys as messages (keyspace notifications,
//! <https://redis.io/docs/latest/develop/pubsub/keyspace-notifications/>).

use crate::store::Database;

/// Which changes are told of: Redis' letters, `K` and `E` for the two kinds of channels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Notifications {
    pub(super) classes: String,
    /// Whether keys that are new are told of, and keys that a reader missed.
    pub(super) tells_new: bool,
    pub(super) tells_missed: bool,
}

/// Letters in the order Redis gives them back, and what `A` stands for.
const LETTERS: &str = "g$lshzxetdnKEm";
const ALL: &str = "g$lshzxetd";

impl Notifications {
    /// From a setting; `None` where it has other letters.
    pub(super) fn parse(text: &str) -> Option<Notifications> {
        let given = text.replace('A', ALL);
        if !given.chars().all(|letter| LETTERS.contains(letter)) {
            return None;
        }
        Some(Notifications {
            classes: LETTERS.chars().filter(|&letter| given.contains(letter)).collect(),
            tells_new: given.contains('n'),
            tells_missed: given.contains('m'),
        })
    }

    /// As a setting.
    pub(super) fn text(&self) -> String {
        if ALL.chars().all(|letter| self.classes.contains(letter)) {
            // Redis does not say `n` then, although it goes on telling.
            let rest = self.classes.chars().filter(|&letter| !ALL.contains(letter) && letter != 'n');
            return std::iter::once('A').chain(rest).collect();
        }
        self.classes.clone()
    }

    /// The channels that are told of an event of this class.
    pub(super) fn channels(
        &self,
        class: char,
        event: &str,
        database: Database,
        key: &[u8],
    ) -> [Option<(Vec<u8>, Vec<u8>)>; 2] {
        let wanted = |kind: char| self.classes.contains(class) && self.classes.contains(kind);
        let number = database.number();
        let by_key = || ([format!("__keyspace@{number}__:").as_bytes(), key].concat(), event.as_bytes().to_vec());
        let by_event = || (format!("__keyevent@{number}__:{event}").into_bytes(), key.to_vec());
        [wanted('K').then(by_key), wanted('E').then(by_event)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_back_as_redis_gives_them() {
        for (given, expected) in [
            ("", Some("")),
            ("KEA", Some("AKE")),
            ("Kx", Some("xK")),
            ("Ex$", Some("$xE")),
            ("KAnm", Some("AKm")),
            ("Kn", Some("nK")),
            ("y", None),
        ] {
            assert_eq!(Notifications::parse(given).map(|found| found.text()).as_deref(), expected, "{given}");
        }
    }
}
