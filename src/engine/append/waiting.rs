//! WAITAOF: clients that wait until what they changed is on disk.

use crate::base::number::parse_int;
use crate::base::time::UnixMillis;
use crate::command::context::{CmdResult, Flow};
use crate::engine::client::{ClientFlags, ClientKey};
use crate::engine::client_commands::timeout_ms;
use crate::engine::context::EngineCx;
use crate::engine::{Effect, Engine};
use crate::protocol::error::ReplyError;
use crate::protocol::reply::Reply;

use super::writing::LogState;

/// Who waits.
#[derive(Debug, Default)]
pub(in crate::engine) struct Waiting {
    clients: Vec<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    client: ClientKey,
    /// Bytes of changes that must be on disk.
    offset: u64,
    deadline: Option<UnixMillis>,
}

const NO_LOG: ReplyError = ReplyError::Fixed(
    "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
);

pub(in crate::engine) fn waitaof(cx: &mut EngineCx<'_>) -> CmdResult {
    let local = parse_int(cx.args.bytes()?).ok_or(ReplyError::NotInteger)?;
    if !(0..=1).contains(&local) {
        return Err(ReplyError::Fixed("ERR value is out of range, value must between 0 and 1"));
    }
    let replicas = parse_int(cx.args.bytes()?).ok_or(ReplyError::NotPositive)?;
    if replicas < 0 {
        return Err(ReplyError::NotPositive);
    }
    let timeout = timeout_ms(cx.args.bytes()?)?;
    if local > 0 && cx.engine.appending.state == LogState::Off {
        return Err(NO_LOG);
    }
    // With `always` the reply itself leaves after the sync.
    let synced = cx.engine.outside.log_figures().synced;
    let offset = cx.engine.propagation.offset();
    let is_synced = cx.engine.syncs_always() || synced >= offset;
    let may_wait = !cx.caller().flags.has(ClientFlags::MULTI) && !cx.engine.is_in_script();
    if is_synced && replicas == 0 || !may_wait || local == 0 && replicas == 0 {
        write(&mut cx.reply, is_synced && cx.engine.appending.state != LogState::Off);
        return Ok(Flow::Replied);
    }
    let deadline = (timeout > 0).then(|| {
        let now = cx.engine.now.unix_ms().0;
        UnixMillis(now.saturating_add(timeout))
    });
    // Without replicas only time ends the wait for them.
    let offset = if replicas > 0 { u64::MAX } else { offset };
    let client = cx.client;
    cx.caller().flags.set(ClientFlags::BLOCKED, true);
    cx.engine.appending.waiting.clients.push(Waiter { client, offset, deadline });
    Ok(Flow::Later)
}

fn write(reply: &mut Reply<'_>, is_synced: bool) {
    reply.array(2);
    reply.int(i64::from(is_synced));
    reply.int(0);
}

impl Waiting {
    /// Whether this client waits.
    pub(in crate::engine) fn has(&self, client: ClientKey) -> bool {
        self.clients.iter().any(|waiter| waiter.client == client)
    }

    /// When the first one's time is over.
    pub(in crate::engine) fn next_due(&self) -> Option<UnixMillis> {
        self.clients.iter().filter_map(|waiter| waiter.deadline).min()
    }

    /// A client has gone.
    pub(in crate::engine) fn forget(&mut self, client: ClientKey) {
        self.clients.retain(|waiter| waiter.client != client);
    }
}

impl Engine {
    /// Answers those whose changes are on disk.
    pub(super) fn serve_synced(&mut self, synced: u64) {
        self.answer_waiters(|waiter| waiter.offset <= synced);
    }

    /// Answers those whose time is over.
    pub(in crate::engine) fn end_log_waits_when_due(&mut self) {
        let now = self.now.unix_ms();
        self.answer_waiters(|waiter| waiter.deadline.is_some_and(|deadline| deadline <= now));
    }

    fn answer_waiters(&mut self, is_done: impl Fn(&Waiter) -> bool) {
        if self.appending.waiting.clients.is_empty() {
            return;
        }
        let synced = self.outside.log_figures().synced;
        let all = std::mem::take(&mut self.appending.waiting.clients);
        let (done, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(is_done);
        self.appending.waiting.clients = rest;
        let is_on = self.appending.state != LogState::Off;
        for waiter in done {
            let is_synced = synced >= self.propagation.offset() || waiter.offset <= synced;
            self.answer_waiter(waiter.client, |reply| write(reply, is_synced && is_on));
        }
    }

    /// The log is off: nobody can wait for it.
    pub(super) fn refuse_all_waiting(&mut self) {
        for waiter in std::mem::take(&mut self.appending.waiting.clients) {
            self.answer_waiter(waiter.client, |reply| {
                reply.error(&ReplyError::Fixed(
                    "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
                ));
            });
        }
    }

    fn answer_waiter(&mut self, key: ClientKey, say: impl FnOnce(&mut Reply<'_>)) {
        self.deliver_before(key);
        let Some(client) = self.clients.get_mut(key) else { return };
        client.flags.set(ClientFlags::BLOCKED, false);
        say(&mut Reply::new(&mut client.output, client.dialect));
        self.announce(key);
        self.effects.push(Effect::Resume(key));
    }
}
