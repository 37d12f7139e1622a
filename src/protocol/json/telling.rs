//! Changes, as who watches a prefix is told of them: an object each, whose fields are in the order of their names.
//!
//! There may be thousands a second for each of many who watch, so they are written as they are made.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::store::Change;

/// Writes a change.
pub fn tell(change: &Change<'_>, out: &mut Vec<u8>) {
    tell_short(change, usize::MAX, out);
}

/// The same; of a value that is longer than this there is how long it is.
pub fn tell_short(change: &Change<'_>, value_bytes_max: usize, out: &mut Vec<u8>) {
    let value = change.value.filter(|value| value.len() <= value_bytes_max);
    let text = value.map(std::str::from_utf8);
    out.push(b'{');
    if let Some(Err(_)) = text {
        out.extend_from_slice(b"\"encoding\":\"base64\",");
    }
    out.extend_from_slice(if change.value.is_some() { b"\"event\":\"set\"," } else { b"\"event\":\"delete\"," });
    out.extend_from_slice(b"\"key\":");
    match std::str::from_utf8(change.key) {
        Ok(key) => put_text(key, out),
        Err(_) => {
            put_base64(change.key, out);
            out.extend_from_slice(b",\"key_encoding\":\"base64\"");
        }
    }
    let (position, clock, node) = (change.position, change.stamp.clock, change.stamp.node);
    write!(out, ",\"position\":\"{position}\",\"stamp\":{{\"clock\":\"{clock}\",\"node\":{node}}}")
        .expect("memory takes all");
    match (change.value, text) {
        (None, _) => (),
        (Some(value), None) => write!(out, ",\"value_bytes\":{}", value.len()).expect("memory takes all"),
        (Some(_), Some(Ok(text))) => {
            out.extend_from_slice(b",\"value\":");
            put_text(text, out);
        }
        (Some(value), Some(Err(_))) => {
            out.extend_from_slice(b",\"value\":");
            put_base64(value, out);
        }
    }
    out.extend_from_slice(b"}\n");
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("memory takes all");
}

fn put_base64(bytes: &[u8], out: &mut Vec<u8>) {
    put_text(&BASE64.encode(bytes), out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Database, Stamp};

    fn told(key: &[u8], value: Option<&[u8]>) -> String {
        let stamp = Stamp { clock: 7, node: 2 };
        let change =
            Change { slot: 0, position: 5, stamp, database: Database::ZERO, key, value, shared: None, expiry: None };
        let mut out = Vec::new();
        tell_short(&change, 4, &mut out);
        String::from_utf8(out).expect("JSON is text")
    }

    #[test]
    fn a_change_is_an_object_whose_fields_are_in_order() {
        const MIDDLE: &str = r#","position":"5","stamp":{"clock":"7","node":2}"#;
        for (key, value, before, after) in [
            (&b"a\"\n"[..], Some(&b"1\\"[..]), r#""event":"set","key":"a\"\n""#, r#","value":"1\\""#),
            (b"a", None, r#""event":"delete","key":"a""#, ""),
            (b"a", Some(b"12345"), r#""event":"set","key":"a""#, r#","value_bytes":5"#),
            (
                b"\xff",
                Some(b"\xfe"),
                r#""encoding":"base64","event":"set","key":"/w==","key_encoding":"base64""#,
                r#","value":"/g==""#,
            ),
        ] {
            let said = told(key, value);
            assert_eq!(said, format!("{{{before}{MIDDLE}{after}}}\n"));
            let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&said).expect("it is JSON");
            assert!(object.keys().is_sorted());
        }
    }
}
