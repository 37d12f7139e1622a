//! The first line of a script, where it says what the script is: `#!lua flags=no-writes`.

/// What a script says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shebang {
    /// Whether it says anything.
    pub is_there: bool,
    /// It writes nothing.
    pub no_writes: bool,
    /// It may run where more memory is in use than allowed.
    pub allow_oom: bool,
}

impl Shebang {
    /// Reads it, and returns it with what follows its line; or why it is none, in Redis' words.
    pub(super) fn parse(text: &[u8]) -> Result<(Shebang, &[u8]), String> {
        if !text.starts_with(b"#!") {
            return Ok((Shebang::default(), text));
        }
        let Some(end) = text.iter().position(|&byte| byte == b'\n') else {
            return Err("ERR Invalid script shebang".to_owned());
        };
        let line = String::from_utf8_lossy(&text[..end]);
        let mut words = line.split_ascii_whitespace();
        let engine = words.next().unwrap_or_default();
        if engine != "#!lua" {
            return Err(format!("ERR Unexpected engine in script shebang: {engine}"));
        }
        let mut shebang = Shebang { is_there: true, ..Shebang::default() };
        for word in words {
            let Some(flags) = word.strip_prefix("flags=") else {
                return Err(format!("ERR Unknown lua shebang option: {word}"));
            };
            for flag in flags.split(',').filter(|flag| !flag.is_empty()) {
                match flag {
                    "no-writes" => shebang.no_writes = true,
                    "allow-oom" => shebang.allow_oom = true,
                    // There are no replicas and no slots that these would be about.
                    "allow-stale" | "no-cluster" | "allow-cross-slot-keys" => (),
                    _ => return Err(format!("ERR Unexpected flag in script shebang: {flag}")),
                }
            }
        }
        // With the end of the line, so that the lines after it keep their numbers.
        Ok((shebang, &text[end..]))
    }
}
