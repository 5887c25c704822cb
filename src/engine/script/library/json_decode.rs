//! JSON as values, with the complaints of lua-cjson.

use mlua::{Lua, Table, Value};

use super::DEPTH_MAX;
use super::json::Settings;
use crate::engine::script::native::unlimited;

/// Reads a text; the inner error is the complaint.
pub(super) fn decode(
    lua: &Lua,
    text: &[u8],
    settings: &Settings,
    mark: &Table,
) -> mlua::Result<Result<Value, String>> {
    if text.len() >= 2 && (text[0] == 0 || text[1] == 0) {
        return Ok(Err("JSON parser does not support UTF-16 or UTF-32".to_owned()));
    }
    let outcome = unlimited(lua, || {
        let mut reader = Reader { lua, text, at: 0, depth: 0, settings, mark };
        let token = reader.next();
        let made = reader.value(token).and_then(|value| match reader.next() {
            Token { kind: Kind::End, .. } => Ok(value),
            token => Err(complain("the end", &token)),
        });
        Ok(made)
    })?;
    match outcome {
        Ok(value) => Ok(Ok(value)),
        Err(Stop::Complaint(text)) => Ok(Err(text)),
        Err(Stop::Lua(error)) => Err(error),
    }
}

enum Stop {
    Complaint(String),
    Lua(mlua::Error),
}

impl From<mlua::Error> for Stop {
    fn from(error: mlua::Error) -> Self {
        Self::Lua(error)
    }
}

enum Kind {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    Colon,
    Comma,
    End,
    Text(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    Wrong(&'static str),
}

struct Token {
    kind: Kind,
    at: usize,
}

impl Kind {
    fn name(&self) -> &'static str {
        match self {
            Self::ObjectBegin => "T_OBJ_BEGIN",
            Self::ObjectEnd => "T_OBJ_END",
            Self::ArrayBegin => "T_ARR_BEGIN",
            Self::ArrayEnd => "T_ARR_END",
            Self::Colon => "T_COLON",
            Self::Comma => "T_COMMA",
            Self::End => "T_END",
            Self::Text(_) => "T_STRING",
            Self::Number(_) => "T_NUMBER",
            Self::Boolean(_) => "T_BOOLEAN",
            Self::Null => "T_NULL",
            Self::Wrong(what) => what,
        }
    }
}

fn complain(expected: &str, found: &Token) -> Stop {
    let (name, at) = (found.kind.name(), found.at + 1);
    Stop::Complaint(format!("Expected {expected} but found {name} at character {at}"))
}

struct Reader<'a> {
    lua: &'a Lua,
    text: &'a [u8],
    at: usize,
    depth: usize,
    settings: &'a Settings,
    mark: &'a Table,
}

