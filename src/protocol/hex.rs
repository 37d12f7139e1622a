//! Bytes as hexadecimal digits, two each: as hashes, digests and tokens are written.

/// In small letters.
pub fn written(bytes: &[u8]) -> String {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|half| char::from(DIGITS[usize::from(half)])).collect()
}

/// So many bytes, in letters of either kind; `None` where the text is none of them.
pub fn read<const BYTES: usize>(text: &[u8]) -> Option<[u8; BYTES]> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut bytes = [0; BYTES];
    if text.len() != 2 * BYTES {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(written(&[0, 0x9f, 0xa0, 0xff]), "009fa0ff");
        assert_eq!(read(b"009FA0ff"), Some([0, 0x9f, 0xa0, 0xff]));
        for wrong in ["009fa0f", "009fa0ff0", "009fa0fg", "+09fa0ff", ""] {
            assert_eq!(read::<4>(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
