//! Which entries producers added under which names, so that a repeated call adds nothing.
//!
//! A name is remembered until its entry is older than a duration, or until the producer has used so
//! many newer ones.

use super::group::Name;
use super::id::Id;
use super::ordered::Ordered;

/// What may be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Seconds that a name is remembered for.
    pub duration_s: u64,
    /// Most names of one producer.
    pub names_max: usize,
}

impl Default for Window {
    fn default() -> Self {
        Self { duration_s: 100, names_max: 100 }
    }
}

/// Names of all producers.
#[derive(Clone, Debug, Default)]
pub struct Idempotence {
    window: Window,
    producers: Ordered<Name, Producer>,
    added: u64,
    repeated: u64,
}

/// Names of one producer.
#[derive(Clone, Debug, Default)]
struct Producer {
    by_name: Ordered<Name, Id>,
    by_id: Ordered<Id, Name>,
}

impl Producer {
    fn remember(&mut self, name: Name, id: Id) {
        self.by_name.insert(name.clone(), id);
        self.by_id.insert(id, name);
    }

    fn forget_first(&mut self) {
        if let Some(id) = self.by_id.first().map(|(id, _)| *id)
            && let Some(name) = self.by_id.remove(&id)
        {
            self.by_name.remove(&name);
        }
    }
}

impl Idempotence {
    /// With a window of its own.
    pub fn new(window: Window) -> Self {
        Self { window, ..Self::default() }
    }

    /// As a file has it; [`Idempotence::recall`] adds the names.
    pub fn restored(window: Window, added: u64, repeated: u64) -> Self {
        Self { window, added, repeated, ..Self::default() }
    }

    /// A name as a file has it; whether it is new.
    pub fn recall(&mut self, producer: &[u8], name: &[u8], id: Id) -> bool {
        if !self.producers.contains(producer) {
            self.producers.insert(Name::new(producer), Producer::default());
        }
        let recalled = self.producers.update(producer, |names| {
            let is_new = !names.by_name.contains(name) && !names.by_id.contains(&id);
            if is_new {
                names.remember(Name::new(name), id);
            }
            is_new
        });
        recalled == Some(true)
    }

    /// What may be remembered.
    pub fn window(&self) -> Window {
        self.window
    }

    /// Changes what may be remembered; a change forgets all.
    pub fn set_window(&mut self, window: Window) {
        if window != self.window {
            self.producers = Ordered::default();
        }
        self.window = window;
    }

    /// Number of producers.
    pub fn producer_count(&self) -> usize {
        self.producers.len()
    }

    /// Number of names remembered. O(producers).
    pub fn name_count(&self) -> usize {
        self.producers.iter().map(|(_, producer)| producer.by_name.len()).sum()
    }

    /// Entries added under a name.
    pub fn added(&self) -> u64 {
        self.added
    }

    /// Calls that repeated a name.
    pub fn repeated(&self) -> u64 {
        self.repeated
    }

    /// Producer, name and entry of all that is remembered.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &Name, Id)> {
        self.producers.iter().flat_map(|(producer, names)| {
            names.by_id.iter().map(move |(id, name)| (producer, name, *id))
        })
    }

    /// The entry that the producer added under the name. O(log n).
    pub fn find(&self, producer: &[u8], name: &[u8], now_ms: u64) -> Option<Id> {
        let id = *self.producers.get(producer)?.by_name.get(name)?;
        (!self.is_over(id, now_ms)).then_some(id)
    }

    /// Counts a call that repeated a name.
    pub fn note_repeated(&mut self) {
        self.repeated += 1;
    }

    /// Remembers an entry, and forgets what is too old or too much of the same producer.
    pub fn remember(&mut self, producer: &[u8], name: &[u8], id: Id, now_ms: u64) {
        self.added += 1;
        if !self.producers.contains(producer) {
            self.producers.insert(Name::new(producer), Producer::default());
        }
        let (duration_s, names_max) = (self.window.duration_s, self.window.names_max);
        self.producers.update(producer, |names| {
            while let Some((first, _)) = names.by_id.first()
                && (is_over(*first, duration_s, now_ms) || names.by_id.len() >= names_max)
            {
                names.forget_first();
            }
            names.remember(Name::new(name), id);
        });
    }

    /// Forgets names that are too old, visiting at most `budget` producers.
    pub fn expire(&mut self, now_ms: u64, budget: usize) {
        let duration_s = self.window.duration_s;
        let old = self.producers.iter().take(budget).filter(|(_, names)| {
            names.by_id.first().is_some_and(|(id, _)| is_over(*id, duration_s, now_ms))
        });
        let old: Vec<Name> = old.map(|(producer, _)| producer.clone()).collect();
        for producer in old {
            let is_empty = self.producers.update(&producer, |names| {
                while let Some((first, _)) = names.by_id.first()
                    && is_over(*first, duration_s, now_ms)
                {
                    names.forget_first();
                }
                names.by_id.is_empty()
            });
            if is_empty == Some(true) {
                self.producers.remove(&producer);
            }
        }
    }

    fn is_over(&self, id: Id, now_ms: u64) -> bool {
        is_over(id, self.window.duration_s, now_ms)
    }
}

fn is_over(id: Id, duration_s: u64, now_ms: u64) -> bool {
    id.ms.saturating_add(duration_s.saturating_mul(1000)) <= now_ms
}
