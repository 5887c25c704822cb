//! LZF, the compression of RDB files and DUMP payloads.
//!
//! ```text
//!   000lllll                        l + 1 bytes follow as they are
//!   lllooooo oooooooo               l + 2 bytes (l in 1..=6) from o + 1 bytes back
//!   111ooooo llllllll oooooooo      l + 9 bytes from o + 1 bytes back
//! ```
//!
//! A compressor keeps its table from one text to the next and never clears it: positions count on
//! from text to text, so that those of earlier ones are too old to be taken. The `lzf` crate sets
//! half a MiB aside and clears it for each text, which takes longer than compressing most values.

/// Texts up to here are not worth compressing, as in Redis.
pub const PLAIN_MAX: usize = 20;

/// Most bytes that one compressed byte can stand for: 264 in three.
const RATIO_MAX: usize = 88;

const TABLE_BITS: u32 = 14;
/// Farthest a match lies back.
const BACK_MAX: u32 = 1 << 13;
/// Longest match.
const MATCH_MAX: usize = 264;
/// Most bytes of one literal run.
const RUN_MAX: usize = 32;
/// Fewest bytes of a match.
const MATCH_MIN: usize = 3;
/// Without a match for so many bytes, steps become longer.
const PATIENCE: usize = 64;
/// Longer texts are stored as they are: positions have 32 bits.
const TEXT_MAX: usize = 1 << 30;

/// What compressing needs from text to text: 64 KiB.
#[derive(Clone, Debug)]
pub struct Compressor {
    /// Where three bytes with this hash were seen last, plus `base`.
    table: Box<[u32]>,
    /// Position of the next text's first byte; what lies below is of earlier texts.
    base: u32,
}

impl Default for Compressor {
    fn default() -> Self {
        Self { table: vec![0; 1 << TABLE_BITS].into(), base: BACK_MAX + 1 }
    }
}

impl Compressor {
    /// Appends `text`, compressed, if that takes at most `most` bytes; says how many. Otherwise
    /// `out` is as before. O(n).
    pub fn compress(&mut self, text: &[u8], most: usize, out: &mut Vec<u8>) -> Option<usize> {
        if text.len() <= MATCH_MIN || text.len() > TEXT_MAX {
            return None;
        }
        let base = self.begin(text.len());
        let start = out.len();
        let packed = self.pack(text, base, start + most, out);
        if !packed || out.len() - start > most {
            out.truncate(start);
            return None;
        }
        Some(out.len() - start)
    }

    /// Gives the positions of a text away, clearing the table when they are used up.
    fn begin(&mut self, len: usize) -> u32 {
        let len = u32::try_from(len).unwrap_or(u32::MAX).saturating_add(BACK_MAX + 1);
        if self.base.checked_add(len).is_none() {
            self.table.fill(0);
            self.base = BACK_MAX + 1;
        }
        let base = self.base;
        self.base += len;
        base
    }

    fn pack(&mut self, text: &[u8], base: u32, limit: usize, out: &mut Vec<u8>) -> bool {
        let last = text.len() - MATCH_MIN;
        let (mut at, mut literal) = (0, 0);
        let mut position = base;
        while at <= last {
            let [a, b, c] = [text[at], text[at + 1], text[at + 2]];
            let slot = &mut self.table[slot_of(a, b, c)];
            // Positions of earlier texts lie more than `BACK_MAX` behind the base.
            let back = position.wrapping_sub(std::mem::replace(slot, position));
            let found = usize::try_from(back).ok().filter(|_| back <= BACK_MAX && back > 0);
            let Some(source) = found.and_then(|back| at.checked_sub(back)) else {
                let step = 1 + (at - literal) / PATIENCE;
                at += step;
                position += u32::try_from(step).unwrap_or(1);
                continue;
            };
            let len = common(&text[source..], &text[at..]);
            if len < MATCH_MIN {
                at += 1;
                position += 1;
                continue;
            }
            push_run(&text[literal..at], out);
            push_match(len, back, out);
            if out.len() > limit {
                return false;
            }
            // The last two places of the match are worth finding again; more costs more than it
            // saves.
            for place in (at + 1).max(at + len - 2)..(at + len).min(last + 1) {
                let slot = slot_of(text[place], text[place + 1], text[place + 2]);
                self.table[slot] = position + u32::try_from(place - at).unwrap_or(0);
            }
            at += len;
            position += u32::try_from(len).unwrap_or(0);
            literal = at;
        }
        push_run(&text[literal..], out);
        true
    }
}

#[inline]
fn slot_of(a: u8, b: u8, c: u8) -> usize {
    let three = u32::from_le_bytes([a, b, c, 0]);
    let mixed = three.wrapping_mul(0x9e37_79b1) >> (32 - TABLE_BITS);
    usize::try_from(mixed).unwrap_or(0)
}

/// How many bytes from the front are equal, as far as a match may reach.
#[inline]
fn common(one: &[u8], other: &[u8]) -> usize {
    let most = other.len().min(MATCH_MAX);
    let (one, other) = (&one[..most], &other[..most]);
    let mut len = 0;
    for (one, other) in one.chunks_exact(8).zip(other.chunks_exact(8)) {
        let word = |bytes: &[u8]| bytes.first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
        let differing = word(one) ^ word(other);
        if differing != 0 {
            return len + usize::try_from(differing.trailing_zeros() / 8).unwrap_or(0);
        }
        len += 8;
    }
    len + one[len..].iter().zip(&other[len..]).take_while(|(one, other)| one == other).count()
}

