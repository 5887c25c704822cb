//! All commands of all layers under their names.
//!
//! Names are found without regard to case through a small open-addressed table; a container's
//! subcommands through its own list. Statistics of a command live beside its row.

use crate::command::args::Args;
use crate::command::context::{CmdResult, ReadHandler, WriteCx};
use crate::command::spec::{Begin, Command, DataRun, FAST, Find, Flags, NONE, PUBSUB, Spec};
use crate::config::file::RenamedCommand;

use super::context::EngineCx;
use super::stats::CallStats;

/// Handler of a command that needs more than the keyspace.
pub type EngineHandler = fn(&mut EngineCx<'_>) -> CmdResult;

/// What runs an engine command.
#[derive(Clone, Copy, Debug)]
pub enum EngineRun {
    /// This function.
    Engine(EngineHandler),
    /// Prints the usage of its container.
    Help(&'static [&'static str]),
    /// Only its subcommands run.
    Container,
}

/// What runs a row.
#[derive(Clone, Copy, Debug)]
pub enum Run {
    /// Reads the keyspace.
    Read(ReadHandler),
    /// May change the keyspace.
    Write(fn(&mut WriteCx<'_>) -> CmdResult),
    /// Works on the engine.
    Engine(EngineHandler),
    /// Prints the usage of its container.
    Help(&'static [&'static str]),
    /// Only its subcommands run.
    Container,
}

/// Index of a row in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowIndex(pub u16);

/// A command as it is found at run time.
#[derive(Debug)]
pub struct Row {
    /// What can be said without running it; flags are complete (`write`, `readonly` included).
    pub spec: Spec,
    /// What runs it.
    pub run: Run,
    /// Lower-case name, `container|sub` for subcommands.
    pub full_name: Box<str>,
    /// The container it belongs to.
    pub parent: Option<RowIndex>,
    /// Subcommands, in the order of declaration.
    pub children: Vec<RowIndex>,
    /// The only key, where that is at a fixed place; else 0.
    pub only_key: usize,
    /// First key, last key (negative: from the end) and step; zeros without fixed positions.
    pub first_last_step: (usize, isize, usize),
    /// Whether it changes the data set by what it reads at other keys than it changes.
    pub reads_sources: bool,
    /// What its calls have cost.
    pub stats: CallStats,
}

impl Row {
    /// Whether it has subcommands. COMMAND does, and yet runs without any.
    pub fn is_container(&self) -> bool {
        !self.children.is_empty()
    }

    /// Whether it is EXEC, which ends its transaction even when it is refused.
    pub(super) fn is_exec(&self) -> bool {
        self.parent.is_none() && self.spec.name == "EXEC"
    }

    /// Whether a call leaves clients alone, apart from its own and those who listen.
    pub(super) fn lets_gather(&self) -> bool {
        // PUBLISH and SPUBLISH are the fast ones among the commands of publish/subscribe.
        let publishes = self.spec.flags.has(PUBSUB.and(FAST));
        publishes || matches!(self.run, Run::Read(_) | Run::Write(_))
    }

    /// First key, step and last key of a call of `words` words, as far as fixed positions tell;
    /// first 0 when there are none.
    pub(super) fn key_range(&self, words: usize) -> (usize, usize, usize) {
        let (first, last, step) = self.first_last_step;
        if first == 0 || first >= words {
            return (0, 1, 0);
        }
        let last =
            if last < 0 { words.saturating_sub(last.unsigned_abs()) } else { last.unsigned_abs() };
        (first, step.max(1), last.min(words - 1))
    }

    /// Whether a call of `words` words may run.
    pub(super) fn fits(&self, words: usize) -> bool {
        self.spec.arity.admits(words) && (self.children.is_empty() || words < 2)
    }

    pub(super) fn has_many_keys(&self) -> bool {
        self.first_last_step.1 != isize::try_from(self.first_last_step.0).unwrap_or(0)
    }

