//! LCS: the longest common subsequence of two strings.
//!
//! The classic table L(i, j), the length for the first i and j bytes, is filled row by row. For
//! walking back only one bit per cell is kept: whether L(i-1, j) > L(i, j-1), that is, whether
//! the walk goes up where the bytes differ. Where they are equal it goes diagonally, and that is
//! seen from the strings. Time O(N*M), memory N*M/8 bytes.

use crate::command::args::Args;
use crate::command::context::{CmdResult, Flow, ReadCx};
use crate::command::spec::DataRun::{self, Read};
use crate::command::spec::{Command, Group, Key, at_least, integer, key, pure};
use crate::families::text;
use crate::protocol::error::ReplyError;
use crate::protocol::reply::Reply;

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] =
    &[Command::new("LCS", at_least(3), Group::String, Read(lcs))
        .keys(&[Key::at(1, &["RO", "access"]).through(1, 1, 0)])
        .args(&[
            key("key1"),
            key("key2"),
            pure("len", "LEN").optional(),
            pure("idx", "IDX").optional(),
            integer("min-match-len").token("MINMATCHLEN").optional(),
            pure("withmatchlen", "WITHMATCHLEN").optional(),
        ])
        .doc("7.0.0", "Finds the longest common subsequence of two strings.", "O(N*M)")];

const NOT_STRINGS: ReplyError =
    ReplyError::Fixed("ERR The specified keys must contain string values");
const LEN_AND_IDX: ReplyError =
    ReplyError::Fixed("ERR If you want both the length and indexes, please just use IDX.");
const TOO_LONG: ReplyError = ReplyError::Fixed(
    "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
);

/// Bytes per cell that the bound on the table is counted in. Redis keeps the lengths; the bound
/// stays the same here because it bounds the time, too.
const CELL_BYTES: usize = 4;
/// Cells that are filled in the time that an element of a collection takes.
const CELLS_PER_ELEMENT: usize = 64;

#[derive(Default)]
struct Options {
    wants_len: bool,
    wants_places: bool,
    match_len_min: usize,
    shows_match_len: bool,
}

impl Options {
    fn read(args: &mut Args<'_>) -> Result<Self, ReplyError> {
        let mut options = Self::default();
        while !args.is_done() {
            if args.accept("LEN") {
                options.wants_len = true;
            } else if args.accept("IDX") {
                options.wants_places = true;
            } else if args.accept("WITHMATCHLEN") {
                options.shows_match_len = true;
            } else if args.accept("MINMATCHLEN") {
                options.match_len_min = usize::try_from(args.int()?).unwrap_or(0);
            } else {
                return Err(ReplyError::Syntax);
            }
        }
        if options.wants_len && options.wants_places {
            return Err(LEN_AND_IDX);
        }
        Ok(options)
    }
}

fn lcs(cx: &mut ReadCx<'_>) -> CmdResult {
    let (mut one_digits, mut other_digits) = (itoa::Buffer::new(), itoa::Buffer::new());
    let one = cx.keys.string(cx.args.bytes()?).map_err(|_| NOT_STRINGS)?;
    let other = cx.keys.string(cx.args.bytes()?).map_err(|_| NOT_STRINGS)?;
    let one = one.map_or(&b""[..], |value| text::as_bytes(value, &mut one_digits));
    let other = other.map_or(&b""[..], |value| text::as_bytes(value, &mut other_digits));
    let options = Options::read(&mut cx.args)?;
    let cells = (one.len() + 1).saturating_mul(other.len() + 1);
    if cells.saturating_mul(CELL_BYTES) > cx.limits.bulk_len_max {
        return Err(TOO_LONG);
    }

    if cx.is_long(cells / CELLS_PER_ELEMENT) {
        return Ok(Flow::Away(None));
    }

    let table = Table::fill(one, other);
    if options.wants_len {
        cx.reply.count(table.len);
    } else if options.wants_places {
        write_places(&mut cx.reply, &options, table.len, &table.runs(one, other));
    } else {
        let mut common = Vec::with_capacity(table.len);
        for run in table.runs(one, other).iter().rev() {
            common.extend_from_slice(&one[run.one..run.one + run.len]);
        }
        cx.reply.bulk(&common);
    }
    Ok(Flow::Replied)
}

