//! MULTI, EXEC, DISCARD, WATCH: commands queued per client, run in one go.

use crate::base::blob::Blob;
use crate::command::args::Args;
use crate::command::context::{CmdResult, Flow};
use crate::command::spec::{
    ALLOW_BUSY, Command, FAST, Group, Key, LOADING, NOSCRIPT, SKIP_SLOWLOG, STALE, at_least,
    exactly, key,
};
use crate::keyspace::DbIndex;
use crate::protocol::error::ReplyError;
use crate::protocol::reply::{Output, Reply};
use crate::protocol::request::Span;
use crate::structures::size_class::size_class;

use super::Engine;
use super::client::{ClientFlags, ClientKey};
use super::context::EngineCx;
use super::registry::EngineRun::{self, Engine as Run};
use super::registry::RowIndex;

/// Commands of this file.
pub(super) const COMMANDS: &[Command<EngineRun>] = &[
    Command::new("MULTI", exactly(1), Group::Transactions, Run(multi))
        .flags(NOSCRIPT.and(LOADING).and(STALE).and(FAST).and(ALLOW_BUSY))
        .doc("1.2.0", "Begins a transaction: what follows is queued until EXEC.", "O(1)"),
    Command::new("EXEC", exactly(1), Group::Transactions, Run(exec))
        .flags(NOSCRIPT.and(LOADING).and(STALE).and(SKIP_SLOWLOG))
        .doc("1.2.0", "Runs the queued commands as one.", "Depends on commands in the transaction"),
    Command::new("DISCARD", exactly(1), Group::Transactions, Run(discard))
        .flags(NOSCRIPT.and(LOADING).and(STALE).and(FAST).and(ALLOW_BUSY))
        .doc(
            "2.0.0",
            "Drops the queued commands and ends the transaction.",
            "O(N), when N is the number of queued commands",
        ),
    Command::new("WATCH", at_least(2), Group::Transactions, Run(watch))
        .keys(&[Key::at(1, &["RO"]).through(-1, 1, 0)])
        .flags(NOSCRIPT.and(LOADING).and(STALE).and(FAST).and(ALLOW_BUSY))
        .args(&[key("key").repeated()])
        .doc("2.2.0", "Makes the next EXEC depend on keys staying as they are.", "O(1) per key"),
    Command::new("UNWATCH", exactly(1), Group::Transactions, Run(unwatch))
        .flags(NOSCRIPT.and(LOADING).and(STALE).and(FAST).and(ALLOW_BUSY))
        .doc("2.2.0", "Forgets all watched keys of the connection.", "O(1)"),
];

/// One queued command with words of its own.
#[derive(Debug)]
pub struct Queued {
    /// What to run.
    pub row: RowIndex,
    bytes: Box<[u8]>,
    spans: Box<[Span]>,
    large: Vec<Blob>,
}

impl Queued {
    /// Copies the words of a request; large bulks are shared.
    pub fn new(row: RowIndex, args: &Args<'_>) -> Self {
        let mut bytes = Vec::new();
        let mut spans = Vec::with_capacity(args.word_count());
        let mut large = Vec::new();
        for index in 0..args.word_count() {
            spans.push(if let Some(blob) = args.blob(index) {
                large.push(blob.clone());
                Span { start: Span::LARGE, end: position(large.len() - 1) }
            } else {
                let start = position(bytes.len());
                bytes.extend_from_slice(args.word(index));
                Span { start, end: position(bytes.len()) }
            });
        }
        Self { row, bytes: bytes.into(), spans: spans.into(), large }
    }

    /// A request of these words, the name included.
    pub fn of_words(row: RowIndex, words: &[Box<[u8]>]) -> Self {
        let mut end = 0;
        let spans = words.iter().map(|word| {
            let start = end;
            end += word.len();
            Span { start: position(start), end: position(end) }
        });
        Self { row, spans: spans.collect(), bytes: words.concat().into(), large: Vec::new() }
    }

