//! Publish/subscribe: who listens to which names, and how a message gets to all of them.

pub(super) mod commands;
pub(super) mod deliver;
pub(super) mod table;
#[cfg(test)]
mod tests;
