//! Which clients CLIENT LIST shows and CLIENT KILL ends: Redis's filters, and Valkey's with their
//! negations.

use crate::base::number::parse_int;
use crate::command::args::Args;
use crate::keyspace::DbIndex;
use crate::protocol::error::ReplyError;

use super::Engine;
use super::client::{Client, ClientFlags, ClientKey};
use super::client_line::{ClientType, KNOWN_LETTERS};

/// What a client must be.
#[derive(Debug)]
enum Test<'a> {
    Ids(Vec<u64>),
    Type(ClientType),
    Addr(&'a [u8]),
    LocalAddr(&'a [u8]),
    Ip(&'a [u8]),
    User(&'a [u8]),
    Name(&'a [u8]),
    LibName(&'a [u8]),
    LibVersion(&'a [u8]),
    Flags(&'a [u8]),
    Redirects,
    Db(DbIndex),
    AgeAtLeast(u64),
    IdleAtLeast(u64),
}

/// A test and whether it must fail.
#[derive(Debug)]
struct Clause<'a> {
    test: Test<'a>,
    is_negated: bool,
}

/// A client passes when it passes all clauses.
#[derive(Debug)]
pub(super) struct Filter<'a> {
    clauses: Vec<Clause<'a>>,
    skips_caller: bool,
}

/// Who asks, as far as replies differ by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asking {
    /// CLIENT LIST.
    List,
    /// CLIENT KILL, which spares the caller unless told otherwise.
    Kill,
}

impl<'a> Filter<'a> {
    /// Reads all that is left of the words.
    pub(super) fn read(
        engine: &Engine,
        args: &mut Args<'a>,
        asking: Asking,
    ) -> Result<Self, ReplyError> {
        let mut filter = Self { clauses: Vec::new(), skips_caller: asking == Asking::Kill };
        while args.left() >= 2 {
            let name = args.bytes()?.to_ascii_lowercase();
            if name == b"skipme" {
                filter.skips_caller = match args.bytes()?.to_ascii_lowercase().as_slice() {
                    b"yes" => true,
                    b"no" => false,
                    _ => return Err(ReplyError::Syntax),
                };
                continue;
            }
            let (name, is_negated) = match name.strip_prefix(b"not-") {
                Some(positive) => (positive, true),
                None => (name.as_slice(), false),
            };
            let test = read_test(engine, name, is_negated, args, asking)?;
            filter.clauses.push(Clause { test, is_negated });
        }
        args.finish()?;
        Ok(filter)
    }

    /// Ids in the order they were given, when nothing else was.
    pub(super) fn only_ids(&self) -> Option<&[u64]> {
        match self.clauses.as_slice() {
            [Clause { test: Test::Ids(ids), is_negated: false }] => Some(ids),
            _ => None,
        }
    }

    /// Whether a client passes.
    pub(super) fn admits(&self, engine: &Engine, key: ClientKey, caller: ClientKey) -> bool {
        let Some(client) = engine.clients.get(key) else { return false };
        if self.skips_caller && key == caller {
            return false;
        }
        self.clauses.iter().all(|clause| clause.test.admits(engine, client) != clause.is_negated)
    }
}

impl Test<'_> {
    fn admits(&self, engine: &Engine, client: &Client) -> bool {
        let now = engine.now.monotonic;
        match self {
            Self::Ids(ids) => ids.contains(&client.id),
            Self::Type(wanted) => client.client_type() == *wanted,
            Self::Addr(addr) => client.origin.addr.as_bytes() == *addr,
            Self::LocalAddr(addr) => client.origin.laddr.as_bytes() == *addr,
            Self::Ip(ip) => ip_of(&client.origin.addr).as_bytes() == *ip,
            Self::User(name) => *name == b"default" && client.is_authenticated,
            Self::Name(name) => *client.name == **name,
            Self::LibName(name) => *client.lib_name == **name,
            Self::LibVersion(version) => *client.lib_version == **version,
            Self::Flags(letters) => {
                let own = client.letters();
                letters.iter().all(|letter| own.contains(letter))
            }
            Self::Redirects => client.flags.has(ClientFlags::REDIRECTS),
            Self::Db(db) => client.db == *db,
            Self::AgeAtLeast(seconds) => now.since(client.created) / 1_000_000 >= *seconds,
            Self::IdleAtLeast(seconds) => now.since(client.last_request) / 1_000_000 >= *seconds,
        }
    }
}

fn read_test<'a>(
    engine: &Engine,
    name: &[u8],
    is_negated: bool,
    args: &mut Args<'a>,
    asking: Asking,
) -> Result<Test<'a>, ReplyError> {
    if name == b"id" {
        return read_ids(args, asking);
    }
    let value = args.bytes()?;
    Ok(match name {
        b"type" => Test::Type(ClientType::of(value).ok_or_else(|| {
            let value = String::from_utf8_lossy(value);
            ReplyError::Text(format!("ERR Unknown client type '{value}'").into())
        })?),
        b"addr" => Test::Addr(value),
        b"laddr" => Test::LocalAddr(value),
        b"ip" => Test::Ip(value),
        b"user" if value == b"default" => Test::User(value),
        b"user" => {
            let value = String::from_utf8_lossy(value);
            return Err(ReplyError::Text(format!("ERR No such user '{value}'").into()));
        }
        b"name" => Test::Name(value),
        b"lib-name" => Test::LibName(value),
        b"lib-ver" => Test::LibVersion(value),
        b"flags" if value.iter().all(|letter| KNOWN_LETTERS.contains(letter)) => Test::Flags(value),
        b"flags" => return Err(unknown_in_filter("flags", value)),
        b"capa" if value == b"r" => Test::Redirects,
        b"capa" => return Err(unknown_in_filter("capa", value)),
        b"db" => Test::Db(read_db(engine, value)?),
        // A bound has no opposite: who is not that old is nobody's question.
        b"maxage" if !is_negated => Test::AgeAtLeast(read_seconds("maxage", value)?),
        b"idle" if !is_negated => Test::IdleAtLeast(read_seconds("idle", value)?),
        _ => return Err(ReplyError::Syntax),
    })
}

fn unknown_in_filter(what: &str, value: &[u8]) -> ReplyError {
    let value = String::from_utf8_lossy(value);
    ReplyError::Text(format!("ERR Unknown {what} found in the provided filter: {value}").into())
}

/// One id or several: all words that are numbers.
fn read_ids<'a>(args: &mut Args<'a>, asking: Asking) -> Result<Test<'a>, ReplyError> {
    let mut ids = Vec::new();
    while let Some(word) = args.peek() {
        let id = parse_int(word);
        if id.is_none() && !ids.is_empty() {
            break;
        }
        let id = match asking {
            Asking::List => id.ok_or(ReplyError::Fixed("ERR Invalid client ID"))?,
            Asking::Kill => id
                .filter(|id| *id > 0)
                .ok_or(ReplyError::Fixed("ERR client-id should be greater than 0"))?,
        };
        // No client has a negative id, so none is found by it.
        ids.push(u64::try_from(id).unwrap_or(0));
        args.bytes()?;
    }
    Ok(Test::Ids(ids))
}

fn read_db(engine: &Engine, value: &[u8]) -> Result<DbIndex, ReplyError> {
    let db =
        parse_int(value).ok_or(ReplyError::Fixed("ERR DB is not an integer or out of range"))?;
    let last = engine.config.databases.saturating_sub(1);
    match u16::try_from(db) {
        Ok(db) if u32::from(db) <= last => Ok(DbIndex(db)),
        _ => {
            let text = format!("ERR DB number should be between 0 and {last}");
            Err(ReplyError::Text(text.into()))
        }
    }
}

fn read_seconds(name: &str, value: &[u8]) -> Result<u64, ReplyError> {
    let Some(seconds) = parse_int(value) else {
        let text = format!("ERR {name} is not an integer or out of range");
        return Err(ReplyError::Text(text.into()));
    };
    match u64::try_from(seconds) {
        Ok(seconds) if seconds > 0 => Ok(seconds),
        _ => Err(ReplyError::Text(format!("ERR {name} should be greater than 0").into())),
    }
}

/// The host of `host:port` or `[host]:port`.
fn ip_of(addr: &str) -> &str {
    let host = addr.rsplit_once(':').map_or(addr, |(host, _)| host);
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}