    /// The words, to be run.
    pub fn args(&self) -> Args<'_> {
        Args::new(&self.bytes, &self.spans, &self.large)
    }

    /// Bytes of memory taken.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.bytes.len()
            + self.spans.len() * size_of::<Span>()
            + self.large.iter().map(Blob::capacity).sum::<usize>()
    }
}

/// A request's words fit the decoder's 32-bit positions, so their copy does too.
fn position(length: usize) -> u32 {
    u32::try_from(length).expect("a request is shorter than 4 GiB")
}

/// A client's transaction.
#[derive(Debug, Default)]
pub struct Transaction {
    /// Commands since MULTI.
    pub queue: Vec<Queued>,
    /// Bytes of the queue.
    pub queued_bytes: usize,
    /// Commands that EXEC has taken over and is running.
    pub executing: usize,
    /// Keys that must stay as they are.
    pub(super) watched: Vec<Watched>,
}

/// A key that a client watches.
#[derive(Debug)]
pub(super) struct Watched {
    pub db: DbIndex,
    pub key: Box<[u8]>,
    /// Whether it was there when WATCH looked.
    pub existed: bool,
}

impl Transaction {
    /// Bytes of memory taken.
    pub fn memory_bytes(&self) -> usize {
        let watched = self.watched.iter().map(|watched| size_class(watched.key.len()));
        size_of::<Self>()
            + self.queued_bytes
            + self.watched.capacity() * size_of::<Watched>()
            + watched.sum::<usize>()
    }

    /// How many commands wait or run, for CLIENT LIST.
    pub fn command_count(&self) -> usize {
        self.queue.len() + self.executing
    }

    /// How many keys are watched.
    pub fn watched_count(&self) -> usize {
        self.watched.len()
    }
}

fn multi(cx: &mut EngineCx<'_>) -> CmdResult {
    let client = cx.caller();
    if client.flags.has(ClientFlags::MULTI) {
        return Err(ReplyError::Fixed("ERR MULTI calls can not be nested"));
    }
    client.flags.set(ClientFlags::MULTI, true);
    cx.reply.ok();
    Ok(Flow::Replied)
}

fn discard(cx: &mut EngineCx<'_>) -> CmdResult {
    if !cx.caller().flags.has(ClientFlags::MULTI) {
        return Err(ReplyError::Fixed("ERR DISCARD without MULTI"));
    }
    cx.engine.end_transaction(cx.client);
    cx.reply.ok();
    Ok(Flow::Replied)
}

fn exec(cx: &mut EngineCx<'_>) -> CmdResult {
    let key = cx.client;
    if !cx.caller().flags.has(ClientFlags::MULTI) {
        return Err(ReplyError::Fixed("ERR EXEC without MULTI"));
    }
    let has_changed = cx.engine.has_watched_change(key);
    if cx.caller().flags.has(ClientFlags::DIRTY_EXEC) {
        cx.engine.end_transaction(key);
        return Err(ReplyError::Fixed(
            "EXECABORT Transaction discarded because of previous errors.",
        ));
    }
    if has_changed {
        cx.engine.end_transaction(key);
        cx.reply.null_array();
        return Ok(Flow::Replied);
    }

    // What the transaction itself changes is no reason to watch any longer.
    cx.engine.unwatch(key);
    let mut queue = Vec::new();
    if let Some(transaction) = cx.caller().transaction.as_deref_mut() {
        queue = std::mem::take(&mut transaction.queue);
        transaction.executing = queue.len();
    }
    let mark = cx.reply.output().mark();
    cx.reply.array(queue.len());
    if let Some(rest) = cx.engine.run_queued(key, cx.reply.output(), queue) {
        let mut said = cx.reply.output().split_off(mark);
        cx.engine.extend_paused_call(&mut said, rest);
        return Ok(Flow::Later);
    }
    Ok(Flow::Replied)
}

fn watch(cx: &mut EngineCx<'_>) -> CmdResult {
    if cx.caller().flags.has(ClientFlags::MULTI) {
        return Err(ReplyError::Fixed("ERR WATCH inside MULTI is not allowed"));
    }
    if !cx.caller().flags.has(ClientFlags::DIRTY_CAS) {
        for key in cx.args.rest() {
            cx.engine.watch(cx.client, key);
        }
    }
    cx.reply.ok();
    Ok(Flow::Replied)
}

