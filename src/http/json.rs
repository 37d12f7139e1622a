//! What answers say in JSON, written as it is made.

/// Writes bytes as a text where they are one, else as `{"base64": ...}`.
pub fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD as BASE64;
    match std::str::from_utf8(bytes) {
        Ok(text) => put_text(text, out),
        Err(_) => {
            out.extend_from_slice(b"{\"base64\":");
            put_text(&BASE64.encode(bytes), out);
            out.push(b'}');
        }
    }
}

/// Writes a text.
pub fn put_text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("memory takes all");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_texts_where_they_can_be() {
        for (bytes, expected) in
            [(&b"a\"\n\xc3\xa9"[..], "\"a\\\"\\n\u{e9}\""), (b"\xff", "{\"base64\":\"/w==\"}"), (b"", "\"\"")]
        {
            let mut out = Vec::new();
            put_bytes(bytes, &mut out);
            assert_eq!(String::from_utf8(out).expect("JSON is text"), expected);
        }
    }
}
