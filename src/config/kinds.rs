//! Kinds of values: how a text becomes one and how it is printed, with Redis's wording.

use std::borrow::Cow;
use std::fmt;

use super::row::Row;
use super::words;
use crate::base::number::parse_int;

/// Why a value is refused, as the user reads it.
pub type Refusal = Cow<'static, str>;

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The environment, below everything else.
    Environment,
    /// A file, standard input or the command line: later lines may add to earlier ones.
    File,
    /// CONFIG SET: the value is replaced.
    Command,
}

/// A value of a directive.
pub trait Setting: Clone + PartialEq {
    /// Whether it takes several words.
    const SEVERAL: bool = false;

    /// Takes what `words` say; without [`Setting::SEVERAL`] there is exactly one.
    fn assign(&mut self, words: &[&[u8]], row: &Row, source: Source) -> Result<(), Refusal>;

    /// As CONFIG GET prints it.
    fn text(&self) -> Vec<u8>;

    /// As lines of a file, each without the name.
    fn lines(&self) -> Vec<Vec<u8>> {
        vec![self.text()]
    }

    /// The values it takes, for documentation.
    fn syntax(row: &Row) -> String;
}

/// The only word of a value that takes one.
fn single<'a>(words: &[&'a [u8]]) -> Result<&'a [u8], Refusal> {
    match words {
        [one] => Ok(one),
        _ => Err("wrong number of arguments".into()),
    }
}

fn out_of_range(min: impl fmt::Display, max: impl fmt::Display) -> Refusal {
    format!("argument must be between {min} and {max} inclusive").into()
}

/// Checks bounds, then moves the number into the pinned ones.
fn within(value: i128, row: &Row, (min, max): (i128, i128)) -> Result<i128, Refusal> {
    let (min, max) = row.range.unwrap_or((min, max));
    if value < min || value > max {
        return Err(out_of_range(min, max));
    }
    Ok(row.pinned.map_or(value, |(low, high)| value.clamp(low, high)))
}

impl Setting for bool {
    fn assign(&mut self, words: &[&[u8]], _row: &Row, _source: Source) -> Result<(), Refusal> {
        let word = single(words)?;
        *self = if word.eq_ignore_ascii_case(b"yes") {
            true
        } else if word.eq_ignore_ascii_case(b"no") {
            false
        } else {
            return Err("argument must be 'yes' or 'no'".into());
        };
        Ok(())
    }

    fn text(&self) -> Vec<u8> {
        if *self { b"yes".to_vec() } else { b"no".to_vec() }
    }

    fn syntax(_row: &Row) -> String {
        "yes | no".into()
    }
}

macro_rules! integer_settings {
    ($($type:ty: $min:expr, $max:expr;)*) => { $(
        impl Setting for $type {
            fn assign(&mut self, words: &[&[u8]], row: &Row, _: Source) -> Result<(), Refusal> {
                let value = parse_int(single(words)?)
                    .ok_or("argument couldn't be parsed into an integer")?;
                let bounds = (i128::from($min), i128::from($max));
                let value = within(i128::from(value), row, bounds)?;
                *self = Self::try_from(value).map_err(|_| out_of_range($min, $max))?;
                Ok(())
            }

            fn text(&self) -> Vec<u8> {
                self.to_string().into_bytes()
            }

            fn syntax(row: &Row) -> String {
                let (min, max) = row.range.unwrap_or((i128::from($min), i128::from($max)));
                if max >= i128::from(i64::MAX) && min > i128::from(i64::MIN) {
                    format!("integer from {min}")
                } else {
                    format!("integer from {min} to {max}")
                }
            }
        }
    )* };
}

// Without a row's own range, 32-bit numbers stay within what Redis keeps in an `int`.
integer_settings! {
    u8: 0_u8, u8::MAX;
    u16: 0_u16, u16::MAX;
    u32: 0_u32, i32::MAX;
    u64: 0_u64, i64::MAX;
    i32: i32::MIN, i32::MAX;
    i64: i64::MIN, i64::MAX;
}

/// Bytes of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Memory(pub u64);

impl Memory {
    /// So many KiB.
    pub const fn kib(count: u64) -> Self {
        Self(count << 10)
    }

    /// So many MiB.
    pub const fn mib(count: u64) -> Self {
        Self(count << 20)
    }
}

/// Bytes from `10`, `10k` (1000), `10kb` (1024) and so on up to `gb`; saturates. The empty text is
/// zero, as in Redis.
pub fn memory(word: &[u8]) -> Option<u64> {
    let digits = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let unit: u64 = match word[digits..].to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1_000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    let count = word[..digits].iter().fold(0_u64, |count, digit| {
        count.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
    });
    Some(count.saturating_mul(unit))
}

/// The shortest way to write so many bytes in a file.
pub(super) fn memory_text(bytes: u64) -> String {
    for (unit, shift) in [("gb", 30), ("mb", 20), ("kb", 10)] {
        let count = bytes >> shift;
        if count > 0 && count << shift == bytes {
            return format!("{count}{unit}");
        }
    }
    bytes.to_string()
}

const MEMORY_BOUNDS: (i128, i128) = (0, i64::MAX as i128);

impl Setting for Memory {
    fn assign(&mut self, words: &[&[u8]], row: &Row, _source: Source) -> Result<(), Refusal> {
        let bytes = memory(single(words)?).ok_or("argument must be a memory value")?;
        let bytes = within(i128::from(bytes), row, MEMORY_BOUNDS)?;
        self.0 = u64::try_from(bytes).map_err(|_| out_of_range(0, u64::MAX))?;
        Ok(())
    }

    fn text(&self) -> Vec<u8> {
        self.0.to_string().into_bytes()
    }