fn write_places(reply: &mut Reply<'_>, options: &Options, len: usize, runs: &[Run]) {
    let long_enough = || runs.iter().filter(|run| run.len >= options.match_len_min);
    reply.map(2);
    reply.bulk(b"matches");
    reply.array(long_enough().count());
    for run in long_enough() {
        reply.array(2 + usize::from(options.shows_match_len));
        for first in [run.one, run.other] {
            reply.array(2);
            reply.count(first);
            reply.count(first + run.len - 1);
        }
        if options.shows_match_len {
            reply.count(run.len);
        }
    }
    reply.bulk(b"len");
    reply.count(len);
}

/// Bytes that follow each other in both strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    one: usize,
    other: usize,
    len: usize,
}

struct Table {
    len: usize,
    goes_up: Vec<u64>,
    row_words: usize,
}

impl Table {
    fn fill(one: &[u8], other: &[u8]) -> Self {
        let row_words = other.len().div_ceil(64);
        let mut goes_up = vec![0_u64; row_words * one.len()];
        let mut above = vec![0_u32; other.len() + 1];
        for (i, byte) in one.iter().enumerate() {
            let (mut diagonal, mut left) = (0, 0);
            for (j, candidate) in other.iter().enumerate() {
                let up = above[j + 1];
                goes_up[i * row_words + j / 64] |= u64::from(up > left) << (j % 64);
                left = if byte == candidate { diagonal + 1 } else { up.max(left) };
                diagonal = up;
                above[j + 1] = left;
            }
        }
        let len = usize::try_from(above[other.len()]).unwrap_or(usize::MAX);
        Self { len, goes_up, row_words }
    }

    /// Walks back from the ends of both strings; the last run comes first.
    fn runs(&self, one: &[u8], other: &[u8]) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        let (mut i, mut j) = (one.len(), other.len());
        while i > 0 && j > 0 {
            if one[i - 1] == other[j - 1] {
                i -= 1;
                j -= 1;
                match runs.last_mut() {
                    Some(run) if (run.one, run.other) == (i + 1, j + 1) => {
                        *run = Run { one: i, other: j, len: run.len + 1 };
                    }
                    _ => runs.push(Run { one: i, other: j, len: 1 }),
                }
            } else if self.goes_up[(i - 1) * self.row_words + (j - 1) / 64] >> ((j - 1) % 64) & 1
                == 1
            {
                i -= 1;
            } else {
                j -= 1;
            }
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;
    use crate::protocol::reply::Dialect;

    #[test]
    fn subsequences_and_their_places() {
        Bench::new().check(&[
            "mset one ohmytext other mynewtext => +OK",
            r#"lcs one other => "mytext""#,
            "lcs one other len => :6",
            r#"lcs one other idx => ["matches" [[[:4 :7] [:5 :8]] [[:2 :3] [:0 :1]]] "len" :6]"#,
            r#"lcs one other idx minmatchlen 4 => ["matches" [[[:4 :7] [:5 :8]]] "len" :6]"#,
            r#"lcs one other idx minmatchlen 4 withmatchlen => ["matches" [[[:4 :7] [:5 :8] :4]] "len" :6]"#,
            r#"lcs one other idx minmatchlen -4 withmatchlen => ["matches" [[[:4 :7] [:5 :8] :4] [[:2 :3] [:0 :1] :2]] "len" :6]"#,
            "lcs one other len withmatchlen minmatchlen 3 => :6",
            r#"lcs one missing => """#,
            "lcs one missing len => :0",
            r#"lcs one missing idx => ["matches" [] "len" :0]"#,
        ]);
    }

    #[test]
    fn bad_options_are_refused() {
        Bench::new().check(&[
            "lcs one other idx len => -ERR If you want both the length and indexes, please just use IDX.",
            "lcs one other minmatchlen => -ERR syntax error",
            "lcs one other idx minmatchlen a => -ERR value is not an integer or out of range",
            "lcs one other foo => -ERR syntax error",
        ]);
    }

    #[test]
    fn the_table_is_bounded() {
        let mut bench = Bench::new();
        bench.limits.bulk_len_max = 4 * 3 * 4;
        bench.check(&[
            "mset one ab two abc three abcd => +OK",
            r#"lcs one two => "ab""#,
            "lcs one three len => -ERR Insufficient memory, transient memory for LCS exceeds \
             proto-max-bulk-len",
        ]);
    }

    #[test]
    fn places_are_a_map_in_resp3() {
        let mut bench = Bench::new();
        bench.dialect = Dialect::Resp3;
        bench.check(&[
            "mset one abc two xbc => +OK",
            r#"lcs one two idx => {"matches" [[[:1 :2] [:1 :2]]] "len" :2}"#,
        ]);
    }
}
