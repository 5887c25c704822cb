//! Identifiers of entries: milliseconds and a number within the millisecond.

use std::fmt;

/// An identifier. Its text is `ms-seq`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// Milliseconds since the Unix epoch, by convention.
    pub ms: u64,
    /// Number within the millisecond.
    pub seq: u64,
}

/// Longest text that is looked at; longer ones are no identifiers.
const TEXT_MAX: usize = 127;
/// Two numbers of 20 digits and what is between them.
const BUFFER: usize = 41;

/// Room for the text of an identifier.
#[derive(Clone, Copy, Debug)]
pub struct IdText {
    bytes: [u8; BUFFER],
    len: usize,
}

impl IdText {
    /// The text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// What a text says of an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelled {
    /// Both numbers.
    Whole(Id),
    /// Milliseconds only.
    Millis(u64),
    /// `ms-*`: the number is to be chosen.
    Auto(u64),
}

impl Id {
    /// Before all others.
    pub const MIN: Self = Self { ms: 0, seq: 0 };
    /// Behind all others.
    pub const MAX: Self = Self { ms: u64::MAX, seq: u64::MAX };

    /// From both numbers.
    pub const fn new(ms: u64, seq: u64) -> Self {
        Self { ms, seq }
    }

    /// The one right behind.
    pub fn next(self) -> Option<Self> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(Self { seq, ..self }),
            None => Some(Self { ms: self.ms.checked_add(1)?, seq: 0 }),
        }
    }

    /// The one right before.
    pub fn prev(self) -> Option<Self> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(Self { seq, ..self }),
            None => Some(Self { ms: self.ms.checked_sub(1)?, seq: u64::MAX }),
        }
    }

    /// Reads `ms`, `ms-seq` or `ms-*`.
    pub fn parse(text: &[u8]) -> Option<Spelled> {
        if text.len() > TEXT_MAX {
            return None;
        }
        let Some(dash) = text.iter().position(|byte| *byte == b'-') else {
            return Some(Spelled::Millis(parse_number(text)?));
        };
        let ms = parse_number(&text[..dash])?;
        match &text[dash + 1..] {
            b"*" => Some(Spelled::Auto(ms)),
            seq => Some(Spelled::Whole(Self { ms, seq: parse_number(seq)? })),
        }
    }

    /// The text, without an allocation.
    pub fn text(self) -> IdText {
        let mut text = IdText { bytes: [0; BUFFER], len: 0 };
        let mut digits = itoa::Buffer::new();
        let mut add = |part: &[u8]| {
            text.bytes[text.len..text.len + part.len()].copy_from_slice(part);
            text.len += part.len();
        };
        add(digits.format(self.ms).as_bytes());
        add(b"-");
        add(digits.format(self.seq).as_bytes());
        text
    }

    /// As in files and trees of Redis: big endian, so that bytes sort as identifiers do.
    pub fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.ms) << 64 | u128::from(self.seq)).to_be_bytes()
    }

    /// Back from [`Id::to_bytes`].
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let (mut ms, mut seq) = ([0; 8], [0; 8]);
        ms.copy_from_slice(&bytes[..8]);
        seq.copy_from_slice(&bytes[8..]);
        Self { ms: u64::from_be_bytes(ms), seq: u64::from_be_bytes(seq) }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// Digits; as in Redis, white space and a plus may stand before them, and zeros.
fn parse_number(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii_start();
    let digits = text.strip_prefix(b"+").unwrap_or(text);
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    #[test]
    fn texts_are_read() {
        let check =
            |text: &str, expected| assert_eq!(Id::parse(text.as_bytes()), expected, "{text}");
        check("1-2", Some(Spelled::Whole(Id::new(1, 2))));
        check("7", Some(Spelled::Millis(7)));
        check("7-*", Some(Spelled::Auto(7)));
        check("007-01", Some(Spelled::Whole(Id::new(7, 1))));
        check("18446744073709551615-18446744073709551615", Some(Spelled::Whole(Id::MAX)));
        for text in ["", "-", "+", "1-", "-1", "1-2-3", "a", "1-**", "18446744073709551616", "1 -2"]
        {
            check(text, None);
        }
        check(&"0".repeat(128), None);
    }

    #[test]
    fn texts_and_bytes_come_back() {
        for id in [Id::MIN, Id::new(5, 0), Id::new(1_795_000_000_000, 12), Id::MAX] {
            assert_eq!(id.text().as_bytes(), id.to_string().as_bytes());
            assert_eq!(Id::parse(id.text().as_bytes()), Some(Spelled::Whole(id)));
            assert_eq!(Id::from_bytes(id.to_bytes()), id);
        }
    }

    #[test]
    fn neighbours_cross_milliseconds() {
        assert_eq!(Id::new(1, u64::MAX).next(), Some(Id::new(2, 0)));
        assert_eq!(Id::new(2, 0).prev(), Some(Id::new(1, u64::MAX)));
        assert_eq!((Id::MAX.next(), Id::MIN.prev()), (None, None));
    }
}
