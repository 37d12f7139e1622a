//! Rules as words of a request or a file: where one ends, and those in parentheses, which may be several words.

/// The rules, those in parentheses as one each; else where a parenthesis is opened that nobody closes.
pub fn joined<'r>(words: &[&'r [u8]]) -> Result<Vec<Vec<u8>>, &'r [u8]> {
    let mut rules: Vec<Vec<u8>> = Vec::new();
    let mut open: Option<(&[u8], Vec<u8>)> = None;
    for &word in words {
        match &mut open {
            None if word.starts_with(b"(") && !word.ends_with(b")") => open = Some((word, word.to_vec())),
            None => rules.push(word.to_vec()),
            Some((_, rule)) => {
                rule.push(b' ');
                rule.extend_from_slice(word);
                if word.ends_with(b")") {
                    rules.extend(open.take().map(|(_, rule)| rule));
                }
            }
        }
    }
    open.map_or(Ok(rules), |(begin, _)| Err(begin))
}

/// Whether a user may be called so: a line of the ACL file has it as one word.
pub fn is_user_name(name: &[u8]) -> bool {
    !name.is_empty() && !name.iter().any(|&byte| is_space(byte))
}

/// What ends a word for C, a zero byte among it: no name and no pattern has it.
pub fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r' | 0)
}
