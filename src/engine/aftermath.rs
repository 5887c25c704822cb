//! What follows from changes: one ordered list of consumers drains the journal after every command
//! and every round of expiry.

use crate::keyspace::journal::{Listening, Record};

use super::Engine;

/// In this order every fact reaches those who react.
const CONSUMERS: &[fn(&mut Engine, &Record<'_>)] = &[
    Engine::tell_removal,
    Engine::tell_watchers,
    Engine::invalidate,
    Engine::notify_of,
    Engine::tell_waiters,
];

/// Which facts each of those who react needs.
const LISTENERS: &[fn(&Engine) -> Listening] = &[
    Engine::told_events,
    Engine::watched_events,
    Engine::tracked_events,
    Engine::notified_events,
    Engine::awaited_events,
];

impl Engine {
    /// Tells everybody concerned what has changed since the last call.
    pub(super) fn react(&mut self) {
        if self.keyspace.has_garbage() {
            let garbage = self.keyspace.take_garbage();
            self.outside.free(garbage);
        }
        if self.keyspace.journal().has_misses() {
            let misses = self.keyspace.journal_mut().take_misses();
            for miss in misses.iter() {
                self.notify(miss.db, miss.key, miss.event);
            }
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
        self.finish_invalidation();
    }

    /// Has facts recorded only while somebody reacts to them.
    pub(super) fn choose_listening(&mut self) {
        let listening = LISTENERS.iter().map(|needs| needs(self)).max().unwrap_or_default();
        let hears_misses = self.notifies_of_misses();
        let journal = self.keyspace.journal_mut();
        journal.listen_to(listening);
        journal.listen_to_misses(hears_misses);
    }
}