fn push_run(bytes: &[u8], out: &mut Vec<u8>) {
    for run in bytes.chunks(RUN_MAX) {
        out.push(u8::try_from(run.len() - 1).unwrap_or(0));
        out.extend_from_slice(run);
    }
}

fn push_match(len: usize, back: u32, out: &mut Vec<u8>) {
    let [low, high, ..] = (back - 1).to_le_bytes();
    let code = |len: usize| u8::try_from(len).unwrap_or(u8::MAX);
    if len - 2 < 7 {
        out.extend_from_slice(&[code(len - 2) << 5 | high, low]);
    } else {
        out.extend_from_slice(&[7 << 5 | high, code(len - 9), low]);
    }
}

/// Whether so many compressed bytes can stand for so long a text: to be asked before room is made.
pub fn is_possible(packed: usize, len: usize) -> bool {
    len > 0 && len <= packed.saturating_mul(RATIO_MAX)
}

/// The text of `len` bytes that `packed` stands for; `None` if it is damaged. O(n).
pub fn decompress(packed: &[u8], len: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    decompress_into(packed, len, &mut out).then_some(out)
}

/// Puts the text of `len` bytes that `packed` stands for in the place of what `out` holds; whether
/// it isn't damaged. O(n).
pub fn decompress_into(packed: &[u8], len: usize, out: &mut Vec<u8>) -> bool {
    out.clear();
    is_possible(packed.len(), len) && unfold(packed, len, out).is_some()
}

fn unfold(packed: &[u8], len: usize, out: &mut Vec<u8>) -> Option<()> {
    out.reserve_exact(len);
    let mut rest = packed;
    while let Some((&control, behind)) = rest.split_first() {
        let code = usize::from(control >> 5);
        if code == 0 {
            let (run, behind) = behind.split_at_checked(usize::from(control) + 1)?;
            rest = behind;
            out.extend_from_slice(run);
        } else {
            let (longer, behind) = if code == 7 { behind.split_first()? } else { (&0, behind) };
            let (low, behind) = behind.split_first()?;
            rest = behind;
            let count = code + usize::from(*longer) + 2;
            let back = (usize::from(control & 0x1f) << 8 | usize::from(*low)) + 1;
            let from = out.len().checked_sub(back)?;
            if back >= count {
                out.extend_from_within(from..from + count);
            } else {
                // It reads what it writes: a period of `back` bytes.
                (0..count).for_each(|at| out.push(out[from + at]));
            }
        }
        if out.len() > len {
            return None;
        }
    }
    (out.len() == len).then_some(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;
    use proptest::prelude::*;

    /// Compresses several texts with one compressor; says how long they became.
    fn check(texts: &[Vec<u8>]) -> Vec<Option<usize>> {
        let mut compressor = Compressor::default();
        let pack = |text: &Vec<u8>| {
            let mut out = vec![7];
            let len = compressor.compress(text, text.len().saturating_sub(4), &mut out);
            assert_eq!(out.len(), 1 + len.unwrap_or(0));
            if len.is_some() {
                assert_eq!(decompress(&out[1..], text.len()).as_ref(), Some(text));
                assert_eq!(decompress(&out[1..], text.len() + 1), None);
                assert_eq!(decompress(&out[1..], text.len() - 1), None);
            }
            len
        };
        texts.iter().map(pack).collect()
    }

    #[test]
    fn repetition_becomes_short() {
        let text = b"lorem ipsum dolor sit amet, ".repeat(40);
        assert!(check(&[text])[0].unwrap() < 60);
        assert!(check(&[vec![b'a'; 100_000]])[0].unwrap() < 1200);
        // Farther back than an offset reaches: nothing is found.
        let mut far: Vec<u8> =
            (0..9000u32).flat_map(|n| n.wrapping_mul(0x9e37_79b1).to_le_bytes()).collect();
        far.extend_from_within(..1000);
        check(&[far]);
    }

    #[test]
    fn known_bytes_are_read() {
        let check = |packed: &[u8], text: &[u8]| {
            assert_eq!(decompress(packed, text.len()).as_deref(), Some(text));
        };
        check(&[1, b'a', b'b', 0x20, 1], b"ababa");
        check(&[0, b'x', 0xe0, 1, 0], b"xxxxxxxxxxx");
    }

    #[test]
    fn what_is_damaged_is_refused() {
        for packed in
            [&[][..], &[5, 1], &[0x20, 0], &[0, 1, 0x20, 1], &[0, 1, 0xe0, 1], &[0, 1, 0x20]]
        {
            for len in [0, 1, 4, 1 << 40] {
                assert!(decompress(packed, len).is_none_or(|text| text.len() == len));
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back(
            texts in prop::collection::vec(
                prop::collection::vec(prop_oneof![3 => 0u8..3, 1 => any::<u8>()], 0..600),
                1..8,
            ),
        ) {
            check(&texts);
        }

        #[test]
        fn any_bytes_are_read_or_refused(
            packed in prop::collection::vec(any::<u8>(), 0..60),
            len in 0usize..400,
        ) {
            prop_assert!(decompress(&packed, len).is_none_or(|text| text.len() == len));
        }
    }
}
