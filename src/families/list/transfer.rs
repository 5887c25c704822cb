//! From one list to another: LMOVE, LMOVEM, RPOPLPUSH, and the forms that wait for elements.

use crate::base::number::digits;
use crate::base::time::UnixMillis;
use crate::command::args::Args;
use crate::command::context::{Absence, CmdResult, Flow, Wait, WriteCx};
use crate::command::spec::DataRun::{self, Write};
use crate::command::spec::{
    Arg, BLOCKING, Command, DENY_OOM, Group, Key, at_least, block, double, exactly, integer, key,
    one_of, pure,
};
use crate::families::timeout;
use crate::keyspace::journal::Change;
use crate::keyspace::value::{Kind, WrongType};
use crate::protocol::error::ReplyError;
use crate::structures::cow_tree::End;
use crate::types::list::List;

const FROM: Arg = one_of("wherefrom", &[pure("left", "LEFT"), pure("right", "RIGHT")]);
const TO: Arg = one_of("whereto", &[pure("left", "LEFT"), pure("right", "RIGHT")]);
const HOW_MANY: Arg = block(
    "how-many",
    &[
        one_of("selector", &[integer("count").token("COUNT"), integer("exactly").token("EXACTLY")]),
        one_of("ordering", &[pure("obo", "OBO"), pure("bulk", "BULK")]),
    ],
);
const KEYS: &[Key] = &[Key::at(1, &["RW", "access", "delete"]), Key::at(2, &["RW", "insert"])];

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("LMOVE", exactly(5), Group::List, Write(lmove))
        .keys(KEYS)
        .flags(DENY_OOM)
        .args(&[key("source"), key("destination").spec(1), FROM, TO])
        .doc("6.2.0", "Moves an element from one list to another, or within one.", "O(1)"),
    Command::new("LMOVEM", at_least(5), Group::List, Write(lmovem))
        .keys(KEYS)
        .flags(DENY_OOM)
        .args(&[key("source"), key("destination").spec(1), FROM, TO, HOW_MANY.optional()])
        .doc("8.10.0", "Moves several elements from one list to another.", "O(N)"),
    Command::new("RPOPLPUSH", exactly(3), Group::List, Write(rpoplpush))
        .keys(KEYS)
        .flags(DENY_OOM)
        .args(&[key("source"), key("destination").spec(1)])
        .deprecated("6.2.0", "`LMOVE` with the `RIGHT` and `LEFT` arguments")
        .doc("1.2.0", "Moves the last element of a list to the front of another.", "O(1)"),
    Command::new("BLMOVE", exactly(6), Group::List, Write(blmove))
        .keys(KEYS)
        .flags(DENY_OOM.and(BLOCKING))
        .args(&[key("source"), key("destination").spec(1), FROM, TO, double("timeout")])
        .doc("6.2.0", "Moves an element between lists as soon as there is one.", "O(1)"),
    Command::new("BLMOVEM", at_least(6), Group::List, Write(blmovem))
        .keys(KEYS)
        .flags(DENY_OOM.and(BLOCKING))
        .args(&[
            key("source"),
            key("destination").spec(1),
            FROM,
            TO,
            double("timeout"),
            HOW_MANY.optional(),
        ])
        .doc("8.10.0", "Moves several elements between lists as soon as they are there.", "O(N)"),
    Command::new("BRPOPLPUSH", exactly(4), Group::List, Write(brpoplpush))
        .keys(KEYS)
        .flags(DENY_OOM.and(BLOCKING))
        .args(&[key("source"), key("destination").spec(1), double("timeout")])
        .deprecated("6.2.0", "`BLMOVE` with the `RIGHT` and `LEFT` arguments")
        .doc("2.2.0", "Moves the last element of a list to another once it has one.", "O(1)"),
];

const COUNT: ReplyError = ReplyError::Fixed("ERR count should be greater than 0");

/// How many elements move, and in what order they arrive.
#[derive(Clone, Copy)]
struct Amount {
    count: usize,
    /// None at all when there are fewer.
    is_exact: bool,
    /// In the order they had, not one by one.
    in_bulk: bool,
}

