//! ACL categories of a command: most follow from its flags and its group.

use super::spec::{ADMIN, BLOCKING, FAST, Group, PUBSUB, READONLY, Spec, WRITE};

/// All categories, in the order in which they are always listed.
pub const CATEGORIES: [&str; 21] = [
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
];

impl Spec {
    /// Categories of the command, in listing order. A container has no category of its group:
    /// what it does is up to its subcommands.
    pub fn categories(&self, is_container: bool) -> impl Iterator<Item = &'static str> + '_ {
        let of_group = if is_container { None } else { self.group.category() };
        CATEGORIES.into_iter().filter(move |category| {
            of_group == Some(*category)
                || self.more_categories.contains(category)
                || self.follows_from_flags(category)
        })
    }

    /// Whether the command belongs to `category`.
    pub fn is_in_category(&self, is_container: bool, category: &str) -> bool {
        self.categories(is_container).any(|own| own == category)
    }

    fn follows_from_flags(&self, category: &str) -> bool {
        match category {
            "write" => self.flags.has(WRITE),
            // Scripts that may not write are not readers: what they read is up to the script.
            "read" => self.flags.has(READONLY) && self.group != Group::Scripting,
            "admin" | "dangerous" => self.flags.has(ADMIN),
            "pubsub" => self.flags.has(PUBSUB),
            "blocking" => self.flags.has(BLOCKING),
            "fast" => self.flags.has(FAST),
            "slow" => !self.flags.has(FAST),
            _ => false,
        }
    }
}

impl Group {
    /// Name as COMMAND DOCS prints it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::String => "string",
            Self::Bitmap => "bitmap",
            Self::List => "list",
            Self::Set => "set",
            Self::SortedSet => "sorted-set",
            Self::Hash => "hash",
            Self::HyperLogLog => "hyperloglog",
            Self::Geo => "geo",
            Self::Stream => "stream",
            Self::PubSub => "pubsub",
            Self::Transactions => "transactions",
            Self::Connection => "connection",
            Self::Server => "server",
            Self::Scripting => "scripting",
            Self::Cluster => "cluster",
            Self::Sentinel => "sentinel",
        }
    }

    /// Category that all commands of the group have, containers excepted.
    const fn category(self) -> Option<&'static str> {
        match self {
            Self::SortedSet => Some("sortedset"),
            Self::Transactions => Some("transaction"),
            Self::String
            | Self::Bitmap
            | Self::List
            | Self::Set
            | Self::Hash
            | Self::HyperLogLog
            | Self::Geo
            | Self::Stream
            | Self::Connection
            | Self::Scripting => Some(self.name()),
            Self::Generic | Self::PubSub | Self::Server | Self::Cluster | Self::Sentinel => None,
        }
    }
}
