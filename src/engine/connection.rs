//! Commands about the connection itself: greeting, authentication, selection, farewell.

use crate::command::context::{CmdResult, Flow};
use crate::command::spec::{
    ADMIN, ALLOW_BUSY, Command, FAST, Group, LOADING, NO_AUTH, NOSCRIPT, SENTINEL, STALE, at_least,
    block, exactly, integer, text,
};
use crate::keyspace::DbIndex;
use crate::protocol::error::ReplyError;
use crate::protocol::reply::Dialect;

use super::Engine;
use super::client::{Client, ClientFlags, ClientKey, Origin, ReplyMode};
use super::context::EngineCx;
use super::registry::EngineRun::{self, Engine as Run};

/// Commands of this file.
pub(super) const COMMANDS: &[Command<EngineRun>] = &[
    Command::new("PING", at_least(1), Group::Connection, Run(ping))
        .flags(FAST)
        .args(&[text("message").optional()])
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .doc("1.0.0", "Answers PONG, or the message it was given.", "O(1)"),
    Command::new("ECHO", exactly(2), Group::Connection, Run(echo))
        .flags(LOADING.and(STALE).and(FAST))
        .args(&[text("message")])
        .doc("1.0.0", "Gives its argument back.", "O(1)"),
    Command::new("QUIT", at_least(1), Group::Connection, Run(quit))
        .flags(NOSCRIPT.and(LOADING).and(STALE).and(FAST).and(NO_AUTH).and(ALLOW_BUSY))
        .doc("1.0.0", "Closes the connection once everything is answered.", "O(1)")
        .deprecated("7.2.0", "just closing the connection"),
    Command::new("SELECT", exactly(2), Group::Connection, Run(select))
        .flags(LOADING.and(STALE).and(FAST))
        .args(&[integer("index")])
        .doc("1.0.0", "Makes another database the connection's own.", "O(1)"),
    Command::new("RESET", exactly(1), Group::Connection, Run(reset))
        .flags(NOSCRIPT.and(LOADING).and(STALE).and(FAST).and(NO_AUTH).and(ALLOW_BUSY))
        .doc("6.2.0", "Puts the connection back into the state of a new one.", "O(1)"),
    Command::new("AUTH", at_least(2), Group::Connection, Run(auth))
        .flags(
            NOSCRIPT.and(LOADING).and(STALE).and(FAST).and(NO_AUTH).and(SENTINEL).and(ALLOW_BUSY),
        )
        .args(&[text("username").optional().since("6.0.0"), text("password")])
        .doc(
            "1.0.0",
            "Authenticates the connection.",
            "O(N) where N is the number of passwords defined for the user",
        ),
    Command::new("HELLO", at_least(1), Group::Connection, Run(hello))
        .flags(
            NOSCRIPT.and(LOADING).and(STALE).and(FAST).and(NO_AUTH).and(SENTINEL).and(ALLOW_BUSY),
        )
        .args(&[block(
            "arguments",
            &[
                integer("protover"),
                block("auth", &[text("username"), text("password")]).token("AUTH").optional(),
                text("clientname").token("SETNAME").optional(),
            ],
        )
        .optional()])
        .doc(
            "6.0.0",
            "Greets the server: chooses the protocol, authenticates, names the connection.",
            "O(1)",
        ),
    Command::new("MONITOR", exactly(1), Group::Server, Run(super::monitor::monitor))
        .flags(ADMIN.and(NOSCRIPT).and(LOADING).and(STALE))
        .doc("1.0.0", "Shows every command the server runs.", "O(1)"),
];

/// Why a connection is refused at the door, as the bytes to send before closing.
pub(crate) type Refusal = &'static [u8];

impl Engine {
    /// A new connection.
    pub fn connect(&mut self, origin: Origin) -> Result<ClientKey, Refusal> {
        if self.clients.len() >= self.config.maxclients as usize {
            self.stats.connections_refused += 1;
            return Err(b"-ERR max number of clients reached\r\n");
        }
        let needs_password = self.needs_password();
        if self.config.protected_mode && !needs_password && !origin.is_loopback && !origin.is_unix {
            self.stats.connections_refused += 1;
            return Err(PROTECTED);
        }
        let key = self.clients.insert(origin, self.now.monotonic);
        self.stats.connections += 1;
        if let Some(client) = self.clients.get_mut(key) {
            client.is_authenticated = !needs_password;
        }
        Ok(key)
    }