fn unwatch(cx: &mut EngineCx<'_>) -> CmdResult {
    cx.engine.unwatch(cx.client);
    cx.reply.ok();
    Ok(Flow::Replied)
}

impl Engine {
    /// Runs the commands of a transaction and ends it. `None` when it is done; what is left when a
    /// script among them goes on later.
    fn run_queued(
        &mut self,
        key: ClientKey,
        output: &mut Output,
        queue: Vec<Queued>,
    ) -> Option<Vec<Queued>> {
        let mut queue = queue.into_iter();
        while let Some(queued) = queue.next() {
            // HELLO inside the transaction changes the dialect of what follows.
            let dialect = self.clients.get(key)?.dialect;
            self.call(key, queued.row, &queued.args(), Reply::new(output, dialect));
            if self.is_paused_in_script(key) {
                return Some(queue.collect());
            }
        }
        self.end_transaction(key);
        None
    }

    /// Goes on with the transaction that a script, which is done now, was part of; whether another
    /// script of it goes on later.
    pub(super) fn go_on_with_transaction(
        &mut self,
        key: ClientKey,
        said: &mut Output,
        rest: Vec<Queued>,
    ) -> bool {
        let Some(client) = self.clients.get(key) else { return false };
        if client.transaction.as_ref().is_none_or(|transaction| transaction.executing == 0) {
            return false;
        }
        if let Some(rest) = self.run_queued(key, said, rest) {
            self.extend_paused_call(said, rest);
            return true;
        }
        if let Some(exec) = self.registry.find(b"exec") {
            self.registry.row_mut(exec).stats.calls += 1;
            self.stats.commands += 1;
        }
        false
    }

    /// Ends a client's transaction, run or not.
    pub(super) fn end_transaction(&mut self, key: ClientKey) {
        const STATES: u32 =
            ClientFlags::MULTI.0 | ClientFlags::DIRTY_CAS.0 | ClientFlags::DIRTY_EXEC.0;
        self.unwatch(key);
        if let Some(client) = self.clients.get_mut(key) {
            client.flags.set(ClientFlags(STATES), false);
            client.transaction = None;
        }
    }

    fn watch(&mut self, client_key: ClientKey, key: &[u8]) {
        let now = self.now.unix_ms();
        let Some(client) = self.clients.get_mut(client_key) else { return };
        let db = client.db;
        let transaction = client.transaction.get_or_insert_default();
        if transaction.watched.iter().any(|known| known.db == db && *known.key == *key) {
            return;
        }
        let existed = self.keyspace.reader(db, now).kind(key).is_some();
        transaction.watched.push(Watched { db, key: key.into(), existed });
        self.watchers.add(db, key, client_key);
        self.choose_listening();
    }

    /// Forgets what a client watches, and whether any of it changed.
    pub(super) fn unwatch(&mut self, client_key: ClientKey) {
        let Some(client) = self.clients.get_mut(client_key) else { return };
        client.flags.set(ClientFlags::DIRTY_CAS, false);
        let Some(transaction) = client.transaction.as_deref_mut() else { return };
        let watched = std::mem::take(&mut transaction.watched);
        if watched.is_empty() {
            return;
        }
        for watched in watched {
            self.watchers.remove(watched.db, &watched.key, client_key);
        }
        self.choose_listening();
    }

    /// Whether a watched key changed or is over its time, removed yet or not.
    fn has_watched_change(&self, key: ClientKey) -> bool {
        let Some(client) = self.clients.get(key) else { return false };
        if client.flags.has(ClientFlags::DIRTY_CAS) {
            return true;
        }
        let Some(transaction) = client.transaction.as_deref() else { return false };
        let now = self.now.unix_ms();
        transaction.watched.iter().any(|watched| {
            watched.existed && self.keyspace.reader(watched.db, now).kind(&watched.key).is_none()
        })
    }
}