impl Amount {
    const ONE: Self = Self { count: 1, is_exact: false, in_bulk: false };

    fn read(args: &mut Args<'_>) -> Result<Self, ReplyError> {
        if args.is_done() {
            return Ok(Self::ONE);
        }
        let is_exact = args.accept("EXACTLY");
        if !is_exact && !args.accept("COUNT") {
            return Err(ReplyError::Syntax);
        }
        let count = args.positive(COUNT)?;
        let in_bulk = args.accept("BULK");
        if !in_bulk && !args.accept("OBO") {
            return Err(ReplyError::Syntax);
        }
        args.finish()?;
        Ok(Self { count, is_exact, in_bulk })
    }
}

/// What moves where.
#[derive(Clone, Copy)]
struct Move<'a> {
    source: &'a [u8],
    target: &'a [u8],
    from: End,
    to: End,
    amount: Amount,
}

impl<'a> Move<'a> {
    /// `source destination LEFT|RIGHT LEFT|RIGHT`
    fn read(args: &mut Args<'a>) -> Result<Self, ReplyError> {
        let (source, target) = (args.bytes()?, args.bytes()?);
        let (from, to) = (super::end(args)?, super::end(args)?);
        Ok(Self { source, target, from, to, amount: Amount::ONE })
    }

    /// `source destination`, from the end of the one to the front of the other.
    fn read_keys(args: &mut Args<'a>) -> Result<Self, ReplyError> {
        let (source, target) = (args.bytes()?, args.bytes()?);
        Ok(Self { source, target, from: End::Back, to: End::Front, amount: Amount::ONE })
    }

    /// Moves elements; those that moved, in the order in which they stand at the target. `None`
    /// when there are too few.
    fn run(&self, cx: &mut WriteCx<'_>) -> Result<Option<Vec<Vec<u8>>>, WrongType> {
        let Some(moved) = self.chosen(cx)? else { return Ok(None) };
        let limit = cx.limits.encodings.list_pack;
        let (pushed, popped) = (super::pushed(self.to), super::popped(self.from));
        let count = moved.len();
        let take = |list: &mut List| {
            let at = match self.from {
                End::Front => 0,
                End::Back => list.len() - count,
            };
            list.remove(at, count, limit);
        };
        let put = |list: &mut List| match self.to {
            End::Front => list.push(End::Front, moved.iter().rev().map(Vec::as_slice), limit),
            End::Back => list.push(End::Back, moved.iter().map(Vec::as_slice), limit),
        };

        // Clients see the push before the pop.
        if self.source == self.target {
            cx.keys.update(self.source, |list: &mut List, _| {
                take(list);
                put(list);
                ((), Change::Both(pushed, popped, count as u64))
            })?;
        } else {
            cx.keys.upsert(self.target, |list: &mut List, _| {
                put(list);
                ((), Change::Did(pushed, count as u64))
            })?;
            cx.keys.update(self.source, |list: &mut List, _| {
                take(list);
                ((), Change::Did(popped, count as u64))
            })?;
        }
        Ok(Some(moved))
    }

    fn chosen(&self, cx: &WriteCx<'_>) -> Result<Option<Vec<Vec<u8>>>, WrongType> {
        let reader = cx.keys.reader();
        let Some(list) = reader.peek(self.source) else { return Ok(None) };
        let list = list.collection::<List>()?;
        if !matches!(reader.kind(self.target), None | Some(Kind::List)) {
            return Err(WrongType);
        }
        let Amount { count, is_exact, in_bulk } = self.amount;
        if is_exact && list.len() < count {
            return Ok(None);
        }
        let at = match self.from {
            End::Front => 0,
            End::Back => list.len() - 1,
        };
        let mut chosen = Vec::new();
        list.show(at, self.from.opposite(), count, |element| chosen.push(element.to_vec()));
        // One by one, what comes last to the front stands first.
        let is_reversed = if in_bulk { self.from == End::Back } else { self.to == End::Front };
        if is_reversed {
            chosen.reverse();
        }
        Ok(Some(chosen))
    }

