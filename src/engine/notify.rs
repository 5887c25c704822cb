//! Keyspace notifications: facts of the journal, published on the channels of their key and event.

use crate::keyspace::DbIndex;
use crate::keyspace::journal::{Event, Listening, Record};

use super::Engine;
use super::pubsub::deliver::Payload;
use super::pubsub::table::Kind;

/// Classes of events that commands cause; others are expiry, eviction and misses.
const OF_COMMANDS: &[u8] = b"g$lshztdnoc";

impl Engine {
    /// A fact for those who listen to the keyspace.
    pub(super) fn notify_of(&mut self, record: &Record<'_>) {
        self.notify(record.db, record.key, record.event);
    }

    /// Publishes an event, when its class is to be published.
    pub(super) fn notify(&mut self, db: DbIndex, key: &[u8], event: Event) {
        let classes = self.config.notify_keyspace_events;
        if !classes.has(event.class) || self.pubsub.is_deaf() {
            return;
        }
        if classes.has(b'K') {
            let channel = [format!("__keyspace@{}__:", db.0).as_bytes(), key].concat();
            self.publish(Kind::Channel, &channel, Payload::Plain(event.name.as_bytes()));
        }
        if classes.has(b'E') {
            let channel = format!("__keyevent@{}__:{}", db.0, event.name);
            self.publish(Kind::Channel, channel.as_bytes(), Payload::Plain(key));
        }
    }

    /// Which facts are needed to notify whoever listens.
    pub(super) fn notified_events(&self) -> Listening {
        let classes = self.config.notify_keyspace_events;
        if !self.notifies() {
            Listening::Nothing
        } else if OF_COMMANDS.iter().any(|class| classes.has(*class)) {
            Listening::Everything
        } else {
            Listening::Removals
        }
    }

    /// Whether lookups of absent keys are to be noted.
    pub(super) fn notifies_of_misses(&self) -> bool {
        self.notifies() && self.config.notify_keyspace_events.has(b'm')
    }

    fn notifies(&self) -> bool {
        let classes = self.config.notify_keyspace_events;
        (classes.has(b'K') || classes.has(b'E')) && !self.pubsub.is_deaf()
    }
}