    /// First key, last key and step as `COMMAND INFO` prints them: key specs of fixed positions
    /// that follow each other are one range.
    fn positions(spec: &Spec) -> (usize, isize, usize) {
        let mut found: Option<(usize, isize, usize)> = None;
        for key in spec.keys {
            let (Begin::Index(begin), Find::Range { last, step, .. }) = (key.begin, key.find)
            else {
                continue;
            };
            let begin = isize::try_from(begin).unwrap_or(0);
            let last = isize::try_from(last).unwrap_or(0);
            let last = if last < 0 { last } else { begin + last };
            found = match found {
                None => Some((begin.unsigned_abs(), last, usize::try_from(step).unwrap_or(1))),
                Some((first, known, 1)) if known + 1 == begin && step == 1 => {
                    Some((first, last, 1))
                }
                known => known,
            };
        }
        found.unwrap_or((0, 0, 0))
    }
}

/// Slots of the name table; a power of two several times the number of commands.
const SLOTS: usize = 2048;

/// A name of the table. Most names are told apart by their folded ends and their length alone: a
/// byte that folds to a lower-case letter is that letter in one case or the other.
#[derive(Clone, Copy, Debug)]
struct Name {
    folded: u64,
    len: u16,
    row: u16,
    /// Whether `folded` holds all of the name, and nothing but letters.
    is_plain: bool,
    /// Whether the row has subcommands.
    is_container: bool,
}

const VACANT: Name = Name { folded: 0, len: 0, row: EMPTY, is_plain: false, is_container: false };

/// All commands.
#[derive(Debug)]
pub struct Registry {
    rows: Vec<Row>,
    slots: Box<[Name]>,
    /// `rename-command`: new name in lower case to row; taken-away names are absent from `slots`.
    top: Vec<RowIndex>,
}

const EMPTY: u16 = u16::MAX;

impl Registry {
    /// The commands of all families and of the engine, under the names that `renames` leaves them.
    pub fn new(renames: &[RenamedCommand]) -> Self {
        let mut registry =
            Self { rows: Vec::new(), slots: vec![VACANT; SLOTS].into(), top: Vec::new() };
        for table in crate::families::TABLES {
            for command in *table {
                registry.add(command, |run| {
                    let kind = match run {
                        DataRun::Read(handler) => Run::Read(handler),
                        DataRun::Write(handler) | DataRun::Refresh(handler) => Run::Write(handler),
                        DataRun::Help(lines) => Run::Help(lines),
                        DataRun::Container => Run::Container,
                    };
                    (kind, run.flags())
                });
            }
        }
        for table in super::TABLES {
            for command in *table {
                registry.add(command, |run| match run {
                    EngineRun::Engine(handler) => (Run::Engine(handler), NONE),
                    EngineRun::Help(lines) => (Run::Help(lines), NONE),
                    EngineRun::Container => (Run::Container, NONE),
                });
            }
        }
        for index in registry.top.clone() {
            let mut name = registry.row(index).full_name.to_string();
            for rename in renames {
                if rename.from.eq_ignore_ascii_case(name.as_bytes()) {
                    name = String::from_utf8_lossy(&rename.to).to_ascii_lowercase();
                }
            }
            if !name.is_empty() {
                registry.publish(&name, index);
            }
        }
        registry
    }

    fn add<R: Copy>(&mut self, command: &Command<R>, convert: impl Fn(R) -> (Run, Flags) + Copy) {
        let parent = self.push(command, None, convert);
        self.top.push(parent);
        for subcommand in command.subcommands {
            let child = self.push(subcommand, Some(parent), convert);
            self.rows[usize::from(parent.0)].children.push(child);
        }
    }

    fn push<R: Copy>(
        &mut self,
        command: &Command<R>,
        parent: Option<RowIndex>,
        convert: impl Fn(R) -> (Run, Flags),
    ) -> RowIndex {
        let (run, derived) = convert(command.run);
        let mut spec = command.spec;
        spec.flags = spec.flags.and(derived);
        let own = spec.name.to_ascii_lowercase();
        let full_name = match parent {
            None => own,
            Some(parent) => format!("{}|{own}", self.row(parent).full_name),
        };
        let index = RowIndex(u16::try_from(self.rows.len()).expect("a few hundred commands"));
        let first_last_step = Row::positions(&command.spec);
        let (first, last, _) = first_last_step;
        self.rows.push(Row {
            spec,
            run,
            full_name: full_name.into(),
            parent,
            children: Vec::new(),
            only_key: if usize::try_from(last) == Ok(first) { first } else { 0 },
            first_last_step,
            reads_sources: matches!(run, Run::Write(_))
                && spec.keys.iter().any(|key| key.access.contains(&"RO")),
            stats: CallStats::default(),
        });
        index
    }

