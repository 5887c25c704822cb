//! What is told to those who do it again: every effective change as commands, in order.
//!
//! A *unit* is what must take effect as a whole: one call, a transaction or a script with
//! everything it called, one key that went by itself. A unit of several commands is framed by MULTI
//! and EXEC. SELECT stands before a command when the database is another than before; before the
//! first one of a unit it stands outside the frame.
//!
//! ```text
//!   bytes   | complete units, waiting to be taken | SELECT | commands of the open unit |
//!           0                                     unit_from + select_bytes             len
//! ```
//!
//! 1. Only complete units are taken: whoever reads up to any point that was written finds whole
//!    transactions.
//! 2. With no listener nothing is put together, and a call pays for one comparison.

use crate::base::limits::LOG_BUFFER_KEPT_BYTES;
use crate::command::args::Args;
use crate::command::propagate::{Form, Telling};
use crate::command::spec::WRITE;
use crate::keyspace::DbIndex;
use crate::keyspace::journal::{EVICTED, EXPIRED, HEXPIRED, Listening, Record, SEXPIRED, ZEXPIRED};
use crate::keyspace::restore::Restored;
use crate::keyspace::snapshot::KeyspaceSnapshot;
use crate::persistence::aof::encode::write_key;
use crate::protocol::encode;

use super::Engine;
use super::client::ClientKey;
use super::registry::{RowIndex, Run};

const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";

/// See the head of the file.
#[derive(Debug, Default)]
pub(super) struct Propagation {
    is_on: bool,
    /// The call that runs, in other words.
    pub telling: Telling,
    bytes: Vec<u8>,
    unit_from: usize,
    unit_commands: usize,
    /// Bytes of the SELECT that the open unit begins with.
    select_bytes: usize,
    /// Database of the latest command; `None`: nobody knows.
    selected: Option<DbIndex>,
    /// Bytes of all complete units so far.
    offset: u64,
}

impl Propagation {
    /// Whether anybody hears.
    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Begins or ceases to put changes together.
    pub(super) fn turn(&mut self, on: bool) {
        self.is_on = on;
        self.telling.begin(false);
        self.start_anew();
        if !on {
            self.bytes.clear();
            (self.unit_from, self.unit_commands, self.select_bytes) = (0, 0, 0);
        }
    }

    /// Whoever reads from here on knows no database yet.
    pub(super) fn start_anew(&mut self) {
        self.selected = None;
    }

    /// Bytes of all complete units so far.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether complete units wait to be taken.
    #[inline]
    pub(super) fn has_units(&self) -> bool {
        self.unit_from > 0
    }

    /// Bytes allocated.
    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Hands the complete units to `reader`, which may keep the buffer and leave another one.
    pub(super) fn take(&mut self, reader: impl FnOnce(&mut Vec<u8>)) {
        let open = self.bytes[self.unit_from..].to_vec();
        self.bytes.truncate(self.unit_from);
        reader(&mut self.bytes);
        self.bytes.clear();
        self.bytes.shrink_to(LOG_BUFFER_KEPT_BYTES);
        self.bytes.extend_from_slice(&open);
        self.unit_from = 0;
    }

    /// Adds encoded commands to the open unit.
    fn add(&mut self, db: DbIndex, commands: usize, write: impl FnOnce(&mut Vec<u8>, &Telling)) {
        if self.selected != Some(db) {
            self.selected = Some(db);
            let mut digits = itoa::Buffer::new();
            let db = digits.format(db.0).as_bytes();
            encode::request(&mut self.bytes, [&b"SELECT"[..], db].into_iter());
            if self.unit_commands == 0 {
                self.select_bytes = self.bytes.len() - self.unit_from;
            }
        }
        write(&mut self.bytes, &self.telling);
        self.unit_commands += commands;
    }

    /// Completes the open unit.
    fn end_unit(&mut self) {
        if self.unit_commands == 0 {
            return;
        }
        if self.unit_commands > 1 {
            let first = self.unit_from + self.select_bytes;
            self.bytes.splice(first..first, MULTI.iter().copied());
            self.bytes.extend_from_slice(EXEC);
        }
        self.offset += (self.bytes.len() - self.unit_from) as u64;
        self.unit_from = self.bytes.len();
        (self.unit_commands, self.select_bytes) = (0, 0);
    }
}

