//! The classes of keyspace notifications, written as letters.

use super::kinds::{Refusal, Setting, Source};
use super::row::Row;
use super::words;

/// Letters in the order they are printed. `A` stands for all of [`ALL_CLASSES`].
const LETTERS: &[u8] = b"g$lshzxetdanocKEmSTIV";

/// What `A` stands for.
const ALL_CLASSES: &[u8] = b"g$lshzxetda";

/// Classes of events that are published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventClasses(u32);

const fn bit(letter: u8) -> u32 {
    let mut at = 0;
    while at < LETTERS.len() {
        if LETTERS[at] == letter {
            return 1 << at;
        }
        at += 1;
    }
    0
}

const ALL: u32 = {
    let (mut bits, mut at) = (0, 0);
    while at < ALL_CLASSES.len() {
        bits |= bit(ALL_CLASSES[at]);
        at += 1;
    }
    bits
};

impl EventClasses {
    /// Whether events of the class `letter` are published, or for `K` and `E` whether on the
    /// channel of the key and of the event.
    pub const fn has(self, letter: u8) -> bool {
        self.0 & bit(letter) != 0
    }

    /// Whether nothing can be published: no class, or no kind of channel.
    pub const fn is_silent(self) -> bool {
        self.0 & (bit(b'K') | bit(b'E') | bit(b'S') | bit(b'T') | bit(b'I') | bit(b'V')) == 0
    }
}

impl Setting for EventClasses {
    fn assign(&mut self, words: &[&[u8]], _row: &Row, _source: Source) -> Result<(), Refusal> {
        let mut bits = 0;
        for &letter in words.iter().copied().flatten() {
            bits |= match (letter, bit(letter)) {
                (b'A', _) => ALL,
                (_, 0) => {
                    return Err("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".into());
                }
                (_, bit) => bit,
            };
        }
        self.0 = bits;
        Ok(())
    }

    fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        let mut letters: Vec<u8> = LETTERS.iter().copied().filter(|&l| self.has(l)).collect();
        if self.0 & ALL == ALL {
            text.push(b'A');
            letters.retain(|letter| !ALL_CLASSES.contains(letter));
            // `AKE`, not `AnKE`: the channels stand beside `A` as everywhere in the documentation.
            letters.sort_by_key(|letter| b"noc".contains(letter));
        }
        text.extend(letters);
        text
    }

    fn lines(&self) -> Vec<Vec<u8>> {
        vec![words::quote(&self.text())]
    }

    fn syntax(_row: &Row) -> String {
        "letters of K E g $ l s h z x e t d m n o c a A; empty for none".into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::live;
    use super::*;

    fn check(letters: &str, expected: Option<&str>) {
        let mut classes = EventClasses::default();
        let got = classes.assign(&[letters.as_bytes()], &live("x"), Source::Command);
        let got = got.is_ok().then(|| String::from_utf8_lossy(&classes.text()).into_owned());
        assert_eq!(got.as_deref(), expected, "{letters}");
    }

    #[test]
    fn letters_print_in_redis_order() {
        check("", Some(""));
        check("KEA", Some("AKE"));
        check("gKE", Some("gKE"));
        check("Kn", Some("nK"));
        check("Exe", Some("xeE"));
        check("KEg$lshzxetdam", Some("AKEm"));
        check("KEAno", Some("AKEno"));
        check("STIVh", Some("hSTIV"));
        check("zz~", None);
    }

    #[test]
    fn silent_without_a_channel() {
        let mut classes = EventClasses::default();
        assert!(classes.assign(&[b"A"], &live("x"), Source::Command).is_ok());
        assert!(classes.is_silent() && classes.has(b'g') && !classes.has(b'n'));
        assert!(classes.assign(&[b"Eg"], &live("x"), Source::Command).is_ok());
        assert!(!classes.is_silent());
    }
}