    fn wait(&self, deadline: Option<UnixMillis>, otherwise: Absence) -> Flow {
        Wait::new(Kind::List, [self.source], deadline, otherwise).into()
    }
}

fn lmove(cx: &mut WriteCx<'_>) -> CmdResult {
    let plan = Move::read(&mut cx.args)?;
    move_one(cx, plan)
}

fn rpoplpush(cx: &mut WriteCx<'_>) -> CmdResult {
    let plan = Move::read_keys(&mut cx.args)?;
    move_one(cx, plan)
}

fn move_one(cx: &mut WriteCx<'_>, plan: Move<'_>) -> CmdResult {
    match plan.run(cx)?.as_deref() {
        Some([element]) => cx.reply.bulk(element),
        _ => cx.reply.null(),
    }
    Ok(Flow::Replied)
}

fn blmove(cx: &mut WriteCx<'_>) -> CmdResult {
    let plan = Move::read(&mut cx.args)?;
    move_one_or_wait(cx, plan)
}

fn brpoplpush(cx: &mut WriteCx<'_>) -> CmdResult {
    let plan = Move::read_keys(&mut cx.args)?;
    move_one_or_wait(cx, plan)
}

fn move_one_or_wait(cx: &mut WriteCx<'_>, plan: Move<'_>) -> CmdResult {
    let deadline = timeout::in_seconds(cx.args.bytes()?, cx.keys.now())?;

    match plan.run(cx)?.as_deref() {
        Some([element]) => {
            tell(cx, &plan, 1);
            cx.reply.bulk(element);
        }
        _ => return Ok(plan.wait(deadline, Absence::Null)),
    }
    Ok(Flow::Replied)
}

/// Tells the form that doesn't wait.
fn tell(cx: &mut WriteCx<'_>, plan: &Move<'_>, count: usize) {
    if !cx.telling.is_heard() {
        return;
    }
    let word = |end| match end {
        End::Front => &b"LEFT"[..],
        End::Back => b"RIGHT",
    };
    let Move { source, target, from, to, amount } = *plan;
    let ends = [source, target, word(from), word(to)];
    if count == 1 && (from, to) == (End::Back, End::Front) && cx.args.word_count() == 4 {
        cx.telling.instead([b"RPOPLPUSH", source, target]);
    } else if count == 1 {
        cx.telling.instead([&[&b"LMOVE"[..]][..], &ends].concat());
    } else {
        let order = if amount.in_bulk { &b"BULK"[..] } else { b"OBO" };
        let count = digits(count);
        let tail = [b"COUNT", count.as_bytes(), order];
        cx.telling.instead([&[&b"LMOVEM"[..]][..], &ends, &tail].concat());
    }
}

fn lmovem(cx: &mut WriteCx<'_>) -> CmdResult {
    let plan = Move::read(&mut cx.args)?;
    let plan = Move { amount: Amount::read(&mut cx.args)?, ..plan };

    match plan.run(cx)? {
        Some(moved) => write_all(cx, &moved),
        None => cx.reply.null_array(),
    }
    Ok(Flow::Replied)
}

fn blmovem(cx: &mut WriteCx<'_>) -> CmdResult {
    let plan = Move::read(&mut cx.args)?;
    let deadline = timeout::in_seconds(cx.args.bytes()?, cx.keys.now())?;
    let plan = Move { amount: Amount::read(&mut cx.args)?, ..plan };

    match plan.run(cx)? {
        Some(moved) => {
            tell(cx, &plan, moved.len());
            write_all(cx, &moved);
        }
        None => return Ok(plan.wait(deadline, Absence::NullArray)),
    }
    Ok(Flow::Replied)
}