impl Engine {
    /// Which facts are needed to tell what went by itself.
    pub(super) fn told_events(&self) -> Listening {
        if self.propagation.is_on() { Listening::Removals } else { Listening::Nothing }
    }

    /// A fact for the log: what went by itself is told as a deletion.
    pub(super) fn tell_removal(&mut self, record: &Record<'_>) {
        if !self.propagation.is_on() || self.script_is_muted() {
            return;
        }
        let of_key = |later| if later { &b"UNLINK"[..] } else { b"DEL" };
        let name = match record.event {
            EXPIRED => of_key(self.config.lazyfree_lazy_expire),
            EVICTED => of_key(self.config.lazyfree_lazy_eviction),
            HEXPIRED => b"HDEL",
            SEXPIRED => b"SREM",
            ZEXPIRED => b"ZREM",
            _ => return,
        };
        self.propagation.add(record.db, 1, |out, _| {
            let members = record.members.iter();
            encode::begin(out, 2 + members.len());
            encode::word(out, name);
            encode::word(out, record.key);
            members.for_each(|member| encode::word(out, member));
        });
        if self.caller.is_none() && !self.has_paused_script() {
            self.propagation.end_unit();
        }
    }

    /// Tells that data are again what a snapshot shows, as commands that do it anywhere.
    pub(super) fn tell_restored(&mut self, what: Restored<'_>, snapshot: &KeyspaceSnapshot) {
        let (Restored::Key(db, _) | Restored::Emptied(db)) = what;
        self.propagation.add(db, 1, |out, _| match what {
            Restored::Emptied(_) => encode::request(out, [&b"FLUSHDB"[..]].into_iter()),
            Restored::Key(_, key) => encode::request(out, [&b"DEL"[..], key].into_iter()),
        });
        if let Restored::Key(_, key) = what
            && let Some(view) = snapshot.key(db, self.keyspace.hash_of(key), key)
        {
            self.propagation.add(db, 1, |out, _| write_key(out, &view));
        }
    }

    /// Begins to tell a call: its database, and how many units are dirty before it.
    pub(super) fn begin_telling(&mut self, caller: ClientKey) -> (DbIndex, u64) {
        self.propagation.telling.begin(true);
        let db = self.clients.get(caller).map_or(DbIndex(0), |client| client.db);
        (db, self.keyspace.journal().dirty())
    }

    /// Tells a call that began when so many units were dirty.
    pub(super) fn tell_call(&mut self, db: DbIndex, index: RowIndex, args: &Args<'_>, dirty: u64) {
        let has_changed = self.keyspace.journal().dirty() != dirty;
        let row = self.registry.row(index);
        let writes = match row.run {
            Run::Write(_) => true,
            Run::Engine(_) => row.spec.flags.has(WRITE),
            Run::Read(_) | Run::Help(_) | Run::Container => false,
        };
        let tells = match self.propagation.telling.form() {
            Form::OwnWords => has_changed,
            Form::Always => true,
            Form::Told => self.propagation.telling.command_count() > 0,
        };
        if !writes || !tells || self.script_is_muted() {
            return;
        }
        match self.propagation.telling.form() {
            Form::Told => {
                let count = self.propagation.telling.command_count();
                let write = |out: &mut Vec<u8>, telling: &Telling| {
                    out.extend_from_slice(telling.commands());
                };
                self.propagation.add(db, count, write);
            }
            Form::OwnWords | Form::Always => {
                // Who reads it may know a renamed command by its usual name only.
                let top = row.parent.map_or(row, |parent| self.registry.row(parent));
                let (name, sent) = (top.spec.name.as_bytes(), args.word(0));
                let is_usual = sent.eq_ignore_ascii_case(name);
                let name = if is_usual { sent } else { name };
                let as_sent = if is_usual { args.as_sent() } else { None };
                self.propagation.add(db, 1, |out, _| {
                    if let Some(bytes) = as_sent {
                        out.extend_from_slice(bytes);
                        return;
                    }
                    encode::begin(out, args.word_count());
                    encode::word(out, name);
                    args.words().skip(1).for_each(|word| encode::word(out, word));
                });
            }
        }
    }

    /// Completes what the outermost call or script has told.
    #[inline]
    pub(super) fn end_unit(&mut self) {
        if self.propagation.is_on() {
            self.propagation.end_unit();
        }
    }
}
