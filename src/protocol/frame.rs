//! Replies read back: what links to other servers, and tests, receive.
//!
//! Total on any bytes: garbage is an error with a position, nesting is bounded, and memory grows
//! with what has arrived and not with what was announced. A frame that is not complete is read
//! anew when more has come, so this is for answers that fit a few reads; the stream of a primary
//! goes through [`super::decode`].

use crate::base::limits::LINE_LEN_MAX;
use crate::base::number::parse_int;

/// How deep aggregates may nest. The deepest reply of the reference (COMMAND DOCS) has 12 levels.
const DEPTH_MAX: usize = 64;

/// Values for which room is made before they have arrived.
const RESERVED_MAX: usize = 64;

/// One value of either dialect.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// `+text`.
    Simple(Box<[u8]>),
    /// `-code text`, or `!`.
    Error(Box<[u8]>),
    /// `:number`.
    Int(i64),
    /// `$length`.
    Bulk(Box<[u8]>),
    /// `$-1`, `*-1` and `_`.
    Null,
    /// `*length`.
    Array(Vec<Frame>),
    /// `%pairs`.
    Map(Vec<(Frame, Frame)>),
    /// `~length`.
    Set(Vec<Frame>),
    /// `>length`.
    Push(Vec<Frame>),
    /// `,digits`.
    Double(f64),
    /// `#t` and `#f`.
    Boolean(bool),
    /// `(digits`.
    BigNumber(Box<[u8]>),
    /// `=length`, a three-letter format and a colon.
    Verbatim {
        /// `txt` or `mkd`.
        format: [u8; 3],
        /// The text behind the colon.
        text: Box<[u8]>,
    },
}

/// Bytes that are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at} of a reply")]
pub struct FrameError {
    /// What is wrong.
    pub what: &'static str,
    /// Where the line begins that is.
    pub at: usize,
}

/// Why a value was not read.
enum Stop {
    Incomplete,
    Wrong(FrameError),
}

impl Frame {
    /// The frame at the front of `buffer` and its length in bytes; `None` while it is incomplete.
    /// Attributes before it are passed over.
    pub fn parse(buffer: &[u8]) -> Result<Option<(Self, usize)>, FrameError> {
        let mut reader = Reader { buffer, at: 0 };
        match reader.frame(0) {
            Ok(frame) => Ok(Some((frame, reader.at))),
            Err(Stop::Incomplete) => Ok(None),
            Err(Stop::Wrong(error)) => Err(error),
        }
    }

    /// The text of a simple string, a bulk, an error or a verbatim string.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Simple(text)
            | Self::Error(text)
            | Self::Bulk(text)
            | Self::Verbatim { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The values of an array, a set or a push.
    pub fn as_slice(&self) -> Option<&[Self]> {
        match self {
            Self::Array(values) | Self::Set(values) | Self::Push(values) => Some(values),
            _ => None,
        }
    }

    /// Whether it is the simple string `text`, such as `OK`.
    pub fn is_simple(&self, text: &str) -> bool {
        matches!(self, Self::Simple(found) if **found == *text.as_bytes())
    }
}

struct Reader<'a> {
    buffer: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn frame(&mut self, depth: usize) -> Result<Frame, Stop> {
        let at = self.at;
        let line = self.line()?;
        let Some((mark, text)) = line.split_first() else { return Err(wrong("empty line", at)) };
        if depth > DEPTH_MAX {
            return Err(wrong("too deep nesting", at));
        }
        Ok(match mark {
            b'+' => Frame::Simple(text.into()),
            b'-' => Frame::Error(text.into()),
            b':' => Frame::Int(int(text, at)?),
            b'$' => self.bulk(text, at)?.map_or(Frame::Null, |bytes| Frame::Bulk(bytes.into())),
            b'!' => Frame::Error(self.bulk(text, at)?.unwrap_or_default().into()),
            b'=' => match self.bulk(text, at)? {
                Some([a, b, c, b':', text @ ..]) => {
                    Frame::Verbatim { format: [*a, *b, *c], text: text.into() }
                }
                _ => return Err(wrong("invalid verbatim string", at)),
            },
            b'*' => match length(text, at)? {
                Some(len) => Frame::Array(self.values(len, depth)?),
                None => Frame::Null,
            },
            b'~' => Frame::Set(self.counted(text, at, depth)?),
            b'>' => Frame::Push(self.counted(text, at, depth)?),
            b'%' => Frame::Map(self.pairs(text, at, depth)?),
            b'|' => {
                self.pairs(text, at, depth)?;
                // One level deeper, so that a chain of attributes is bounded as well.
                self.frame(depth + 1)?
            }
            b'_' if text.is_empty() => Frame::Null,
            b'#' if text == b"t" => Frame::Boolean(true),
            b'#' if text == b"f" => Frame::Boolean(false),
            b',' => Frame::Double(double(text).ok_or_else(|| wrong("invalid double", at))?),
            b'(' if is_integer(text) => Frame::BigNumber(text.into()),
            _ => return Err(wrong("invalid type or value", at)),
        })
    }

