//! Remembering what clients read, and telling them when it is no longer so.
//!
//! What concerns the client that is being served goes behind its reply; what is broadcast goes out
//! once per batch, so that a transaction of many changes is one message.

use crate::command::args::Args;
use crate::command::spec::{PUBSUB, READONLY};
use crate::engine::Engine;
use crate::engine::client::{ClientFlags, ClientKey};
use crate::engine::registry::RowIndex;
use crate::keyspace::journal::{EVICTED, EXPIRED, FLUSHED, Listening, Record, SWAPPED};
use crate::protocol::reply::{Dialect, Output, Reply};

use super::table::{Tracking, Who};

/// Channel on which clients that speak RESP2 are told, by way of another that listens to it.
const CHANNEL: &[u8] = b"__redis__:invalidate";

/// Keys forgotten per command while more are remembered than may be.
const FORGOTTEN_PER_CALL: usize = 100;
/// The same per housekeeping, after the bound was lowered: about a millisecond's work.
const FORGOTTEN_PER_TURN: usize = 4096;

/// What is void.
#[derive(Clone, Copy, Debug)]
enum Void<'a> {
    Key(&'a [u8]),
    /// Keys, encoded as an array of bulks.
    Keys(&'a Output),
    Everything,
}

impl Void<'_> {
    fn write(self, reply: &mut Reply<'_>) {
        match self {
            Self::Key(key) => {
                reply.array(1);
                reply.bulk(key);
            }
            Self::Keys(keys) => reply.output().push_copy(keys),
            Self::Everything => reply.null(),
        }
    }
}

impl Engine {
    /// Which facts are needed to tell whoever tracks.
    pub(in crate::engine) fn tracked_events(&self) -> Listening {
        if self.tracking.clients == 0 { Listening::Nothing } else { Listening::Everything }
    }

    /// Remembers the keys that a client has read by a call.
    pub(in crate::engine) fn remember_reads(
        &mut self,
        key: ClientKey,
        row: RowIndex,
        args: &Args<'_>,
    ) {
        let Some(client) = self.clients.get(key) else { return };
        let Some(tracking) = client.tracking.as_deref() else { return };
        let spec = &self.registry.row(row).spec;
        let wish = tracking.wish;
        let has_said = client.flags.has(ClientFlags::CACHING);
        if wish.broadcasts
            || (wish.opts_in && !has_said)
            || (wish.opts_out && has_said)
            || !spec.flags.has(READONLY)
            || spec.flags.has(PUBSUB)
            || is_script(&self.registry.row(row).full_name)
        {
            return;
        }
        let who = Who { id: client.id, key };
        for used in spec.keys_of(args).unwrap_or_default() {
            self.tracking.remember(args.word(used.word), who);
        }
        self.tracking.has_excess = self.has_tracking_excess();
        if self.tracking.has_excess {
            self.forget_excess(FORGOTTEN_PER_CALL);
        }
    }

    /// Looks whether the bound was lowered.
    pub(in crate::engine) fn obey_tracking_bound(&mut self) {
        self.tracking.has_excess = self.has_tracking_excess();
    }

    /// Keeps within a bound that was lowered, step by step: before every request.
    pub(in crate::engine) fn bound_tracking_for_call(&mut self) {
        self.forget_excess(FORGOTTEN_PER_CALL);
    }

    /// The same, while nobody asks for anything.
    pub(in crate::engine) fn bound_tracking(&mut self) {
        if self.tracking.has_excess {
            self.forget_excess(FORGOTTEN_PER_TURN);
        }
    }

    fn has_tracking_excess(&self) -> bool {
        let bound = self.config.tracking_table_max_keys;
        bound != 0 && self.tracking.key_count() as u64 > bound
    }

    /// Forgets keys beyond `tracking-table-max-keys`: who has read them is told that they are void.
    fn forget_excess(&mut self, budget: usize) {
        for _ in 0..budget {
            self.tracking.has_excess = self.has_tracking_excess();
            if !self.tracking.has_excess {
                return;
            }
            let draw = self.rng.usize(..);
            let Some((key, readers)) = self.tracking.forget_any(draw) else { return };
            self.tell_readers(&key, readers);
        }
    }

    /// A fact for those who keep what they have read.
    pub(in crate::engine) fn invalidate(&mut self, record: &Record<'_>) {
        if self.tracking.clients == 0 {
            return;
        }
        match record.event {
            FLUSHED | SWAPPED => {
                self.tracking.forget_all();
                self.tracking.is_void = true;
            }
            event => {
                let by_itself = matches!(event, EXPIRED | EVICTED);
                let origin = self.caller.filter(|_| !by_itself);
                self.tracking.note_change(record.key, origin);
                let readers = self.tracking.forget(record.key);
                self.tell_readers(record.key, readers);
            }
        }
    }

    fn tell_readers(&mut self, key: &[u8], readers: Vec<Who>) {
        for who in readers {
            let Some(client) = self.clients.get(who.key).filter(|client| client.is(who)) else {
                continue;
            };
            let Some(tracking) = client.tracking.as_deref() else { continue };
            let is_own = tracking.wish.spares_itself && self.caller == Some(who.key);
            if !tracking.wish.broadcasts && !is_own {
                self.tell(who.key, Void::Key(key));
            }
        }
    }