impl Reader<'_> {
    fn byte(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn next(&mut self) -> Token {
        while matches!(self.byte(0), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        let at = self.at;
        let single = match self.byte(0) {
            b'{' => Some(Kind::ObjectBegin),
            b'}' => Some(Kind::ObjectEnd),
            b'[' => Some(Kind::ArrayBegin),
            b']' => Some(Kind::ArrayEnd),
            b':' => Some(Kind::Colon),
            b',' => Some(Kind::Comma),
            _ => None,
        };
        if let Some(kind) = single {
            self.at += 1;
            return Token { kind, at };
        }
        match self.byte(0) {
            0 => Token { kind: Kind::End, at },
            b'"' => self.string(at),
            b'-' | b'0'..=b'9' => {
                if !self.settings.reads_invalid && self.is_invalid_number() {
                    return Token { kind: Kind::Wrong("invalid number"), at };
                }
                self.number(at)
            }
            _ => self.word(at),
        }
    }

    fn word(&mut self, at: usize) -> Token {
        let words: [(&[u8], Kind); 3] = [
            (b"true", Kind::Boolean(true)),
            (b"false", Kind::Boolean(false)),
            (b"null", Kind::Null),
        ];
        for (word, kind) in words {
            if self.text[at..].starts_with(word) {
                self.at += word.len();
                return Token { kind, at };
            }
        }
        let may_begin_number = matches!(self.byte(0), b'+' | b'i' | b'I' | b'n' | b'N');
        if may_begin_number && self.settings.reads_invalid && self.is_invalid_number() {
            return self.number(at);
        }
        Token { kind: Kind::Wrong("invalid token"), at }
    }

    /// Whether what follows is a number to C, but not to JSON.
    fn is_invalid_number(&self) -> bool {
        if self.byte(0) == b'+' {
            return true;
        }
        let skipped = usize::from(self.byte(0) == b'-');
        let rest = &self.text[(self.at + skipped).min(self.text.len())..];
        let starts = |word: &[u8]| {
            rest.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word))
        };
        match rest.first() {
            Some(b'0') => {
                matches!(rest.get(1), Some(b'x' | b'X' | b'0'..=b'9'))
            }
            Some(b'1'..=b'9') => false,
            _ => starts(b"inf") || starts(b"nan"),
        }
    }

    fn number(&mut self, at: usize) -> Token {
        let kind = match c_number(&self.text[at..]) {
            Some((number, length)) => {
                self.at += length;
                Kind::Number(number)
            }
            None => Kind::Wrong("invalid number"),
        };
        Token { kind, at }
    }

    fn string(&mut self, at: usize) -> Token {
        self.at += 1;
        let mut text = Vec::new();
        loop {
            let plain = self.text[self.at.min(self.text.len())..]
                .iter()
                .position(|byte| matches!(byte, b'"' | b'\\' | 0))
                .unwrap_or(self.text.len().saturating_sub(self.at));
            text.extend_from_slice(&self.text[self.at..self.at + plain]);
            self.at += plain;
            let wrong = match self.byte(0) {
                b'"' => {
                    self.at += 1;
                    return Token { kind: Kind::Text(text), at };
                }
                b'\\' => match self.escape(&mut text) {
                    None => continue,
                    Some(wrong) => wrong,
                },
                _ => "unexpected end of string",
            };
            return Token { kind: Kind::Wrong(wrong), at: self.at };
        }
    }

    fn escape(&mut self, text: &mut Vec<u8>) -> Option<&'static str> {
        let byte = match self.byte(1) {
            byte @ (b'"' | b'\\' | b'/') => byte,
            b'b' => 0x08,
            b't' => b'\t',
            b'n' => b'\n',
            b'f' => 0x0c,
            b'r' => b'\r',
            b'u' => {
                let Some((letter, length)) = self.unicode() else {
                    return Some("invalid unicode escape code");
                };
                let mut encoded = [0; 4];
                text.extend_from_slice(letter.encode_utf8(&mut encoded).as_bytes());
                self.at += length;
                return None;
            }
            _ => return Some("invalid escape code"),
        };
        text.push(byte);
        self.at += 2;
        None
    }

    fn unicode(&self) -> Option<(char, usize)> {
        let hex = |ahead: usize| -> Option<u32> {
            let digits = self.text.get(self.at + ahead..self.at + ahead + 4)?;
            let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
            let digits = std::str::from_utf8(digits).ok().filter(|_| is_hex)?;
            u32::from_str_radix(digits, 16).ok()
        };
        let high = hex(2)?;
        if high & 0xf800 != 0xd800 {
            return Some((char::from_u32(high)?, 6));
        }
        if high & 0x400 != 0 || self.byte(6) != b'\\' || self.byte(7) != b'u' {
            return None;
        }
        let low = hex(8).filter(|low| low & 0xfc00 == 0xdc00)?;
        let code = 0x1_0000 + ((high & 0x3ff) << 10) + (low & 0x3ff);
        Some((char::from_u32(code)?, 12))
    }

    fn value(&mut self, token: Token) -> Result<Value, Stop> {
        Ok(match token.kind {
            Kind::Text(text) => Value::String(self.lua.create_string(text)?),
            Kind::Number(number) => Value::Number(number),
            Kind::Boolean(yes) => Value::Boolean(yes),
            Kind::Null => Value::NULL,
            Kind::ObjectBegin => self.object()?,
            Kind::ArrayBegin => self.array()?,
            _ => return Err(complain("value", &token)),
        })
    }

    fn descend(&mut self) -> Result<(), Stop> {
        self.depth += 1;
        let allowed = usize::try_from(self.settings.decode_depth).unwrap_or(0).min(DEPTH_MAX);
        if self.depth > allowed {
            let (depth, at) = (self.depth, self.at);
            return Err(Stop::Complaint(format!(
                "Found too many nested data structures ({depth}) at character {at}"
            )));
        }
        Ok(())
    }

    fn object(&mut self) -> Result<Value, Stop> {
        self.descend()?;
        let table = self.lua.create_table()?;
        let mut token = self.next();
        if !matches!(token.kind, Kind::ObjectEnd) {
            loop {
                let Kind::Text(name) = token.kind else {
                    return Err(complain("object key string", &token));
                };
                let name = self.lua.create_string(name)?;
                let colon = self.next();
                if !matches!(colon.kind, Kind::Colon) {
                    return Err(complain("colon", &colon));
                }
                let first = self.next();
                let value = self.value(first)?;
                table.raw_set(name, value)?;
                token = self.next();
                match token.kind {
                    Kind::ObjectEnd => break,
                    Kind::Comma => token = self.next(),
                    _ => return Err(complain("comma or object end", &token)),
                }
            }
        }
        self.depth -= 1;
        Ok(Value::Table(table))
    }

    fn array(&mut self) -> Result<Value, Stop> {
        self.descend()?;
        let table = self.lua.create_table()?;
        if self.settings.marks_arrays {
            table.set_metatable(Some(self.mark.clone()))?;
        }
        let mut token = self.next();
        if !matches!(token.kind, Kind::ArrayEnd) {
            for index in 1_usize.. {
                let value = self.value(token)?;
                table.raw_set(index, value)?;
                token = self.next();
                match token.kind {
                    Kind::ArrayEnd => break,
                    Kind::Comma => token = self.next(),
                    _ => return Err(complain("comma or array end", &token)),
                }
            }
        }
        self.depth -= 1;
        Ok(Value::Table(table))
    }
}

