//! Which database the keys of a file are of.

use crate::tool::client::Client;
use crate::tool::client::reply::Reply;
use crate::tool::failure::Failure;

/// What is asked from here on is about this database.
pub(super) fn select(client: &mut Client, database: u8) -> Result<(), Failure> {
    if database == 0 {
        return Ok(());
    }
    match client.ask(&["SELECT", &database.to_string()], 1 << 10)? {
        Reply::Error(why) => Err(Failure::from(format!("the node refuses SELECT: {}", String::from_utf8_lossy(&why)))),
        _ => Ok(()),
    }
}
