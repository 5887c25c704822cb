//! What follows from changes: one ordered list of consumers drains the journal after every command
//! and every round of expiry.

use crate::keyspace::journal::{Listening, Record};

use super::Engine;

/// In this order every fact reaches those who react.
const CONSUMERS: &[fn(&mut Engine, &Record<'_>)] = &[Engine::tell_watchers, Engine::tell_waiters];

impl Engine {
    /// Tells everybody concerned what has changed since the last call.
    pub(super) fn react(&mut self) {
        if self.keyspace.has_garbage() {
            let garbage = self.keyspace.take_garbage();
            self.outside.free(garbage);
        }
        if !self.keyspace.journal().has_records() {
            return;
        }
        let records = self.keyspace.journal_mut().take_records();
        for record in records.iter() {
            for consume in CONSUMERS {
                consume(self, &record);
            }
        }
        self.keyspace.journal_mut().give_back(records);
    }

    /// Has facts recorded only while somebody reacts to them.
    pub(super) fn choose_listening(&mut self) {
        let nobody = self.watchers.is_empty() && self.blocked.is_empty();
        let listening = if nobody { Listening::Nothing } else { Listening::Everything };
        self.keyspace.journal_mut().listen_to(listening);
    }
}
