//! Reading: LLEN, LINDEX, LRANGE, LPOS.

use crate::base::number::parse_int;
use crate::command::args::Args;
use crate::command::context::{CmdResult, Flow, ReadCx};
use crate::command::spec::DataRun::{self, Read};
use crate::command::spec::{Command, FAST, Group, Key, at_least, exactly, integer, key, text};
use crate::protocol::error::ReplyError;
use crate::structures::cow_tree::End;
use crate::types::list::{List, Sought};
use std::ops::ControlFlow;

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("LLEN", exactly(2), Group::List, Read(llen))
        .keys(&[Key::at(1, &["RO"])])
        .flags(FAST)
        .args(&[key("key")])
        .doc("1.0.0", "Tells the length of a list.", "O(1)"),
    Command::new("LINDEX", exactly(3), Group::List, Read(lindex))
        .keys(&[Key::at(1, &["RO", "access"])])
        .args(&[key("key"), integer("index")])
        .doc("1.0.0", "Gives the element at a position of a list.", "O(N)"),
    Command::new("LRANGE", exactly(4), Group::List, Read(lrange))
        .keys(&[Key::at(1, &["RO", "access"])])
        .args(&[key("key"), integer("start"), integer("stop")])
        .doc("1.0.0", "Gives the elements between two positions of a list.", "O(S+N)"),
    Command::new("LPOS", at_least(3), Group::List, Read(lpos))
        .keys(&[Key::at(1, &["RO", "access"])])
        .args(&[
            key("key"),
            text("element"),
            integer("rank").token("RANK").optional(),
            integer("num-matches").token("COUNT").optional(),
            integer("len").token("MAXLEN").optional(),
        ])
        .doc("6.0.6", "Finds the positions at which a list has an element.", "O(N)"),
];

const RANK_ZERO: ReplyError = ReplyError::Fixed(
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use \
     negative to start from the end of the list",
);
const COUNT_NEGATIVE: ReplyError = ReplyError::Fixed("ERR COUNT can't be negative");
const MAXLEN_NEGATIVE: ReplyError = ReplyError::Fixed("ERR MAXLEN can't be negative");

fn llen(cx: &mut ReadCx<'_>) -> CmdResult {
    let len = cx.keys.get::<List>(cx.args.bytes()?)?.map_or(0, |list| list.len());

    cx.reply.count(len);
    Ok(Flow::Replied)
}

fn lindex(cx: &mut ReadCx<'_>) -> CmdResult {
    let Some(list) = cx.keys.get::<List>(cx.args.bytes()?)? else {
        // Clients see null before they see a bad number.
        cx.reply.null();
        return Ok(Flow::Replied);
    };
    let index = cx.args.int()?;

    let reply = &mut cx.reply;
    let shown = place(index, list.len())
        .and_then(|at| list.element(at, |element| super::write(reply, element)));
    if shown.is_none() {
        cx.reply.null();
    }
    Ok(Flow::Replied)
}

/// Place number `index` of `len`; negative ones count from the end.
pub(super) fn place(index: i64, len: usize) -> Option<usize> {
    let from_front = if index < 0 { index + i64::try_from(len).ok()? } else { index };
    usize::try_from(from_front).ok().filter(|at| *at < len)
}

fn lrange(cx: &mut ReadCx<'_>) -> CmdResult {
    let (key, start, stop) = (cx.args.bytes()?, cx.args.int()?, cx.args.int()?);
    let Some(list) = cx.keys.get::<List>(key)? else {
        cx.reply.array(0);
        return Ok(Flow::Replied);
    };

    let range = super::span(start, stop, list.len());
    if cx.is_long(range.len()) {
        return Ok(Flow::Away(None));
    }
    cx.reply.array(range.len());
    list.show(range.start, End::Back, range.len(), |element| {
        super::write(&mut cx.reply, element);
    });
    Ok(Flow::Replied)
}

/// What LPOS looks for.
struct Search {
    towards: End,
    /// Matches before the first that counts.
    skipped: u64,
    /// How many are wanted, if a list of them is.
    count: Option<usize>,
    steps: usize,
}

impl Search {
    fn read(args: &mut Args<'_>) -> Result<Self, ReplyError> {
        let (mut rank, mut count, mut steps) = (1_i64, None, 0);
        while !args.is_done() {
            if args.left() < 2 {
                return Err(ReplyError::Syntax);
            } else if args.accept("RANK") {
                rank = super::signed(args)?;
                if rank == 0 {
                    return Err(RANK_ZERO);
                }
            } else if args.accept("COUNT") {
                count = Some(bound(args.bytes()?, COUNT_NEGATIVE)?);
            } else if args.accept("MAXLEN") {
                steps = bound(args.bytes()?, MAXLEN_NEGATIVE)?;
            } else {
                return Err(ReplyError::Syntax);
            }
        }
        let towards = if rank < 0 { End::Front } else { End::Back };
        let unbounded = |number| if number == 0 { usize::MAX } else { number };
        let (count, steps) = (count.map(unbounded), unbounded(steps));
        Ok(Self { towards, skipped: rank.unsigned_abs() - 1, count, steps })
    }