    /// What can be said only when all facts of a call are known.
    pub(in crate::engine) fn finish_invalidation(&mut self) {
        if std::mem::take(&mut self.tracking.is_void) {
            let trackers: Vec<ClientKey> = self
                .clients
                .iter()
                .filter(|(_, client)| client.tracking.is_some())
                .map(|(key, _)| key)
                .collect();
            for key in trackers {
                self.tell(key, Void::Everything);
            }
        }
    }

    /// Sends what has changed under each prefix to those who broadcast it.
    pub(in crate::engine) fn broadcast_invalidations(&mut self) {
        if !std::mem::take(&mut self.tracking.has_news) {
            return;
        }
        let mut prefixes = std::mem::take(&mut self.tracking.prefixes);
        for broadcast in prefixes.values_mut() {
            let changed = std::mem::take(&mut broadcast.changed);
            if changed.is_empty() {
                continue;
            }
            let all = encode(changed.keys());
            for key in &broadcast.clients {
                let spares_itself = self.clients.get(*key).is_some_and(|client| {
                    client.tracking.as_ref().is_some_and(|tracking| tracking.wish.spares_itself)
                });
                if !spares_itself || !changed.values().any(|origin| *origin == Some(*key)) {
                    self.tell(*key, Void::Keys(&all));
                    continue;
                }
                let others = || changed.iter().filter(|(_, origin)| **origin != Some(*key));
                if others().next().is_some() {
                    let keys: Vec<_> = others().map(|(name, _)| name).collect();
                    self.tell(*key, Void::Keys(&encode(keys.iter().copied())));
                }
            }
        }
        self.tracking.prefixes = prefixes;
    }

    /// Tells a client, or the one that it has named for this, what is void.
    fn tell(&mut self, key: ClientKey, void: Void<'_>) {
        let Some(client) = self.clients.get(key) else { return };
        let redirect = client.tracking.as_ref().and_then(|tracking| tracking.redirect);
        let target = match redirect {
            None => key,
            Some(who) => {
                let target = self.clients.get(who.key);
                if !target.is_some_and(|target| target.is(who) && target.is_present()) {
                    self.tell_broken(key, who);
                    return;
                }
                who.key
            }
        };
        let Some(client) = self.clients.get(target) else { return };
        if client.dialect == Dialect::Resp3 {
            self.push_to(target, |mut reply| {
                reply.push(2);
                reply.bulk(b"invalidate");
                void.write(&mut reply);
            });
        } else if redirect.is_some() && client.flags.has(ClientFlags::PUBSUB) {
            self.push_to(target, |mut reply| {
                reply.push(3);
                reply.bulk(b"message");
                reply.bulk(CHANNEL);
                void.write(&mut reply);
            });
        }
    }

    /// The client that was to be told instead has gone.
    fn tell_broken(&mut self, key: ClientKey, redirect: Who) {
        let Some(client) = self.clients.get_mut(key) else { return };
        client.flags.set(ClientFlags::TRACKING_BROKEN, true);
        if client.dialect == Dialect::Resp3 {
            self.push_to(key, |mut reply| {
                reply.push(2);
                reply.bulk(b"tracking-redir-broken");
                reply.uint(redirect.id);
            });
        }
    }

    /// A client tracks from now on, or otherwise than before.
    pub(super) fn start_tracking(&mut self, key: ClientKey, mut tracking: Tracking) {
        let Some(client) = self.clients.get_mut(key) else { return };
        if let Some(known) = client.tracking.take() {
            tracking.prefixes.extend(known.prefixes);
        } else {
            self.tracking.clients += 1;
        }
        for prefix in &tracking.prefixes {
            let broadcast = self.tracking.prefixes.entry(prefix.clone()).or_default();
            broadcast.clients.insert(key);
        }
        client.flags.set(ClientFlags::TRACKING, true);
        client.flags.set(ClientFlags::TRACKING_BROKEN, false);
        client.flags.set(ClientFlags::BROADCASTS, tracking.wish.broadcasts);
        client.tracking = Some(Box::new(tracking));
        self.choose_listening();
    }

    /// A client tracks no longer.
    pub(in crate::engine) fn stop_tracking(&mut self, key: ClientKey) {
        const STATES: ClientFlags = ClientFlags(
            ClientFlags::TRACKING.0
                | ClientFlags::TRACKING_BROKEN.0
                | ClientFlags::BROADCASTS.0
                | ClientFlags::CACHING.0,
        );
        let Some(client) = self.clients.get_mut(key) else { return };
        let Some(tracking) = client.tracking.take() else { return };
        client.flags.set(STATES, false);
        for prefix in &tracking.prefixes {
            if let Some(broadcast) = self.tracking.prefixes.get_mut(prefix) {
                broadcast.clients.remove(&key);
                if broadcast.clients.is_empty() {
                    self.tracking.prefixes.remove(prefix);
                }
            }
        }
        self.tracking.clients -= 1;
        if self.tracking.clients == 0 {
            self.tracking.forget_all();
        }
        self.choose_listening();
    }
}

/// Scripts read by the commands they call, which are remembered each for itself.
fn is_script(name: &str) -> bool {
    matches!(name, "eval_ro" | "evalsha_ro" | "fcall_ro")
}

fn encode<'a>(keys: impl ExactSizeIterator<Item = &'a Box<[u8]>>) -> Output {
    let mut output = Output::default();
    let mut reply = Reply::new(&mut output, Dialect::Resp3);
    reply.array(keys.len());
    for key in keys {
        reply.bulk(key);
    }
    output
}
