//! Words of a line: splitting with Redis's quoting rules, and quoting back.
//!
//! Words are separated by blanks. In double quotes `\n \r \t \b \a \xHH` stand for bytes and a
//! backslash makes any other byte plain; in single quotes only `\'` is special. A closing quote
//! must be followed by a blank or the end.

/// Splits `line`; `None` when quotes don't balance.
pub fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        let blanks = rest.iter().take_while(|&&byte| is_blank(byte)).count();
        rest = &rest[blanks..];
        if rest.is_empty() {
            return Some(words);
        }
        let (word, after) = next_word(rest)?;
        words.push(word);
        rest = after;
    }
}

fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b || byte == 0
}

/// The word that `line` starts with, and what follows it.
fn next_word(line: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut word = Vec::new();
    let mut at = 0;
    while let Some(&byte) = line.get(at) {
        match byte {
            b'"' | b'\'' => {
                let used = quoted(&line[at + 1..], byte, &mut word)?;
                at += 1 + used;
                // Text glued to a closing quote is a mistake, not a longer word.
                return match line.get(at) {
                    Some(&next) if !is_blank(next) => None,
                    _ => Some((word, &line[at..])),
                };
            }
            _ if is_blank(byte) => return Some((word, &line[at + 1..])),
            _ => word.push(byte),
        }
        at += 1;
    }
    Some((word, &[]))
}

/// Reads up to the closing `quote`; the number of bytes used, with the quote.
fn quoted(text: &[u8], quote: u8, word: &mut Vec<u8>) -> Option<usize> {
    let mut at = 0;
    loop {
        match text[at..] {
            [] => return None,
            [byte, ..] if byte == quote => return Some(at + 1),
            [b'\\', b'x', high, low, ..]
                if quote == b'"' && high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                word.push(hex(high) << 4 | hex(low));
                at += 4;
            }
            [b'\\', escaped, ..] if quote == b'"' => {
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    plain => plain,
                });
                at += 2;
            }
            [b'\\', b'\'', ..] if quote == b'\'' => {
                word.push(b'\'');
                at += 2;
            }
            [byte, ..] => {
                word.push(byte);
                at += 1;
            }
        }
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => 0,
    }
}

/// `text` in double quotes, such that [`split`] gives it back.
pub fn quote(text: &[u8]) -> Vec<u8> {
    let mut out = vec![b'"'];
    for &byte in text {
        match byte {
            b'\\' | b'"' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            0x07 => out.extend(b"\\a"),
            0x08 => out.extend(b"\\b"),
            b' '..=b'~' => out.push(byte),
            _ => out.extend(format!("\\x{byte:02x}").bytes()),
        }
    }
    out.push(b'"');
    out
}

/// `text` as it is when that is one word without special bytes, else quoted.
pub fn plain_or_quoted(text: &[u8]) -> Vec<u8> {
    let special = |byte: &u8| !matches!(byte, b'!'..=b'~') || matches!(byte, b'"' | b'\'' | b'\\');
    if text.is_empty() || text.iter().any(special) { quote(text) } else { text.to_vec() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    fn check(line: &str, expected: Option<&[&str]>) {
        let words = split(line.as_bytes());
        let expected = expected
            .map(|words| words.iter().map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>());
        assert_eq!(words, expected, "{line}");
    }

    #[test]
    fn words_split_at_blanks_and_quotes_group() {
        check("", Some(&[]));
        check("  port\t1 ", Some(&["port", "1"]));
        check(r#"a "b c" 'd e'"#, Some(&["a", "b c", "d e"]));
        check(r#"save """#, Some(&["save", ""]));
        check(r#""\x41\n\q""#, Some(&["A\nq"]));
        check(r#""\xZZ""#, Some(&["xZZ"]));
        check(r"'it\'s \n'", Some(&[r"it's \n"]));
        check("\"a b\"\u{b}c", Some(&["a b", "c"]));
    }

    #[test]
    fn unbalanced_quotes_are_refused() {
        check(r#"a "b"#, None);
        check(r"a 'b", None);
        check(r#"a "b"c"#, None);
        check(r#"a "b\"#, None);
    }

    #[test]
    fn any_bytes_survive_quoting() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(split(&quote(&all)).unwrap(), [all]);
        assert_eq!(split(&quote(b"")).unwrap(), [b""]);
    }
}
