//! Requests as bytes: what a client would send to have them run.

use crate::base::number::format_int;

/// Begins a request of so many words; exactly these must follow.
pub fn begin(out: &mut Vec<u8>, words: usize) {
    line(out, b'*', words);
}

/// Adds a word.
pub fn word(out: &mut Vec<u8>, word: &[u8]) {
    out.reserve(word.len() + 24);
    line(out, b'$', word.len());
    out.extend_from_slice(word);
    out.extend_from_slice(b"\r\n");
}

/// Adds a whole request, the command's name first.
pub fn request<'w>(out: &mut Vec<u8>, words: impl ExactSizeIterator<Item = &'w [u8]>) {
    begin(out, words.len());
    for each in words {
        word(out, each);
    }
}

fn line(out: &mut Vec<u8>, kind: u8, count: usize) {
    out.push(kind);
    format_int(i64::try_from(count).unwrap_or(i64::MAX), out);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_framed_by_their_lengths() {
        let mut out = Vec::new();
        request(&mut out, [&b"SET"[..], b"k\r\n", b""].into_iter());
        assert_eq!(out, b"*3\r\n$3\r\nSET\r\n$3\r\nk\r\n\r\n$0\r\n\r\n");
    }
}
