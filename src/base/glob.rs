//! Glob patterns as KEYS, SCAN, PSUBSCRIBE, CONFIG GET and ACL rules understand them.
//!
//! `*` any run, `?` any byte, `[a-z]` one of, `[^a-z]` none of, `\x` the byte `x`. Every token but
//! `*` takes exactly one byte, so it is enough to remember the last `*`: when a match fails behind
//! it, the run of that star grows by one byte, and no earlier star can do better. Time is
//! O(pattern * text), without the exponential case of trying all stars.
//!
//! Odd cases that clients can observe, asked from a live server: an unclosed `[` reaches to the end
//! of the pattern, a trailing `\` is itself, `[z-a]` is `[a-z]`, `[]` matches nothing, `[^]`
//! matches anything, and empty text matches the empty pattern only, not even `*`.

/// Whether letters of both cases are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// Bytes are compared as they are.
    Sensitive,
    /// ASCII letters match in either case, except those escaped inside of brackets.
    Insensitive,
}

impl Case {
    fn fold(self, byte: u8) -> u8 {
        match self {
            Self::Sensitive => byte,
            Self::Insensitive => byte.to_ascii_lowercase(),
        }
    }
}

/// Whether the whole of `text` matches `pattern`.
pub fn matches(pattern: &[u8], text: &[u8], case: Case) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    let (mut token, mut at) = (0, 0);
    // Behind the last star: its next token, and where in the text that was last tried.
    let mut star = None;
    while at < text.len() {
        if pattern.get(token) == Some(&b'*') {
            token += pattern[token..].iter().take_while(|byte| **byte == b'*').count();
            if token == pattern.len() {
                return true;
            }
            star = Some((token, at));
            continue;
        }
        if let Some(length) = match_token(&pattern[token..], text[at], case) {
            token += length;
            at += 1;
            continue;
        }
        let Some((resume, tried)) = star else { return false };
        token = resume;
        at = match pattern[token] {
            // The run can't end before the next occurrence of a plain byte.
            byte if case == Case::Sensitive && !matches!(byte, b'?' | b'[' | b'\\') => {
                match text[tried + 1..].iter().position(|other| *other == byte) {
                    Some(skipped) => tried + 1 + skipped,
                    None => return false,
                }
            }
            _ => tried + 1,
        };
        star = Some((token, at));
    }
    pattern[token..].iter().all(|byte| *byte == b'*')
}

/// Whether `pattern` is plain text, which only matches itself.
pub fn is_literal(pattern: &[u8]) -> bool {
    !pattern.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[' | b'\\'))
}

/// Length of the pattern's first token, if `byte` matches it.
fn match_token(pattern: &[u8], byte: u8, case: Case) -> Option<usize> {
    let literal = |expected: u8| case.fold(expected) == case.fold(byte);
    match pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', set @ ..] => match_set(set, byte, case).map(|length| length + 1),
        [b'\\', escaped, ..] => literal(*escaped).then_some(2),
        [expected, ..] => literal(*expected).then_some(1),
    }
}

/// Length of the set behind its `[`, the closing `]` included, if `byte` is one of it.
fn match_set(set: &[u8], byte: u8, case: Case) -> Option<usize> {
    let negated = set.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut found = false;
    loop {
        match &set[at..] {
            [] => break,
            [b'\\', escaped, ..] => {
                found |= *escaped == byte;
                at += 2;
            }
            [b']', ..] => {
                at += 1;
                break;
            }
            [from, b'-', to, ..] => {
                let (low, high) = (*from.min(to), *from.max(to));
                found |= (case.fold(low)..=case.fold(high)).contains(&case.fold(byte));
                at += 3;
            }
            [expected, ..] => {
                found |= case.fold(*expected) == case.fold(byte);
                at += 1;
            }
        }
    }
    (found != negated).then_some(at)
}

