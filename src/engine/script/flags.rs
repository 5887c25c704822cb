//! What a script or function declares about itself, and the line in which it does.

use crate::protocol::error::ReplyError;

/// Declared properties.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ScriptFlags(u32);

impl ScriptFlags {
    /// Writes nothing.
    pub(super) const NO_WRITES: Self = Self(1);
    /// Runs even when memory is short.
    pub(super) const ALLOW_OOM: Self = Self(1 << 1);
    /// Runs on a replica that lost its primary.
    pub(super) const ALLOW_STALE: Self = Self(1 << 2);
    /// Doesn't run in a cluster.
    pub(super) const NO_CLUSTER: Self = Self(1 << 3);
    /// May touch keys of several slots.
    pub(super) const ALLOW_CROSS_SLOT_KEYS: Self = Self(1 << 4);

    /// Every flag under its name.
    pub(super) const NAMES: [(Self, &'static str); 5] = [
        (Self::NO_WRITES, "no-writes"),
        (Self::ALLOW_OOM, "allow-oom"),
        (Self::ALLOW_STALE, "allow-stale"),
        (Self::NO_CLUSTER, "no-cluster"),
        (Self::ALLOW_CROSS_SLOT_KEYS, "allow-cross-slot-keys"),
    ];

    /// The flag called `name`.
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| known.as_bytes() == name).map(|(flag, _)| *flag)
    }

    /// Whether `other` is declared.
    pub(super) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Declares `other` as well.
    pub(super) fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Names of what is declared.
    pub(super) fn names(self) -> Vec<&'static str> {
        Self::NAMES.iter().filter(|(flag, _)| self.has(*flag)).map(|(_, name)| *name).collect()
    }
}

/// The head of a script's text, if it has one, and the code behind it. The code begins with the
/// end of the line, so that lines keep their numbers. A zero byte before that is the text's end to
/// Redis, so it has no head.
pub(super) fn split_shebang(text: &[u8]) -> Option<(&[u8], &[u8])> {
    if !text.starts_with(b"#!") {
        return None;
    }
    let end = text.iter().position(|byte| matches!(byte, b'\n' | 0))?;
    if text[end] == 0 {
        return None;
    }
    Some((&text[..end], &text[end..]))
}

/// The words of a line; quotes as in requests, also amid a word. `None` when a quote does not end,
/// or ends amid a word.
pub(super) fn words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line.iter().copied().peekable();
    loop {
        while rest.next_if(u8::is_ascii_whitespace).is_some() {}
        if rest.peek().is_none() {
            return Some(words);
        }
        let mut word = Vec::new();
        while let Some(byte) = rest.next_if(|byte| !byte.is_ascii_whitespace()) {
            if !matches!(byte, b'"' | b'\'') {
                word.push(byte);
                continue;
            }
            loop {
                match rest.next()? {
                    b'\\' => word.push(rest.next()?),
                    quoted if quoted == byte => break,
                    quoted => word.push(quoted),
                }
            }
            if rest.peek().is_some_and(|byte| !byte.is_ascii_whitespace()) {
                return None;
            }
        }
        words.push(word);
    }
}

/// What EVAL's text declares, and its code; `None` for a text that declares nothing.
pub(super) fn of_script(text: &[u8]) -> Result<(Option<ScriptFlags>, &[u8]), ReplyError> {
    if !text.starts_with(b"#!") {
        return Ok((None, text));
    }
    let Some((head, code)) = split_shebang(text) else {
        return Err(ReplyError::Fixed("ERR Invalid script shebang"));
    };
    let said = |what: &str, word: &[u8]| {
        ReplyError::Bytes([format!("ERR {what}: ").as_bytes(), word].concat().into())
    };
    let words = words(head).ok_or(ReplyError::Fixed("ERR Invalid engine in script shebang"))?;
    let Some((engine, options)) = words.split_first() else {
        return Err(ReplyError::Fixed("ERR Invalid engine in script shebang"));
    };
    if engine != b"#!lua" {
        return Err(said("Unexpected engine in script shebang", engine));
    }
    let mut flags = ScriptFlags::default();
    for option in options {
        let Some(list) = option.strip_prefix(b"flags=") else {
            return Err(said("Unknown lua shebang option", option));
        };
        if list.is_empty() {
            continue;
        }
        for name in list.split(|byte| *byte == b',') {
            let flag = ScriptFlags::named(name)
                .ok_or_else(|| said("Unexpected flag in script shebang", name))?;
            flags.add(flag);
        }
    }
    Ok((Some(flags), code))
}