    fn lines(&self) -> Vec<Vec<u8>> {
        vec![memory_text(self.0).into_bytes()]
    }

    fn syntax(row: &Row) -> String {
        match row.range {
            Some((min, _)) if min > 0 => format!("bytes, at least {min}; units k kb m mb g gb"),
            _ => "bytes; units k kb m mb g gb".into(),
        }
    }
}

/// Bytes of memory, or -1 for no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryOrUnbounded(pub Option<u64>);

impl Setting for MemoryOrUnbounded {
    fn assign(&mut self, words: &[&[u8]], _row: &Row, _source: Source) -> Result<(), Refusal> {
        let word = single(words)?;
        self.0 = match (parse_int(word), memory(word)) {
            (Some(-1), _) => None,
            (Some(..-1), _) => return Err(out_of_range(-1, i64::MAX)),
            (_, Some(bytes)) if i64::try_from(bytes).is_ok() => Some(bytes),
            (_, Some(_)) => return Err(out_of_range(-1, i64::MAX)),
            (_, None) => return Err("argument must be a memory value".into()),
        };
        Ok(())
    }

    fn text(&self) -> Vec<u8> {
        self.0.map_or_else(|| "-1".into(), |bytes| bytes.to_string()).into_bytes()
    }

    fn lines(&self) -> Vec<Vec<u8>> {
        vec![self.0.map_or_else(|| "-1".into(), memory_text).into_bytes()]
    }

    fn syntax(_row: &Row) -> String {
        "bytes, or -1 for no bound; units k kb m mb g gb".into()
    }
}

/// Bytes of memory, or a share of `maxmemory`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryOrPercent {
    /// Bytes; 0 is none.
    Bytes(u64),
    /// Percent of `maxmemory`, 1 to 100.
    Percent(u8),
}

impl MemoryOrPercent {
    /// Bytes under the given `maxmemory`; `None` when there is no bound.
    pub fn bytes(self, maxmemory: Memory) -> Option<u64> {
        match self {
            Self::Bytes(0) => None,
            Self::Bytes(bytes) => Some(bytes),
            Self::Percent(_) if maxmemory.0 == 0 => None,
            Self::Percent(percent) => {
                u64::try_from(u128::from(maxmemory.0) * u128::from(percent) / 100).ok()
            }
        }
    }
}

impl Setting for MemoryOrPercent {
    fn assign(&mut self, words: &[&[u8]], _row: &Row, _source: Source) -> Result<(), Refusal> {
        const FORM: &str = "argument must be a memory or percent value";
        let word = single(words)?;
        *self = if let Some(digits) = word.strip_suffix(b"%") {
            match parse_int(digits).ok_or(FORM)? {
                101.. => return Err("percentage argument must be less or equal to 100".into()),
                0 => Self::Bytes(0),
                percent => Self::Percent(u8::try_from(percent).map_err(|_| FORM)?),
            }
        } else {
            Self::Bytes(memory(word).ok_or(FORM)?)
        };
        Ok(())
    }

    fn text(&self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes.to_string().into_bytes(),
            Self::Percent(percent) => format!("{percent}%").into_bytes(),
        }
    }

    fn lines(&self) -> Vec<Vec<u8>> {
        match self {
            Self::Bytes(bytes) => vec![memory_text(*bytes).into_bytes()],
            Self::Percent(_) => vec![self.text()],
        }
    }

    fn syntax(_row: &Row) -> String {
        "bytes, or percent of maxmemory such as 5%; units k kb m mb g gb".into()
    }
}

/// Permission bits, written in octal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Octal(pub u32);

impl Setting for Octal {
    fn assign(&mut self, words: &[&[u8]], _row: &Row, _source: Source) -> Result<(), Refusal> {
        const FORM: &str = "argument couldn't be parsed as an octal number";
        let word = single(words)?;
        let text = std::str::from_utf8(word).map_err(|_| FORM)?;
        let text = if text.is_empty() { "0" } else { text };
        let bits = i64::from_str_radix(text, 8).map_err(|_| FORM)?;
        self.0 = u32::try_from(bits)
            .ok()
            .filter(|&bits| bits <= 0o777)
            .ok_or_else(|| out_of_range(0, 777))?;
        Ok(())
    }

    fn text(&self) -> Vec<u8> {
        format!("{:o}", self.0).into_bytes()
    }

    fn syntax(_row: &Row) -> String {
        "octal from 0 to 777".into()
    }
}

impl Setting for String {
    fn assign(&mut self, words: &[&[u8]], row: &Row, _source: Source) -> Result<(), Refusal> {
        let text =
            std::str::from_utf8(single(words)?).map_err(|_| "argument must be valid UTF-8")?;
        if let Some(check) = row.check {
            check(text).map_err(|why| why.replace("{name}", row.name))?;
        }
        text.clone_into(self);
        Ok(())
    }

    fn text(&self) -> Vec<u8> {
        self.clone().into_bytes()
    }

    fn lines(&self) -> Vec<Vec<u8>> {
        vec![words::quote(self.as_bytes())]
    }

    fn syntax(_row: &Row) -> String {
        "text".into()
    }
}

/// A text that must not be shown: `Debug` hides it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

impl Secret {
    /// Whether none was given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "Secret(none)" } else { "Secret(redacted)" })
    }
}

impl Setting for Secret {
    fn assign(&mut self, words: &[&[u8]], _row: &Row, _source: Source) -> Result<(), Refusal> {
        self.0 = single(words)?.to_vec();
        Ok(())
    }

    fn text(&self) -> Vec<u8> {
        self.0.clone()
    }

    fn lines(&self) -> Vec<Vec<u8>> {
        vec![words::quote(&self.0)]
    }

    fn syntax(_row: &Row) -> String {
        "text, kept secret".into()
    }
}