/// The number at the front of `text` as C's `strtod` reads it, and its length.
fn c_number(text: &[u8]) -> Option<(f64, usize)> {
    let sign = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let factor = if text.first() == Some(&b'-') { -1.0 } else { 1.0 };
    let rest = &text[sign..];
    let starts =
        |word: &[u8]| rest.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
    for (word, value) in
        [(&b"infinity"[..], f64::INFINITY), (b"inf", f64::INFINITY), (b"nan", f64::NAN)]
    {
        if starts(word) {
            return Some((factor * value, sign + word.len()));
        }
    }
    if starts(b"0x") && rest.get(2).is_some_and(u8::is_ascii_hexdigit) {
        let digits = rest[2..].iter().take_while(|byte| byte.is_ascii_hexdigit());
        let (mut value, mut length) = (0.0, sign + 2);
        for digit in digits {
            value = value * 16.0 + f64::from(char::from(*digit).to_digit(16).unwrap_or(0));
            length += 1;
        }
        return Some((factor * value, length));
    }
    let digits = |from: usize| rest[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let whole = digits(0);
    let mut length = whole;
    if rest.get(length) == Some(&b'.') {
        let fraction = digits(length + 1);
        if whole + fraction > 0 {
            length += 1 + fraction;
        }
    }
    if length == 0 {
        return None;
    }
    if matches!(rest.get(length), Some(b'e' | b'E')) {
        let signed = usize::from(matches!(rest.get(length + 1), Some(b'-' | b'+')));
        if rest.len() > length + 1 + signed {
            let exponent = digits(length + 1 + signed);
            if exponent > 0 {
                length += 1 + signed + exponent;
            }
        }
    }
    let number: f64 = std::str::from_utf8(&rest[..length]).ok()?.parse().ok()?;
    Some((factor * number, sign + length))
}
