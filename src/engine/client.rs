//! Clients as the engine sees them: state, not sockets.
//!
//! 1. A [`ClientKey`] is an index that is used again after a client has gone; a client's `id` never
//!    is. Whoever keeps a key across turns keeps the id beside it.
//! 2. `output` holds what waits to be sent. While the client's own requests are served it holds only
//!    what others push meanwhile: replies collect in the batch's output and come first.

use crate::base::time::{MonotonicMicros, UnixMillis};
use crate::keyspace::DbIndex;
use crate::protocol::reply::{Dialect, Output};
use crate::structures::size_class::size_class;

use super::away::Away;
use super::blocked::Waiting;
use super::pubsub::table::Subscriptions;
use super::registry::RowIndex;
use super::tracking::table::Tracking;
use super::transaction::Transaction;

/// Where a client stands in the table of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientKey(pub u32);

impl ClientKey {
    /// No client's: of what the server does by itself.
    pub const NOBODY: Self = Self(u32::MAX);
}

/// Where a connection comes from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// Peer, as `ip:port` or `path:0` of a unix socket.
    pub addr: String,
    /// Own end.
    pub laddr: String,
    /// Descriptor number, as CLIENT LIST shows it.
    pub fd: i32,
    /// Came through the unix socket.
    pub is_unix: bool,
    /// Peer is on this machine.
    pub is_loopback: bool,
    /// Index of the I/O thread that owns the socket.
    pub io_thread: u16,
}

/// What CLIENT REPLY asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplyMode {
    /// Replies are sent.
    #[default]
    On,
    /// No replies at all.
    Off,
    /// The next command's reply is left out.
    SkipNext,
    /// This command's reply is left out.
    Skipping,
}

/// Properties that are off for most clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientFlags(pub u32);

impl ClientFlags {
    /// Gets every command that is run (MONITOR).
    pub const MONITOR: Self = Self(1);
    /// Connection will be closed once its output is sent.
    pub const CLOSING: Self = Self(1 << 1);
    /// Never a victim of `maxmemory-clients`.
    pub const NO_EVICT: Self = Self(1 << 2);
    /// Its reads don't touch access clocks.
    pub const NO_TOUCH: Self = Self(1 << 3);
    /// In a transaction.
    pub const MULTI: Self = Self(1 << 4);
    /// Held back by CLIENT PAUSE.
    pub const PAUSED: Self = Self(1 << 5);
    /// Waits for data.
    pub const BLOCKED: Self = Self(1 << 6);
    /// A watched key changed.
    pub const DIRTY_CAS: Self = Self(1 << 7);
    /// Has output that the shell was told about.
    pub const ANNOUNCED: Self = Self(1 << 8);
    /// A command was refused while queueing.
    pub const DIRTY_EXEC: Self = Self(1 << 9);
    /// Output is dropped and the connection closed at once.
    pub const CLOSE_ASAP: Self = Self(1 << 10);
    /// Serves its requests right now.
    pub const RUNNING: Self = Self(1 << 11);
    /// Goes where REDIRECT sends it (CLIENT CAPA).
    pub const REDIRECTS: Self = Self(1 << 12);
    /// Listens to channels or patterns.
    pub const PUBSUB: Self = Self(1 << 13);
    /// Is told what is void of what it has read (CLIENT TRACKING).
    pub const TRACKING: Self = Self(1 << 14);
    /// Whoever was to be told instead has gone.
    pub const TRACKING_BROKEN: Self = Self(1 << 15);
    /// Is told what has changed under its prefixes.
    pub const BROADCASTS: Self = Self(1 << 16);
    /// Has said CLIENT CACHING about its next command.
    pub const CACHING: Self = Self(1 << 17);

    /// Whether any of `other` is set.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Sets or clears.
    pub fn set(&mut self, other: Self, on: bool) {
        if on {
            self.0 |= other.0;
        } else {
            self.0 &= !other.0;
        }
    }
}

/// One connection's state.
#[derive(Debug)]
pub struct Client {
    /// Never used twice.
    pub id: u64,
    /// Where it comes from.
    pub origin: Origin,
    /// CLIENT SETNAME.
    pub name: Box<[u8]>,
    /// CLIENT SETINFO LIB-NAME.
    pub lib_name: Box<[u8]>,
    /// CLIENT SETINFO LIB-VER.
    pub lib_version: Box<[u8]>,
    /// Selected database.
    pub db: DbIndex,
    /// RESP version.
    pub dialect: Dialect,
    /// Whether it may run commands that need authentication.
    pub is_authenticated: bool,
    /// Properties.
    pub flags: ClientFlags,
    /// CLIENT REPLY.
    pub reply_mode: ReplyMode,
    /// When it connected.
    pub created: MonotonicMicros,
    /// When it last sent a request.
    pub last_request: MonotonicMicros,
    /// Row of the last command.
    pub last_row: Option<RowIndex>,
    /// What waits to be sent; see the head of this file.
    pub output: Output,
    /// Bytes the shell has taken over but not yet sent (I/O threads).
    pub output_in_flight: usize,
    /// Since when the soft output limit is exceeded.
    pub soft_limit_since: Option<MonotonicMicros>,
    /// Unprocessed bytes in the connection's read buffer.
    pub query_bytes: usize,
    /// Free bytes in the connection's read buffer.
    pub query_free_bytes: usize,
    /// Bytes of arguments of an incomplete request.
    pub args_bytes: usize,
    /// What it counts for among the bytes of all clients.
    pub(super) weight: usize,
    /// Commands queued since MULTI, watched keys.
    pub transaction: Option<Box<Transaction>>,
    /// What it waits for.
    pub(super) waiting: Option<Box<Waiting>>,
    /// What a worker does for it.
    pub(super) away: Option<Box<Away>>,
    /// Channels and patterns it listens to.
    pub(super) subscriptions: Option<Box<Subscriptions>>,
    /// How its cache is kept right.
    pub(super) tracking: Option<Box<Tracking>>,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Commands run.
    pub commands: u64,
    /// Reads that brought requests.
    pub reads: u64,
    /// Requests those reads brought, for the average pipeline length.
    pub pipelined: u64,
}