/// For the fuzzer: a pattern and a text, as long as the first byte says.
#[doc(hidden)]
pub fn fuzz(data: &[u8]) {
    let Some((cut, rest)) = data.split_first() else { return };
    let (pattern, text) = rest.split_at(rest.len() * usize::from(*cut) / 256);
    let exact = matches(pattern, text, Case::Sensitive);
    assert!(!is_literal(pattern) || exact == (pattern == text));
    // A star before it can only find more.
    assert!(!exact || text.is_empty() || matches(&[b"*", pattern].concat(), text, Case::Sensitive));
    matches(pattern, text, Case::Insensitive);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: bool) {
        let found = matches(pattern.as_bytes(), text.as_bytes(), Case::Sensitive);
        assert_eq!(found, expected, "{pattern:?} on {text:?}");
    }

    #[test]
    fn plain_tokens_match() {
        check("", "", true);
        check("abc", "abc", true);
        check("abc", "abcd", false);
        check("abcd", "abc", false);
        check("a?c", "abc", true);
        check("a*", "a", true);
        check("a*c*e", "abcde", true);
        check("*b*b", "abab", true);
        check("*ab", "aab", true);
        check("*ab", "aba", false);
        check("[abc]x", "bx", true);
        check("[a-c]", "d", false);
        check("[^a-c]", "d", true);
        check("\\*", "*", true);
        check("\\*", "x", false);
        check("h[ae]llo*", "hallo world", true);
    }

    #[test]
    fn odd_patterns_match_as_in_the_reference() {
        check("*", "", false);
        check("**", "", false);
        check("?", "", false);
        check("[", "", false);
        check("\\", "\\", true);
        check("a\\", "a\\", true);
        check("[a", "a", true);
        check("[", "[", false);
        check("[^", "x", true);
        check("[^]", "x", true);
        check("[]", "x", false);
        check("[]]", "]", false);
        check("[a-", "-", true);
        check("[a-]", "a", true);
        check("[z-a]", "c", true);
        check("[a\\", "\\", true);
        check("[\\]]", "]", true);
        check("[\\a-z]", "b", false);
        check("[a-\\]]", "]", false);
        check("[a-\\]]", "\\]", true);
        check("[!a]", "!", true);
        check("[^^]", "^", false);
    }

    #[test]
    fn case_is_ignored_on_request() {
        assert!(matches(b"GET*", b"getrange", Case::Insensitive));
        assert!(matches(b"[A-C]x", b"bX", Case::Insensitive));
        assert!(matches(b"\\G", b"g", Case::Insensitive));
        assert!(!matches(b"[\\G]", b"g", Case::Insensitive));
        assert!(!matches(b"GET", b"get", Case::Sensitive));
    }

    #[test]
    fn many_stars_take_linear_steps() {
        let pattern = "a*".repeat(2_000) + "b";
        assert!(!matches(pattern.as_bytes(), "a".repeat(20_000).as_bytes(), Case::Sensitive));
        assert!(!matches(pattern.as_bytes(), "A".repeat(20_000).as_bytes(), Case::Insensitive));
    }

    /// What the pattern language means, told recursively.
    fn model(pattern: &[u8], text: &[u8], case: Case) -> bool {
        match (pattern.first(), text.first()) {
            (None, None) => true,
            (Some(b'*'), _) => {
                model(&pattern[1..], text, case)
                    || (!text.is_empty() && model(pattern, &text[1..], case))
            }
            (Some(_), Some(byte)) => match_token(pattern, *byte, case)
                .is_some_and(|length| model(&pattern[length..], &text[1..], case)),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn agrees_with_trying_everything(
            pattern in "[aAb*?\\[\\]^\\\\-]{0,10}",
            text in "[aAb\\]]{1,10}",
            ignore: bool,
        ) {
            let case = if ignore { Case::Insensitive } else { Case::Sensitive };
            let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(matches(pattern, text, case), model(pattern, text, case));
        }

        #[test]
        fn garbage_is_survived(data: Vec<u8>, pattern in "[ab*?^\\[\\]\\\\-]{0,20}") {
            fuzz(&data);
            fuzz(&[b"\x80", pattern.as_bytes()].concat());
        }

        #[test]
        fn plain_text_matches_itself_only(pattern: Vec<u8>, text: Vec<u8>) {
            if is_literal(&pattern) {
                prop_assert!(matches(&pattern, &pattern, Case::Sensitive));
                prop_assert_eq!(matches(&pattern, &text, Case::Sensitive), pattern == text);
            }
        }
    }
}