fn write_all(cx: &mut WriteCx<'_>, moved: &[Vec<u8>]) {
    cx.reply.array(moved.len());
    for element in moved {
        cx.reply.bulk(element);
    }
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;

    const REFUSAL: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";

    #[test]
    fn one_element_moves() {
        Bench::new().check(&[
            "lmove a b left right => nil",
            "rpush a 1 2 3 4 => :4",
            r#"lmove a b left right => "1""#,
            r#"lmove a b right left => "4""#,
            r#"lrange b 0 -1 => ["4" "1"]"#,
            r#"rpoplpush a b => "3""#,
            r#"lmove a b right right => "2""#,
            "exists a => :0",
            r#"lrange b 0 -1 => ["3" "4" "1" "2"]"#,
            r#"rpoplpush b b => "2""#,
            r#"lmove b b left left => "2""#,
            r#"lrange b 0 -1 => ["2" "3" "4" "1"]"#,
            "lmove a b top left => -ERR syntax error",
            "set s v => +OK",
            &format!("lmove s b left left => {REFUSAL}"),
            &format!("lmove b s left left => {REFUSAL}"),
            "lmove nosuch s left left => nil",
            "llen b => :4",
        ]);
    }

    #[test]
    fn several_elements_move_one_by_one_or_in_bulk() {
        let check = |words: &str, moved: &str, target: &str| {
            let mut bench = Bench::new();
            bench.run("rpush a 1 2 3 4");
            bench.run("rpush b x");
            assert_eq!(bench.run(&format!("lmovem a b {words}")), moved, "{words}");
            assert_eq!(bench.run("lrange b 0 -1"), target, "{words}");
        };
        check("left left", r#"["1"]"#, r#"["1" "x"]"#);
        check("left left count 2 obo", r#"["2" "1"]"#, r#"["2" "1" "x"]"#);
        check("left left count 2 bulk", r#"["1" "2"]"#, r#"["1" "2" "x"]"#);
        check("left right count 2 obo", r#"["1" "2"]"#, r#"["x" "1" "2"]"#);
        check("right right count 2 obo", r#"["4" "3"]"#, r#"["x" "4" "3"]"#);
        check("right right count 2 bulk", r#"["3" "4"]"#, r#"["x" "3" "4"]"#);
        check("right left count 9 obo", r#"["1" "2" "3" "4"]"#, r#"["1" "2" "3" "4" "x"]"#);
        check("left left exactly 5 obo", "nil", r#"["x"]"#);
        check("left left exactly 4 bulk", r#"["1" "2" "3" "4"]"#, r#"["1" "2" "3" "4" "x"]"#);
        check("left left count 2", "-ERR syntax error", r#"["x"]"#);
        check("left left obo", "-ERR syntax error", r#"["x"]"#);
        check("left left count 0 obo", "-ERR count should be greater than 0", r#"["x"]"#);
        check("left left count 1 obo 1", "-ERR syntax error", r#"["x"]"#);
    }

    #[test]
    fn several_elements_move_within_a_list() {
        Bench::new().check(&[
            "rpush a 1 2 3 => :3",
            r#"lmovem a a left left count 3 bulk => ["1" "2" "3"]"#,
            r#"lmovem a a left right exactly 2 obo => ["1" "2"]"#,
            r#"lrange a 0 -1 => ["3" "1" "2"]"#,
            r#"lmovem a a left left count 9 obo => ["2" "1" "3"]"#,
            r#"lrange a 0 -1 => ["2" "1" "3"]"#,
        ]);
    }

    #[test]
    fn who_finds_nothing_to_move_waits() {
        Bench::new().check(&[
            "blmove a b left left 0 => waits",
            "brpoplpush a b 0.1 => waits",
            "blmovem a b left left 0 => waits",
            "rpush a 1 2 => :2",
            "blmovem a b left left 0 exactly 3 bulk => waits",
            r#"blmovem a b left left 0 count 3 bulk => ["1" "2"]"#,
            r#"blmove b a left left 0 => "1""#,
            r#"brpoplpush b a 0 => "2""#,
            "blmove a b left left -1 => -ERR timeout is negative",
            "blmove a b left top x => -ERR syntax error",
            "brpoplpush a b x => -ERR timeout is not a float or out of range",
        ]);
    }
}