impl Client {
    /// Bytes of memory this client takes, buffers included.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.name.len()
            + self.lib_name.len()
            + self.lib_version.len()
            + self.output.memory_bytes()
            + self.output_in_flight
            + self.query_bytes
            + self.query_free_bytes
            + self.args_bytes
            + self.transaction.as_ref().map_or(0, |transaction| transaction.memory_bytes())
            + self.waiting.as_ref().map_or(0, |waiting| waiting.memory_bytes())
            + self.away.as_ref().map_or(0, |away| away.memory_bytes())
            + self.subscriptions.as_ref().map_or(0, |subscriptions| subscriptions.memory_bytes())
            + self.tracking.as_ref().map_or(0, |tracking| tracking.memory_bytes())
    }

    /// Bytes of memory that would be free without it. Differs from [`Client::memory_bytes`], which
    /// limits and CLIENT LIST go by, in large values that it is about to be sent: those are held
    /// by reference, and the one value that a thousand clients ask for is there once.
    pub(super) fn own_bytes(&self) -> usize {
        self.memory_bytes() - self.output.memory_bytes() + self.output.own_bytes()
            - size_of::<Self>()
            + size_class(size_of::<Self>())
            + size_class(self.origin.addr.capacity())
            + size_class(self.origin.laddr.capacity())
            + size_of::<Option<Box<Self>>>()
    }

    /// Bytes waiting to be sent.
    pub fn output_bytes(&self) -> usize {
        let pushed = self.away.as_ref().map_or(0, |away| away.pushed.len());
        self.output.len() + self.output_in_flight + pushed
    }
}

/// All clients.
#[derive(Debug)]
pub struct Clients {
    slots: Vec<Option<Box<Client>>>,
    vacant: Vec<u32>,
    next_id: u64,
}

impl Default for Clients {
    fn default() -> Self {
        Self { slots: Vec::new(), vacant: Vec::new(), next_id: 1 }
    }
}

impl Clients {
    /// Adds a client. O(1).
    ///
    /// # Panics
    /// With four billion clients; descriptors run out long before.
    pub fn insert(&mut self, origin: Origin, now: MonotonicMicros) -> ClientKey {
        let client = Box::new(Client {
            id: self.next_id,
            origin,
            name: Box::default(),
            lib_name: Box::default(),
            lib_version: Box::default(),
            db: DbIndex(0),
            dialect: Dialect::Resp2,
            is_authenticated: false,
            flags: ClientFlags::default(),
            reply_mode: ReplyMode::On,
            created: now,
            last_request: now,
            last_row: None,
            output: Output::default(),
            output_in_flight: 0,
            soft_limit_since: None,
            query_bytes: 0,
            query_free_bytes: 0,
            args_bytes: 0,
            weight: 0,
            transaction: None,
            waiting: None,
            away: None,
            subscriptions: None,
            tracking: None,
            bytes_in: 0,
            bytes_out: 0,
            commands: 0,
            reads: 0,
            pipelined: 0,
        });
        self.next_id += 1;
        if let Some(index) = self.vacant.pop() {
            self.slots[index as usize] = Some(client);
            return ClientKey(index);
        }
        let index = u32::try_from(self.slots.len()).expect("descriptors run out long before");
        self.slots.push(Some(client));
        ClientKey(index)
    }

    /// Removes a client. O(1).
    pub fn remove(&mut self, key: ClientKey) -> Option<Box<Client>> {
        let client = self.slots.get_mut(key.0 as usize)?.take()?;
        self.vacant.push(key.0);
        Some(client)
    }

    /// The client at `key`.
    pub fn get(&self, key: ClientKey) -> Option<&Client> {
        self.slots.get(key.0 as usize)?.as_deref()
    }

    /// The client at `key`, to change.
    pub fn get_mut(&mut self, key: ClientKey) -> Option<&mut Client> {
        self.slots.get_mut(key.0 as usize)?.as_deref_mut()
    }

    /// Clients in order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (ClientKey, &Client)> {
        (0..)
            .zip(&self.slots)
            .filter_map(|(index, slot)| Some((ClientKey(index), slot.as_deref()?)))
    }

    /// Keys of all clients, oldest client first.
    pub fn keys_by_age(&self) -> Vec<ClientKey> {
        let mut found: Vec<_> = self.iter().map(|(key, client)| (client.id, key)).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, key)| key).collect()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.slots.len() - self.vacant.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One past the highest slot in use, for walks in bounded steps.
    pub fn slot_count(&self) -> usize {
        self.slots.len()
    }
}

/// What CLIENT PAUSE holds back, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Over at this moment.
    pub until: UnixMillis,
    /// Only writing commands.
    pub writes_only: bool,
}