    fn publish(&mut self, name: &str, index: RowIndex) {
        let folded = folded(name.as_bytes());
        let mut slot = slot_of(folded, name.len());
        while self.slots[slot].row != EMPTY {
            slot = (slot + 1) % SLOTS;
        }
        let is_plain =
            name.len() <= PLAIN_MAX && name.bytes().all(|byte| byte.is_ascii_lowercase());
        let len = u16::try_from(name.len()).unwrap_or(u16::MAX);
        let is_container = self.row(index).is_container();
        self.slots[slot] = Name { folded, len, row: index.0, is_plain, is_container };
        if *self.rows[usize::from(index.0)].full_name != *name {
            self.rows[usize::from(index.0)].full_name = name.into();
        }
    }

    /// The top-level command called `name`, in any case. O(1).
    #[inline]
    pub fn find(&self, name: &[u8]) -> Option<RowIndex> {
        self.find_name(name).map(|found| RowIndex(found.row))
    }

    /// The command or subcommand that a request names. An unknown subcommand stays with its
    /// container, whose refusal names it. O(1), O(subcommands) for a container.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "once per request, where its result is taken apart")]
    pub fn find_called(&self, args: &Args<'_>) -> Option<RowIndex> {
        let found = self.find_name(args.word(0))?;
        let row = RowIndex(found.row);
        Some(if found.is_container { self.find_within(row, args) } else { row })
    }

    #[cold]
    fn find_within(&self, container: RowIndex, args: &Args<'_>) -> RowIndex {
        if args.word_count() < 2 {
            return container;
        }
        self.find_child(container, args.word(1)).unwrap_or(container)
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "once per request, where its result is taken apart")]
    fn find_name(&self, name: &[u8]) -> Option<&Name> {
        let folded = folded(name);
        let mut slot = slot_of(folded, name.len());
        loop {
            let found = &self.slots[slot];
            if found.row == EMPTY {
                return None;
            }
            if found.folded == folded
                && usize::from(found.len) == name.len()
                && (found.is_plain || self.is_called(found.row, name))
            {
                return Some(found);
            }
            slot = (slot + 1) % SLOTS;
        }
    }

    /// The top-level command of this usual name, whatever it goes by here, or that goes by this
    /// name. O(commands) for a command that was renamed, O(1) otherwise.
    pub fn find_original(&self, name: &[u8]) -> Option<RowIndex> {
        let is_named =
            |row: &RowIndex| self.row(*row).spec.name.as_bytes().eq_ignore_ascii_case(name);
        let found = self.find(name);
        if found.as_ref().is_some_and(is_named) {
            return found;
        }
        self.top.iter().copied().find(is_named).or(found)
    }

    fn is_called(&self, row: u16, name: &[u8]) -> bool {
        self.rows[usize::from(row)].full_name.as_bytes().eq_ignore_ascii_case(name)
    }

    /// The subcommand of `parent` called `name`, in any case. O(subcommands).
    pub fn find_child(&self, parent: RowIndex, name: &[u8]) -> Option<RowIndex> {
        let children = &self.row(parent).children;
        children
            .iter()
            .copied()
            .find(|child| self.row(*child).spec.name.as_bytes().eq_ignore_ascii_case(name))
    }

    /// The command called `name`, where `container|sub` names a subcommand.
    pub fn find_full(&self, name: &[u8]) -> Option<RowIndex> {
        match name.iter().position(|byte| *byte == b'|') {
            None => self.find(name),
            Some(bar) => self.find_child(self.find(&name[..bar])?, &name[bar + 1..]),
        }
    }