    /// A connection is gone.
    pub fn disconnect(&mut self, key: ClientKey) {
        if self.orphan_script(key) {
            // Its script goes on in its name; the rest follows when that is done.
            return;
        }
        self.remove_monitor(key);
        self.unwatch(key);
        self.stop_waiting(key);
        self.appending.forget(key);
        self.unsubscribe_all(key);
        self.stop_tracking(key);
        self.held.retain(|held| *held != key);
        self.clients.remove(key).inspect(|client| self.client_bytes -= client.weight);
    }

    /// The connection sent what is not RESP: the error is its last reply.
    pub fn protocol_error(&mut self, key: ClientKey, error: &ReplyError) {
        tracing::debug!("Protocol error ({error}) from client: {}", self.describe(key));
        self.stats.count_error(&error.code());
        self.deliver_before(key);
        if let Some(client) = self.clients.get_mut(key) {
            crate::protocol::reply::Reply::new(&mut client.output, client.dialect).error(error);
            client.flags.set(ClientFlags::CLOSING, true);
        }
    }

    /// Whether the default user has a password.
    pub(super) fn needs_password(&self) -> bool {
        !self.config.requirepass.is_empty()
    }

    /// Checks a name and a password.
    fn authenticate(
        &mut self,
        key: ClientKey,
        user: &[u8],
        password: &[u8],
    ) -> Result<(), ReplyError> {
        let is_right = user == b"default"
            && (!self.needs_password() || same_secret(&self.config.requirepass.0, password));
        if !is_right {
            self.stats.auth_failures += 1;
            return Err(ReplyError::WrongPassword);
        }
        if let Some(client) = self.clients.get_mut(key) {
            client.is_authenticated = true;
        }
        Ok(())
    }
}

/// Compares in a time that does not tell how much was right.
fn same_secret(one: &[u8], other: &[u8]) -> bool {
    let mut differs = one.len() ^ other.len();
    for (index, byte) in other.iter().enumerate() {
        differs |= usize::from(byte ^ one.get(index % one.len().max(1)).copied().unwrap_or(0));
    }
    differs == 0
}

const PROTECTED: Refusal = b"-DENIED Redis is running in protected mode because protected mode is \
enabled and no password is set for the default user. In this mode connections are only accepted \
from the loopback interface. If you want to connect from external computers to Redis you may adopt \
one of the following solutions: 1) Just disable protected mode sending the command 'CONFIG SET \
protected-mode no' from the loopback interface by connecting to Redis from the same host the server \
is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. Use \
CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected \
mode by editing the Redis configuration file, and setting the protected mode option to 'no', and \
then restarting the server. 3) If you started the server manually just for testing, restart it with \
the '--protected-mode no' option. 4) Set up an authentication password for the default user. NOTE: \
You only need to do one of the above things in order for the server to start accepting connections \
from the outside.\r\n";

fn ping(cx: &mut EngineCx<'_>) -> CmdResult {
    if cx.args.word_count() > 2 {
        return Err(ReplyError::WrongArity("ping".into()));
    }
    let client = cx.caller();
    if client.flags.has(ClientFlags::PUBSUB) && client.dialect == Dialect::Resp2 {
        // Shaped like a message, because that is all that such a client can read.
        cx.reply.array(2);
        cx.reply.bulk(b"pong");
        cx.reply.bulk(cx.args.peek().unwrap_or_default());
        return Ok(Flow::Replied);
    }
    match cx.args.peek() {
        None => cx.reply.simple("PONG"),
        Some(message) => cx.reply.bulk(message),
    }
    Ok(Flow::Replied)
}

fn echo(cx: &mut EngineCx<'_>) -> CmdResult {
    let message = cx.args.bytes()?;
    cx.reply.bulk(message);
    Ok(Flow::Replied)
}

fn quit(cx: &mut EngineCx<'_>) -> CmdResult {
    cx.reply.ok();
    cx.caller().flags.set(ClientFlags::CLOSING, true);
    Ok(Flow::Replied)
}

fn select(cx: &mut EngineCx<'_>) -> CmdResult {
    let index = cx.args.int()?;
    if i32::try_from(index).is_err() {
        return Err(ReplyError::Fixed(
            "ERR value is out of range, value must between -2147483648 and 2147483647",
        ));
    }
    let index =
        u16::try_from(index).ok().filter(|index| u32::from(*index) < cx.engine.config.databases);
    cx.caller().db = DbIndex(index.ok_or(ReplyError::DbOutOfRange)?);
    cx.reply.ok();
    Ok(Flow::Replied)
}

