//! Doing again what a log tells.
//!
//! The same commands by the same handlers, in the name of a client of its own that nobody sees.
//! Nothing is refused: no memory bound, no permission, no pause. Nothing expires by itself either:
//! the log says what went, and until then writers find what is over its time. A transaction runs
//! when its EXEC is there, so that half of one changes nothing.

use crate::command::args::Args;
use crate::keyspace::Expiry;
use crate::protocol::reply::{Output, Reply};

use super::Engine;
use super::client::{ClientKey, Origin};
use super::registry::RowIndex;
use super::transaction::Queued;

/// A log that is being replayed.
#[derive(Debug)]
pub struct Replay {
    client: ClientKey,
    said: Output,
    /// What stands behind a MULTI.
    queue: Option<Vec<Queued>>,
    /// Calls that were answered with an error.
    failed: u64,
    expired_by: Expiry,
}

/// Why a log can't be replayed on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The server has no such command.
    #[error("Unknown command '{0}' reading the append only file")]
    Unknown(String),
    /// A command has too few or too many words.
    #[error("Wrong number of arguments of command '{0}' reading the append only file")]
    Misfit(String),
    /// MULTI within MULTI, or EXEC without.
    #[error("Misplaced '{0}' reading the append only file")]
    Misplaced(&'static str),
}

impl Replay {
    /// Whether a transaction has begun and not ended.
    pub fn is_in_transaction(&self) -> bool {
        self.queue.is_some()
    }

    /// Forgets a transaction that has begun.
    pub fn drop_transaction(&mut self) {
        self.queue = None;
    }

    /// Calls that were answered with an error.
    pub fn failed(&self) -> u64 {
        self.failed
    }
}

impl Engine {
    /// Begins to replay a log.
    pub fn begin_replay(&mut self) -> Replay {
        let client = self.clients.insert(Origin::default(), self.now.monotonic);
        if let Some(client) = self.clients.get_mut(client) {
            client.is_authenticated = true;
        }
        let expired_by = self.keyspace.expiry();
        self.keyspace.set_expiry(Expiry::Followed);
        Replay { client, said: Output::default(), queue: None, failed: 0, expired_by }
    }

    /// Does one command again.
    pub fn replay(&mut self, replay: &mut Replay, args: &Args<'_>) -> Result<(), ReplayError> {
        let shown = || String::from_utf8_lossy(args.word(0)).into_owned();
        let row = self.find_original(args).ok_or_else(|| ReplayError::Unknown(shown()))?;
        let fits = self.registry.row(row).spec.arity.admits(args.word_count());
        if !fits || self.registry.row(row).is_container() {
            return Err(ReplayError::Misfit(shown()));
        }
        match (self.registry.row(row).spec.name, &mut replay.queue) {
            ("MULTI", Some(_)) => return Err(ReplayError::Misplaced("MULTI")),
            ("MULTI", queue) => *queue = Some(Vec::new()),
            ("EXEC", queue) => {
                let queue = queue.take().ok_or(ReplayError::Misplaced("EXEC"))?;
                for queued in queue {
                    self.replay_call(replay, queued.row, &queued.args());
                }
            }
            (_, Some(queue)) => queue.push(Queued::new(row, args)),
            (_, None) => self.replay_call(replay, row, args),
        }
        Ok(())
    }

    /// Ends the replay. What an unfinished transaction holds is dropped.
    pub fn end_replay(&mut self, replay: &Replay) {
        self.clients.remove(replay.client);
        self.keyspace.set_expiry(replay.expired_by);
        self.react();
    }

    fn replay_call(&mut self, replay: &mut Replay, row: RowIndex, args: &Args<'_>) {
        let Some(dialect) = self.clients.get(replay.client).map(|client| client.dialect) else {
            return;
        };
        self.call(replay.client, row, args, Reply::new(&mut replay.said, dialect));
        // A script that would make way for others goes on at once: there are no others.
        while self.continue_script() {}
        replay.failed += u64::from(replay.said.slices().next().is_some_and(|said| said[0] == b'-'));
        replay.said.clear();
        self.blocked.forget_ready();
    }

    /// The command that a log means: by its usual name even if it goes by another here, or by the
    /// other.
    fn find_original(&self, args: &Args<'_>) -> Option<RowIndex> {
        let top = self.registry.find_original(args.word(0))?;
        if self.registry.row(top).is_container() && args.word_count() > 1 {
            return self.registry.find_child(top, args.word(1));
        }
        Some(top)
    }
}