    /// Tells `found` the positions of the matches that count, in the direction of the search, until
    /// it breaks.
    fn run(&self, list: &List, element: &[u8], mut found: impl FnMut(usize) -> ControlFlow<()>) {
        let (sought, towards, len) = (Sought::new(element), self.towards, list.len());
        let first = if towards == End::Back { 0 } else { len };
        let (mut step, mut skipped) = (0, self.skipped);
        // Broken off or not, the search is over.
        let _ = list.try_show(first, towards, |item| {
            if step == self.steps {
                return ControlFlow::Break(());
            }
            let at = match towards {
                End::Back => step,
                End::Front => len - 1 - step,
            };
            step += 1;
            if !sought.is(item) {
                return ControlFlow::Continue(());
            }
            match skipped.checked_sub(1) {
                Some(left) => {
                    skipped = left;
                    ControlFlow::Continue(())
                }
                None => found(at),
            }
        });
    }
}

fn bound(word: &[u8], refusal: ReplyError) -> Result<usize, ReplyError> {
    parse_int(word).and_then(|number| usize::try_from(number).ok()).ok_or(refusal)
}

fn lpos(cx: &mut ReadCx<'_>) -> CmdResult {
    let (key, element) = (cx.args.bytes()?, cx.args.bytes()?);
    let search = Search::read(&mut cx.args)?;
    let list = cx.keys.get::<List>(key)?;
    let list = list.as_deref();
    if cx.is_long(list.map_or(0, List::len).min(search.steps)) {
        return Ok(Flow::Away(None));
    }

    match (list, search.count) {
        (None, None) => cx.reply.null(),
        (None, Some(_)) => cx.reply.array(0),
        (Some(list), None) => {
            let mut first = None;
            search.run(list, element, |at| {
                first = Some(at);
                ControlFlow::Break(())
            });
            match first {
                Some(at) => cx.reply.count(at),
                None => cx.reply.null(),
            }
        }
        (Some(list), Some(count)) => {
            let opened = cx.reply.open();
            let (reply, mut found) = (&mut cx.reply, 0);
            search.run(list, element, |at| {
                reply.count(at);
                found += 1;
                if found == count { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            cx.reply.close_array(opened, found);
        }
    }
    Ok(Flow::Replied)
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;

    #[test]
    fn elements_are_read_by_position() {
        Bench::new().check(&[
            "llen l => :0",
            "lindex l 0 => nil",
            "lindex l x => nil",
            "lrange l 0 -1 => []",
            "rpush l a 2 c => :3",
            "llen l => :3",
            r#"lindex l 1 => "2""#,
            r#"lindex l -1 => "c""#,
            "lindex l 3 => nil",
            "lindex l -4 => nil",
            "lindex l x => -ERR value is not an integer or out of range",
            r#"lrange l 0 -1 => ["a" "2" "c"]"#,
            r#"lrange l -100 1 => ["a" "2"]"#,
            r#"lrange l 1 100 => ["2" "c"]"#,
            "lrange l 2 1 => []",
            "lrange l -100 -50 => []",
            "lrange l 3 3 => []",
            "lrange l x 1 => -ERR value is not an integer or out of range",
        ]);
    }

    #[test]
    fn elements_are_found() {
        Bench::new().check(&[
            "rpush l a b c 1 2 3 c c => :8",
            "lpos l a => :0",
            "lpos l c => :2",
            "lpos l 3 => :5",
            "lpos l c rank -1 => :7",
            "lpos l c rank -2 => :6",
            "lpos l c rank 4 => nil",
            "lpos l c count 0 => [:2 :6 :7]",
            "lpos l c count 2 => [:2 :6]",
            "lpos l c rank 2 count 0 => [:6 :7]",
            "lpos l c rank -1 count 0 => [:7 :6 :2]",
            "lpos l c count 0 maxlen 1 => []",
            "lpos l c count 0 maxlen 3 => [:2]",
            "lpos l c count 0 maxlen 3 rank -1 => [:7 :6]",
            "lpos l nosuch => nil",
            "lpos nosuch a => nil",
            "lpos nosuch a count 0 => []",
            "lpos l a rank 0 => -ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list",
            "lpos l a count -1 => -ERR COUNT can't be negative",
            "lpos l a maxlen -1 => -ERR MAXLEN can't be negative",
            "lpos l a count => -ERR syntax error",
            "lpos l a foo 1 => -ERR syntax error",
        ]);
    }
}
