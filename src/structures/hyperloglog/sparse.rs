//! Runs of registers: reading, and raising one register in the middle of them.

use super::{HEADER, HllError, REGISTERS};
use std::fmt::Write as _;

/// Highest rank that a run can hold.
const RANK_MAX: u8 = 32;
const VALUES: u8 = 0x80;
const LONG_ZEROS: u8 = 0x40;
const VALUES_LEN_MAX: usize = 4;
const ZEROS_LEN_MAX: usize = 64;
/// Runs looked at for joining after a change: the one before it, up to three new ones, one behind.
const JOIN_REACH: usize = 5;

/// Registers of equal rank.
#[derive(Clone, Copy, Debug)]
struct Run {
    rank: u8,
    len: usize,
    /// Bytes of its spelling.
    size: usize,
}

impl Run {
    /// The run that begins with `head`, with what follows.
    #[inline]
    fn read(head: u8, rest: &[u8]) -> Self {
        if head & VALUES != 0 {
            return Self { rank: (head >> 2 & 31) + 1, len: usize::from(head & 3) + 1, size: 1 };
        }
        let low = usize::from(head & 0x3f);
        if head & LONG_ZEROS == 0 {
            return Self { rank: 0, len: low + 1, size: 1 };
        }
        let len = low << 8 | usize::from(rest.first().copied().unwrap_or_default());
        Self { rank: 0, len: len + 1, size: 2 }
    }
}

/// What became of a wish to raise a register.
pub(super) enum Raised {
    No,
    Yes,
    /// Only a dense sketch can do it.
    TooLarge,
}

/// Up to three runs as they are spelled.
#[derive(Default)]
struct Spelling {
    bytes: [u8; 6],
    len: usize,
}

impl Spelling {
    fn push(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    /// A run of `len` registers; nothing when there are none. Values have at most 4 registers.
    fn push_run(&mut self, rank: u8, len: usize) {
        if len == 0 {
            return;
        }
        let [low, high, ..] = (len - 1).to_le_bytes();
        if rank > 0 {
            self.push(VALUES | (rank - 1) << 2 | low);
        } else if len > ZEROS_LEN_MAX {
            self.push(LONG_ZEROS | high);
            self.push(low);
        } else {
            self.push(low);
        }
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Appends a run of zeros.
pub(super) fn push_zeros(len: usize, out: &mut Vec<u8>) {
    let mut spelling = Spelling::default();
    spelling.push_run(0, len);
    out.extend_from_slice(spelling.as_slice());
}

/// Shows each run as (first register, registers, rank). They must cover all registers.
pub(super) fn walk(runs: &[u8], mut show: impl FnMut(usize, usize, u8)) -> Result<(), HllError> {
    let (mut rest, mut first) = (runs, 0);
    while let Some((head, behind)) = rest.split_first() {
        let run = Run::read(*head, behind);
        if first + run.len > REGISTERS {
            return Err(HllError::Corrupt);
        }
        show(first, run.len, run.rank);
        first += run.len;
        rest = rest.get(run.size..).unwrap_or_default();
    }
    if first == REGISTERS { Ok(()) } else { Err(HllError::Corrupt) }
}

/// All runs in words.
pub(super) fn describe(runs: &[u8]) -> Result<String, HllError> {
    let mut words = String::new();
    let mut rest = runs;
    walk(runs, |_, len, rank| {
        let size = rest.first().map_or(1, |head| Run::read(*head, &rest[1..]).size);
        rest = rest.get(size..).unwrap_or_default();
        let gap = if words.is_empty() { "" } else { " " };
        // Writing to a string can't fail.
        let _ = match (rank, size) {
            (0, 1) => write!(words, "{gap}z:{len}"),
            (0, _) => write!(words, "{gap}Z:{len}"),
            _ => write!(words, "{gap}v:{rank},{len}"),
        };
    })?;
    Ok(words)
}

/// Raises one register of a sparse sketch. O(n).
pub(super) fn raise(
    bytes: &mut Vec<u8>,
    register: usize,
    rank: u8,
    max_bytes: usize,
) -> Result<Raised, HllError> {
    if rank > RANK_MAX {
        return Ok(Raised::TooLarge);
    }
    let found = find(bytes, register).ok_or(HllError::Corrupt)?;
    let Found { at, before, first, run } = found;
    if run.rank >= rank {
        return Ok(Raised::No);
    }
    let mut spelling = Spelling::default();
    spelling.push_run(run.rank, register - first);
    spelling.push_run(rank, 1);
    spelling.push_run(run.rank, first + run.len - 1 - register);
    if spelling.len > run.size && bytes.len() - run.size + spelling.len > max_bytes {
        return Ok(Raised::TooLarge);
    }
    replace(bytes, at, run.size, spelling.as_slice());
    join(bytes, before.unwrap_or(at));
    Ok(Raised::Yes)
}

/// Where a register is.
struct Found {
    /// Offset of its run in the sketch.
    at: usize,
    /// Offset of the run before.
    before: Option<usize>,
    /// First register of its run.
    first: usize,
    run: Run,
}

fn find(bytes: &[u8], register: usize) -> Option<Found> {
    let (mut at, mut before, mut first) = (HEADER, None, 0);
    loop {
        let (head, rest) = bytes.get(at..)?.split_first()?;
        let run = Run::read(*head, rest);
        if register < first + run.len {
            return (at + run.size <= bytes.len()).then_some(Found { at, before, first, run });
        }
        before = Some(at);
        at += run.size;
        first += run.len;
    }
}

/// Puts `new` in the place of `old_len` bytes.
fn replace(bytes: &mut Vec<u8>, at: usize, old_len: usize, new: &[u8]) {
    let (len, end) = (bytes.len(), at + old_len);
    if new.len() >= old_len {
        bytes.resize(len + new.len() - old_len, 0);
        bytes.copy_within(end..len, at + new.len());
    } else {
        bytes.copy_within(end..len, at + new.len());
        bytes.truncate(len + new.len() - old_len);
    }
    bytes[at..at + new.len()].copy_from_slice(new);
}

/// Joins neighbouring runs of equal rank, as far as a change can have brought them together.
fn join(bytes: &mut Vec<u8>, from: usize) {
    let mut at = from;
    for _ in 0..JOIN_REACH {
        let Some((head, rest)) = bytes.get(at..).and_then(<[u8]>::split_first) else { return };
        let run = Run::read(*head, rest);
        let next = rest.first().map(|head| Run::read(*head, &rest[1..]));
        match next {
            Some(next)
                if run.rank > 0
                    && next.rank == run.rank
                    && run.len + next.len <= VALUES_LEN_MAX =>
            {
                let mut joined = Spelling::default();
                joined.push_run(run.rank, run.len + next.len);
                replace(bytes, at, 2, joined.as_slice());
            }
            _ => at += run.size,
        }
    }
}
