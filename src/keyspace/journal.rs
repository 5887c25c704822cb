//! Facts about what changed, for whoever reacts to them.

/// A keyspace event: its name as notifications spell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Class letter of `notify-keyspace-events`, such as `$` or `g`.
    pub class: u8,
    /// Name, such as `set`.
    pub name: &'static str,
}

impl Event {
    /// Event of strings.
    pub const fn string(name: &'static str) -> Self {
        Self { class: b'$', name }
    }
    /// Event of keys of any type.
    pub const fn generic(name: &'static str) -> Self {
        Self { class: b'g', name }
    }
}

/// A key got a deadline.
pub const EXPIRE: Event = Event::generic("expire");

/// What an edit did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// The event, and how many units became dirty.
    Did(Event, u64),
    /// Two events in this order, and how many units became dirty.
    Both(Event, Event, u64),
}