fn reset(cx: &mut EngineCx<'_>) -> CmdResult {
    let key = cx.client;
    let needs_password = cx.engine.needs_password();
    cx.engine.remove_monitor(key);
    cx.engine.end_transaction(key);
    cx.engine.unsubscribe_all(key);
    cx.engine.stop_tracking(key);
    let client = cx.caller();
    let kept = ClientFlags::RUNNING.0 | ClientFlags::ANNOUNCED.0;
    client.flags = ClientFlags(client.flags.0 & kept);
    client.db = DbIndex(0);
    client.dialect = Dialect::Resp2;
    client.reply_mode = ReplyMode::On;
    client.name = Box::default();
    client.is_authenticated = !needs_password;
    cx.reply.speak(Dialect::Resp2);
    cx.reply.simple("RESET");
    Ok(Flow::Replied)
}

fn auth(cx: &mut EngineCx<'_>) -> CmdResult {
    let (user, password): (&[u8], &[u8]) = match cx.args.left() {
        1 => (b"default", cx.args.bytes()?),
        2 => (cx.args.bytes()?, cx.args.bytes()?),
        _ => return Err(ReplyError::Syntax),
    };
    if cx.args.word_count() == 2 && !cx.engine.needs_password() {
        return Err(ReplyError::NoPasswordConfigured);
    }
    cx.engine.authenticate(cx.client, user, password)?;
    cx.reply.ok();
    Ok(Flow::Replied)
}

/// Everything is checked before anything changes: a HELLO that fails leaves no half greeting.
fn hello(cx: &mut EngineCx<'_>) -> CmdResult {
    let dialect = match cx.args.peek() {
        None => None,
        Some(word) => {
            cx.args.seek(2);
            let version =
                crate::base::number::parse_int(word).ok_or(ReplyError::BadProtocolVersion)?;
            Some(match version {
                2 => Dialect::Resp2,
                3 => Dialect::Resp3,
                _ => return Err(ReplyError::NoProtocol),
            })
        }
    };
    let (mut credentials, mut name) = (None, None);
    while !cx.args.is_done() {
        if cx.args.left() >= 3 && cx.args.accept("AUTH") {
            credentials = Some((cx.args.bytes()?, cx.args.bytes()?));
        } else if cx.args.left() >= 2 && cx.args.accept("SETNAME") {
            let wanted = cx.args.bytes()?;
            check_name(wanted)?;
            name = Some(wanted);
        } else {
            let word = String::from_utf8_lossy(cx.args.bytes()?).into();
            return Err(ReplyError::HelloOption(word));
        }
    }
    if let Some((user, password)) = credentials {
        cx.engine.authenticate(cx.client, user, password)?;
    }
    if !cx.caller().is_authenticated {
        return Err(ReplyError::HelloNoAuth);
    }
    let client = cx.caller();
    if let Some(name) = name {
        client.name = name.into();
    }
    client.dialect = dialect.unwrap_or(client.dialect);
    let (id, dialect) = (client.id, client.dialect);
    cx.reply.speak(dialect);
    greet(cx, id, dialect);
    Ok(Flow::Replied)
}

fn greet(cx: &mut EngineCx<'_>, id: u64, dialect: Dialect) {
    cx.reply.map(7);
    cx.reply.bulk(b"server");
    cx.reply.bulk(b"redis");
    cx.reply.bulk(b"version");
    cx.reply.bulk(super::REDIS_VERSION.as_bytes());
    cx.reply.bulk(b"proto");
    cx.reply.int(if dialect == Dialect::Resp3 { 3 } else { 2 });
    cx.reply.bulk(b"id");
    cx.reply.uint(id);
    cx.reply.bulk(b"mode");
    cx.reply.bulk(b"standalone");
    cx.reply.bulk(b"role");
    cx.reply.bulk(b"master");
    cx.reply.bulk(b"modules");
    cx.reply.array(0);
}

/// Names and the like are printed between blanks in CLIENT LIST, so they can't hold any.
pub(super) fn check_name(name: &[u8]) -> Result<(), ReplyError> {
    if name.iter().all(|byte| (b'!'..=b'~').contains(byte)) {
        Ok(())
    } else {
        Err(ReplyError::BadClientName)
    }
}

impl Client {
    /// Address and name, for the log.
    pub(super) fn label(&self) -> String {
        format!(
            "id={} addr={} laddr={} fd={} name={}",
            self.id,
            self.origin.addr,
            self.origin.laddr,
            self.origin.fd,
            String::from_utf8_lossy(&self.name)
        )
    }
}

impl Engine {
    /// A client as the log shows it.
    pub(super) fn describe(&self, key: ClientKey) -> String {
        self.clients.get(key).map_or_else(String::new, Client::label)
    }
}
