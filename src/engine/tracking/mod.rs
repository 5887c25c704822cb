//! Client-side caching: what clients have read, and the word that it has changed.

pub(super) mod commands;
mod invalidate;
pub(super) mod table;
#[cfg(test)]
mod tests;
