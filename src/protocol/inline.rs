//! Lines of words with optional quotes: inline requests, and directives in a config file.
//!
//! Blanks separate words. In `"..."` a backslash escapes (`\n \r \t \b \a \xHH`, else the next byte
//! itself); in `'...'` only `\'` does. A quote may open inside of a word (`a"b c"` is `ab c`), but a
//! blank or the end must follow the closing one.

use std::borrow::Cow;
use std::ops::Range;

use crate::base::number::is_c_space;

/// A quote is not closed, or something sticks to a closing quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unbalanced;

/// One word of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// Without quotes: where it is in the line.
    Plain(Range<usize>),
    /// With quotes: what it means.
    Quoted(Vec<u8>),
}

/// The words of one line, which is passed without its line feed.
#[derive(Clone, Debug)]
pub struct Words<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Words<'a> {
    /// From the line's start.
    pub fn new(line: &'a [u8]) -> Self {
        Self { line, at: 0 }
    }

    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    /// A word that has quotes: `start` is its first byte, the cursor stands on the first quote.
    fn quoted(&mut self, start: usize) -> Result<Word, Unbalanced> {
        let mut word = self.line[start..self.at].to_vec();
        let quote = self.line[self.at];
        self.at += 1;
        // A closing quote ends the word.
        if quote == b'"' {
            self.double_quoted(&mut word)?;
        } else {
            self.single_quoted(&mut word)?;
        }
        Ok(Word::Quoted(word))
    }

    fn double_quoted(&mut self, word: &mut Vec<u8>) -> Result<(), Unbalanced> {
        loop {
            match &self.line[self.at..] {
                [] => return Err(Unbalanced),
                [b'"', ..] => return self.close(),
                [b'\\', b'x', high, low, ..]
                    if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
                {
                    word.push(hex_digit(*high) << 4 | hex_digit(*low));
                    self.at += 4;
                }
                [b'\\', escaped, ..] => {
                    word.push(match escaped {
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        b'b' => 8,
                        b'a' => 7,
                        byte => *byte,
                    });
                    self.at += 2;
                }
                [byte, ..] => {
                    word.push(*byte);
                    self.at += 1;
                }
            }
        }
    }

    fn single_quoted(&mut self, word: &mut Vec<u8>) -> Result<(), Unbalanced> {
        loop {
            match &self.line[self.at..] {
                [] => return Err(Unbalanced),
                [b'\'', ..] => return self.close(),
                [b'\\', b'\'', ..] => {
                    word.push(b'\'');
                    self.at += 2;
                }
                [byte, ..] => {
                    word.push(*byte);
                    self.at += 1;
                }
            }
        }
    }

    /// Steps over a closing quote.
    fn close(&mut self) -> Result<(), Unbalanced> {
        self.at += 1;
        match self.peek() {
            Some(byte) if !is_c_space(byte) && byte != 0 => Err(Unbalanced),
            _ => Ok(()),
        }
    }
}

impl Iterator for Words<'_> {
    type Item = Result<Word, Unbalanced>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.peek().is_some_and(|byte| is_c_space(byte) || byte == 0) {
            self.at += 1;
        }
        let start = self.at;
        self.peek()?;
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\n' | b'\r' | b'\t' | 0 => break,
                b'"' | b'\'' => return Some(self.quoted(start)),
                _ => self.at += 1,
            }
        }
        Some(Ok(Word::Plain(start..self.at)))
    }
}

/// All words of a line, which is passed without its line feed.
pub fn split(line: &[u8]) -> Result<Vec<Cow<'_, [u8]>>, Unbalanced> {
    Words::new(line)
        .map(|word| {
            Ok(match word? {
                Word::Plain(range) => Cow::Borrowed(&line[range]),
                Word::Quoted(bytes) => Cow::Owned(bytes),
            })
        })
        .collect()
}

fn hex_digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        _ => byte.to_ascii_lowercase() - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(line: &str, expected: Option<&[&str]>) {
        let found = split(line.as_bytes()).ok();
        let expected =
            expected.map(|words| words.iter().map(|word| Cow::Borrowed(word.as_bytes())).collect());
        assert_eq!(found, expected, "{line:?}");
    }

    #[test]
    fn words_are_split_as_in_the_reference() {
        check("", Some(&[]));
        check(" \t\r", Some(&[]));
        check("ping", Some(&["ping"]));
        check("set  k\tv \r", Some(&["set", "k", "v"]));
        check("ec\rho b", Some(&["ec", "ho", "b"]));
        check("\u{b}echo a\u{b}b", Some(&["echo", "a\u{b}b"]));
        check("\"PI\\x4eG\"", Some(&["PING"]));
        check("\"a\\n\\r\\t\\b\\a\\x41\\q\\\\\\\"\\x4\"", Some(&["a\n\r\t\u{8}\u{7}Aq\\\"x4"]));
        check("\"a\\x4g\"", Some(&["ax4g"]));
        check("'a\\n\\''", Some(&["a\\n'"]));
        check("'a\\x'", Some(&["a\\x"]));
        check("a\"b c\" d", Some(&["ab c", "d"]));
        check("a'b'", Some(&["ab"]));
        check("e \"\" ''", Some(&["e", "", ""]));
        check("\"a\"\u{b}b", Some(&["a", "b"]));
        check("a\\x41", Some(&["a\\x41"]));
    }

    #[test]
    fn quotes_must_balance() {
        for line in
            ["\"a\"b", "\"a", "'a", "'a'b", "a\"b\"c", "\"a\\", "'\\'", "\"\"\"", "'a\\\\'x"]
        {
            check(line, None);
        }
    }

    proptest! {
        #[test]
        fn garbage_is_survived(line in "[a\"' \\\\x4\\x00]{0,20}") {
            if let Ok(words) = split(line.as_bytes()) {
                prop_assert!(words.iter().map(|word| word.len()).sum::<usize>() <= line.len());
            }
        }
    }
}