    /// The top-level command that was declared under this name, whatever it is called now.
    ///
    /// # Panics
    /// When there is none, which the first start would show.
    pub fn row_called(&self, name: &str) -> RowIndex {
        let mut top = self.top.iter().copied();
        let found = top.find(|index| self.row(*index).spec.name.eq_ignore_ascii_case(name));
        found.expect("a command of the table")
    }

    /// A row.
    pub fn row(&self, index: RowIndex) -> &Row {
        &self.rows[usize::from(index.0)]
    }

    /// A row, to count into.
    pub fn row_mut(&mut self, index: RowIndex) -> &mut Row {
        &mut self.rows[usize::from(index.0)]
    }

    /// Commands that can be called, in the order of declaration.
    pub fn commands(&self) -> impl Iterator<Item = RowIndex> {
        self.top
            .iter()
            .copied()
            .filter(|index| self.find(self.row(*index).full_name.as_bytes()) == Some(*index))
    }

    /// All rows, subcommands included.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// All rows, to reset their statistics.
    pub fn rows_mut(&mut self) -> &mut [Row] {
        &mut self.rows
    }
}

/// Whether there is a command of this name, in any case.
pub fn is_command(name: &[u8]) -> bool {
    Registry::new(&[]).find(name).is_some()
}

/// Names of up to this many bytes are held by [`folded`] in full.
const PLAIN_MAX: usize = 8;

/// The ends of a name with the case bit set: up to eight bytes all of it, beyond a mixture of the
/// first and the last eight.
#[inline]
fn folded(name: &[u8]) -> u64 {
    const FOLD: u64 = 0x2020_2020_2020_2020;
    if let (Some(head), Some(tail)) = (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        let (head, tail) = (u64::from_le_bytes(*head) | FOLD, u64::from_le_bytes(*tail) | FOLD);
        return if name.len() == PLAIN_MAX { head } else { head ^ tail.rotate_left(29) };
    }
    if let (Some(head), Some(tail)) = (name.first_chunk::<4>(), name.last_chunk::<4>()) {
        let (head, tail) = (u32::from_le_bytes(*head), u32::from_le_bytes(*tail));
        return u64::from(head) | u64::from(tail) << 32 | FOLD;
    }
    match *name {
        [one] => u64::from(one) | FOLD,
        [one, two] => u64::from(u16::from_le_bytes([one, two])) | FOLD,
        [one, two, three] => u64::from(u32::from_le_bytes([one, two, three, 0])) | FOLD,
        _ => 0,
    }
}

/// Home slot of a name with these folded ends.
#[inline]
fn slot_of(folded: u64, len: usize) -> usize {
    let mixed = (folded ^ len as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(mixed >> 53).unwrap_or(0) % SLOTS
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn names_are_found_in_any_case_and_nothing_like_them() {
        let registry = Registry::new(&[]);
        for index in registry.commands() {
            let name = registry.row(index).full_name.to_string();
            assert_eq!(registry.find(name.as_bytes()), Some(index));
            assert_eq!(registry.find(name.to_ascii_uppercase().as_bytes()), Some(index));
            for at in 0..name.len() {
                // Only the case bit of a letter may differ.
                let mut other = name.clone().into_bytes();
                other[at] ^= 0x40;
                assert_eq!(registry.find(&other), None, "{name} at {at}");
                other[at] ^= 0x60;
                assert_eq!(
                    registry.find(&other).is_some(),
                    name.as_bytes()[at].is_ascii_alphabetic()
                );
            }
        }
        for name in [&b""[..], b"g", b"ge", b"gett", b"get\0", &[b'g'; 300], &[0; 9]] {
            assert_eq!(registry.find(name), None);
        }
    }

    #[test]
    fn renamed_commands_go_by_their_new_name_only() {
        let rename = RenamedCommand { from: b"GET".to_vec(), to: b"Fetch-It".to_vec() };
        let registry = Registry::new(&[rename]);
        assert_eq!(registry.find(b"get"), None);
        assert!(registry.find(b"FETCH-IT").is_some());
        assert_eq!(registry.find(b"FETCH\rIT"), None);
    }
}