    /// The text up to CR LF, which are stepped over.
    fn line(&mut self) -> Result<&'a [u8], Stop> {
        let rest = &self.buffer[self.at..];
        let Some(len) = rest.iter().position(|byte| *byte == b'\r') else {
            let is_too_long = rest.len() > LINE_LEN_MAX;
            return Err(if is_too_long {
                wrong("too long line", self.at)
            } else {
                Stop::Incomplete
            });
        };
        match rest.get(len + 1) {
            Some(b'\n') => {
                self.at += len + 2;
                Ok(&rest[..len])
            }
            Some(_) => Err(wrong("CR without LF", self.at)),
            None => Err(Stop::Incomplete),
        }
    }

    /// The content of a bulk whose length was just read.
    fn bulk(&mut self, text: &[u8], at: usize) -> Result<Option<&'a [u8]>, Stop> {
        let Some(len) = length(text, at)? else { return Ok(None) };
        let rest = &self.buffer[self.at..];
        let behind = len.saturating_add(2);
        if rest.len() < behind {
            return Err(Stop::Incomplete);
        }
        if rest[len..behind] != *b"\r\n" {
            return Err(wrong("bulk without CR LF", at));
        }
        self.at += behind;
        Ok(Some(&rest[..len]))
    }

    fn counted(&mut self, text: &[u8], at: usize, depth: usize) -> Result<Vec<Frame>, Stop> {
        let len = length(text, at)?.ok_or_else(|| wrong("invalid length", at))?;
        self.values(len, depth)
    }

    fn values(&mut self, len: usize, depth: usize) -> Result<Vec<Frame>, Stop> {
        let mut values = Vec::with_capacity(len.min(RESERVED_MAX));
        for _ in 0..len {
            values.push(self.frame(depth + 1)?);
        }
        Ok(values)
    }

    fn pairs(&mut self, text: &[u8], at: usize, depth: usize) -> Result<Vec<(Frame, Frame)>, Stop> {
        let len = length(text, at)?.ok_or_else(|| wrong("invalid length", at))?;
        let mut pairs = Vec::with_capacity(len.min(RESERVED_MAX));
        for _ in 0..len {
            pairs.push((self.frame(depth + 1)?, self.frame(depth + 1)?));
        }
        Ok(pairs)
    }
}

/// A length; -1 is the absence of a value.
fn length(text: &[u8], at: usize) -> Result<Option<usize>, Stop> {
    match int(text, at)? {
        -1 => Ok(None),
        len => usize::try_from(len).map(Some).map_err(|_| wrong("invalid length", at)),
    }
}

fn int(text: &[u8], at: usize) -> Result<i64, Stop> {
    parse_int(text).ok_or_else(|| wrong("invalid integer", at))
}

/// `inf`, `-inf`, `nan` or digits.
fn double(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn is_integer(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

fn wrong(what: &'static str, at: usize) -> Stop {
    Stop::Wrong(FrameError { what, at })
}

/// For the fuzzer: whatever comes is read, refused, or waited for, and a frame doesn't depend on
/// what follows it.
#[doc(hidden)]
pub fn fuzz(data: &[u8]) {
    if let Ok(Some((_, len))) = Frame::parse(data) {
        assert!(matches!(Frame::parse(&data[..len]), Ok(Some((_, alone))) if alone == len));
        assert!(matches!(Frame::parse(&data[..len - 1]), Ok(None)));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use crate::protocol::reply::{Dialect, Output, Reply};
    use proptest::prelude::*;

    /// Says `frame` the way a command would.
    fn say(frame: &Frame, reply: &mut Reply<'_>) {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        match frame {
            Frame::Simple(bytes) => reply.simple(&text(bytes)),
            Frame::Error(bytes) => {
                reply.error(&crate::protocol::error::ReplyError::Text(text(bytes).into()));
            }
            Frame::Int(value) => reply.int(*value),
            Frame::Bulk(bytes) => reply.bulk(bytes),
            Frame::Null => reply.null(),
            Frame::Array(values) => {
                reply.array(values.len());
                for value in values {
                    say(value, reply);
                }
            }
            Frame::Set(values) => {
                reply.set(values.len());
                for value in values {
                    say(value, reply);
                }
            }
            Frame::Push(values) => {
                reply.push(values.len());
                for value in values {
                    say(value, reply);
                }
            }
            Frame::Map(pairs) => {
                reply.map(pairs.len());
                for (key, value) in pairs {
                    say(key, reply);
                    say(value, reply);
                }
            }
            Frame::Double(value) => reply.double(*value),
            Frame::Boolean(yes) => reply.boolean(*yes),
            Frame::BigNumber(digits) => reply.big_number(&text(digits)),
            Frame::Verbatim { format, text } => reply.verbatim(format, text),
        }
    }

    /// What is left of `frame` for a client that speaks RESP2.
    fn in_resp2(frame: Frame) -> Frame {
        let all = |values: Vec<Frame>| values.into_iter().map(in_resp2).collect();
        match frame {
            Frame::Array(values) | Frame::Set(values) | Frame::Push(values) => {
                Frame::Array(all(values))
            }
            Frame::Map(pairs) => {
                Frame::Array(all(pairs.into_iter().flat_map(|(key, value)| [key, value]).collect()))
            }
            Frame::Boolean(yes) => Frame::Int(i64::from(yes)),
            Frame::BigNumber(text) | Frame::Verbatim { text, .. } => Frame::Bulk(text),
            Frame::Double(value) => {
                let mut text = Vec::new();
                crate::base::number::format_double(value, &mut text);
                Frame::Bulk(text.into())
            }
            frame => frame,
        }
    }

    fn frame() -> impl Strategy<Value = Frame> {
        let text = || "[ -~]{0,9}".prop_map(|text| text.into_bytes().into_boxed_slice());
        let bytes = || prop::collection::vec(any::<u8>(), 0..9).prop_map(Vec::into_boxed_slice);
        let leaf = prop_oneof![
            text().prop_map(Frame::Simple),
            text().prop_map(Frame::Error),
            any::<i64>().prop_map(Frame::Int),
            bytes().prop_map(Frame::Bulk),
            Just(Frame::Null),
            prop::num::f64::ANY
                .prop_filter("NaN equals nothing", |value| !value.is_nan())
                .prop_map(Frame::Double),
            any::<bool>().prop_map(Frame::Boolean),
            "-?[0-9]{1,30}".prop_map(|text| Frame::BigNumber(text.into_bytes().into())),
            bytes().prop_map(|text| Frame::Verbatim { format: *b"txt", text }),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            let values = prop::collection::vec(inner.clone(), 0..5);
            prop_oneof![
                values.clone().prop_map(Frame::Array),
                values.clone().prop_map(Frame::Set),
                values.prop_map(Frame::Push),
                prop::collection::vec((inner.clone(), inner), 0..4).prop_map(Frame::Map),
            ]
        })
    }

    fn encode(frame: &Frame, dialect: Dialect) -> Vec<u8> {
        let mut out = Output::default();
        say(frame, &mut Reply::new(&mut out, dialect));
        out.slices().collect::<Vec<_>>().concat()
    }

    #[track_caller]
    fn check_refused(input: &str, what: &str, at: usize) {
        let error = Frame::parse(input.as_bytes()).unwrap_err();
        assert_eq!((error.what, error.at), (what, at), "{input:?}");
    }

    #[test]
    fn absent_values_are_one() {
        for text in ["$-1\r\n", "*-1\r\n", "_\r\n"] {
            assert_eq!(Frame::parse(text.as_bytes()), Ok(Some((Frame::Null, text.len()))));
        }
        assert_eq!(Frame::parse(b""), Ok(None));
    }

    #[test]
    fn attributes_are_passed_over() {
        let (frame, len) = Frame::parse(b"|1\r\n+ttl\r\n:1\r\n+OK\r\n+next\r\n").unwrap().unwrap();
        assert!(frame.is_simple("OK"));
        assert_eq!(len, 19);
    }

    #[test]
    fn garbage_is_refused_with_its_position() {
        check_refused("\r\n", "empty line", 0);
        check_refused("x\r\n", "invalid type or value", 0);
        check_refused("*2\r\n:1\r\n:x\r\n", "invalid integer", 8);
        check_refused("$-2\r\n", "invalid length", 0);
        check_refused("~-1\r\n", "invalid length", 0);
        check_refused("$1\r\nabc", "bulk without CR LF", 0);
        check_refused("=2\r\nab\r\n", "invalid verbatim string", 0);
        check_refused("+a\rb", "CR without LF", 0);
        check_refused("#x\r\n", "invalid type or value", 0);
        check_refused(",x\r\n", "invalid double", 0);
        check_refused("(\r\n", "invalid type or value", 0);
        check_refused(&"*1\r\n".repeat(DEPTH_MAX + 2), "too deep nesting", 4 * (DEPTH_MAX + 1));
        check_refused(&"|0\r\n".repeat(100_000), "too deep nesting", 4 * (DEPTH_MAX + 1));
        check_refused(&"+".repeat(LINE_LEN_MAX + 1), "too long line", 0);
    }

    #[test]
    fn announced_lengths_reserve_little() {
        assert_eq!(Frame::parse(b"*9223372036854775807\r\n"), Ok(None));
        assert_eq!(Frame::parse(b"$9223372036854775807\r\nabc"), Ok(None));
        assert_eq!(Frame::parse("%1000000000\r\n".repeat(30).as_bytes()), Ok(None));
    }

    proptest! {
        #[test]
        fn replies_read_back(frame in frame()) {
            let bytes = encode(&frame, Dialect::Resp3);
            fuzz(&bytes);
            prop_assert_eq!(Frame::parse(&bytes), Ok(Some((frame.clone(), bytes.len()))));
            let bytes = encode(&frame, Dialect::Resp2);
            prop_assert_eq!(Frame::parse(&bytes), Ok(Some((in_resp2(frame), bytes.len()))));
        }

        #[test]
        fn garbage_is_survived(
            lines in prop::collection::vec("[-+:$*%~>,#(=|_!]{0,2}[0-3a-c:]{0,3}(\r\n)?", 0..8),
            raw: Vec<u8>,
        ) {
            fuzz(lines.concat().as_bytes());
            fuzz(&raw);
        }
    }
}
