//! CLIENT: what connections know about themselves and may do to each other.

use crate::base::number::parse_int;
use crate::base::time::UnixMillis;
use crate::command::context::{CmdResult, Flow};
use crate::command::spec::{
    ADMIN, ALLOW_BUSY, Command, Group, LOADING, NOSCRIPT, STALE, at_least, exactly, integer,
    one_of, pure, text,
};
use crate::protocol::error::ReplyError;

use super::Engine;
use super::blocked::Unblocked;
use super::client::{ClientFlags, ClientKey, Pause, ReplyMode};
use super::client_filter::{Asking, Filter};
use super::client_line::Caller;
use super::connection::check_name;
use super::context::EngineCx;
use super::registry::EngineRun::{self, Container, Engine as Run, Help};
use super::tracking::commands::{
    client_caching, client_getredir, client_tracking, client_trackinginfo,
};

/// Commands of this file.
pub(super) const COMMANDS: &[Command<EngineRun>] =
    &[Command::new("CLIENT", at_least(2), Group::Connection, Container)
        .doc("2.4.0", "Holds the commands about connections.", "Depends on subcommand.")
        .subcommands(&[
            Command::new("CACHING", exactly(3), Group::Connection, Run(client_caching))
                .flags(NOSCRIPT.and(LOADING).and(STALE))
                .args(&[one_of("mode", &[pure("yes", "YES"), pure("no", "NO")])])
                .doc("6.0.0", "Says whether the next command's keys are to be tracked.", "O(1)"),
            Command::new("CAPA", at_least(3), Group::Connection, Run(client_capa))
                .flags(NOSCRIPT.and(LOADING).and(STALE).and(ALLOW_BUSY))
                .args(&[text("capability").repeated()])
                .doc("8.0.0", "Tells the server what the client is able to do.", "O(1)"),
            Command::new("GETNAME", exactly(2), Group::Connection, Run(client_getname))
                .flags(NOSCRIPT.and(LOADING).and(STALE))
                .doc("2.6.9", "Returns the name of the connection.", "O(1)"),
            Command::new("GETREDIR", exactly(2), Group::Connection, Run(client_getredir))
                .flags(NOSCRIPT.and(LOADING).and(STALE))
                .doc(
                    "6.0.0",
                    "Returns the id of the client that invalidations are sent to.",
                    "O(1)",
                ),
            Command::new("HELP", exactly(2), Group::Connection, Help(HELP))
                .flags(LOADING.and(STALE))
                .doc("5.0.0", "Lists the subcommands.", "O(1)"),
            Command::new("ID", exactly(2), Group::Connection, Run(client_id))
                .flags(NOSCRIPT.and(LOADING).and(STALE))
                .doc("5.0.0", "Returns the id of the connection.", "O(1)"),
            Command::new("INFO", exactly(2), Group::Connection, Run(client_info))
                .flags(NOSCRIPT.and(LOADING).and(STALE))
                .tips(&["nondeterministic_output"])
                .doc("6.2.0", "Describes the connection.", "O(1)"),
            Command::new("KILL", at_least(3), Group::Connection, Run(client_kill))
                .flags(ADMIN.and(NOSCRIPT).and(LOADING).and(STALE))
                .args(&[one_of(
                    "filter",
                    &[
                        text("old-format").display("ip:port").deprecated("2.8.12"),
                        one_of(
                            "new-format",
                            &[
                                integer("client-id").token("ID").optional().since("2.8.12"),
                                one_of(
                                    "client-type",
                                    &[
                                        pure("normal", "NORMAL"),
                                        pure("master", "MASTER").since("3.2.0"),
                                        pure("slave", "SLAVE"),
                                        pure("replica", "REPLICA").since("5.0.0"),
                                        pure("pubsub", "PUBSUB"),
                                    ],
                                )
                                .token("TYPE")
                                .optional()
                                .since("2.8.12"),
                                text("username").token("USER").optional(),
                                text("addr").display("ip:port").token("ADDR").optional(),
                                text("laddr")
                                    .display("ip:port")
                                    .token("LADDR")
                                    .optional()
                                    .since("6.2.0"),
                                one_of("skipme", &[pure("yes", "YES"), pure("no", "NO")])
                                    .token("SKIPME")
                                    .optional(),
                                integer("maxage").token("MAXAGE").optional().since("7.4.0"),
                            ],
                        )
                        .repeated(),
                    ],
                )])
                .doc(
                    "2.4.0",
                    "Closes connections.",
                    "O(N) where N is the number of client connections",
                ),
            Command::new("LIST", at_least(2), Group::Connection, Run(client_list))
                .flags(ADMIN.and(NOSCRIPT).and(LOADING).and(STALE))
                .args(&[
                    one_of(
                        "client-type",
                        &[
                            pure("normal", "NORMAL"),
                            pure("master", "MASTER"),
                            pure("replica", "REPLICA"),
                            pure("pubsub", "PUBSUB"),
                        ],
                    )
                    .token("TYPE")
                    .optional()
                    .since("5.0.0"),
                    integer("client-id").token("ID").optional().repeated().since("6.2.0"),
                ])
                .tips(&["nondeterministic_output"])
                .doc(
                    "2.4.0",
                    "Describes all connections, or some.",
                    "O(N) where N is the number of client connections",
                ),
            Command::new("NO-EVICT", exactly(3), Group::Connection, Run(client_no_evict))
                .flags(ADMIN.and(NOSCRIPT).and(LOADING).and(STALE))
                .args(&[one_of("enabled", &[pure("on", "ON"), pure("off", "OFF")])])
                .doc("7.0.0", "Protects the connection from being evicted.", "O(1)"),
            Command::new("NO-TOUCH", exactly(3), Group::Connection, Run(client_no_touch))
                .flags(NOSCRIPT.and(LOADING).and(STALE))
                .args(&[one_of("enabled", &[pure("on", "ON"), pure("off", "OFF")])])
                .doc("7.2.0", "Keeps the connection's commands from counting as accesses.", "O(1)"),
            Command::new("PAUSE", at_least(3), Group::Connection, Run(client_pause))
                .flags(ADMIN.and(NOSCRIPT).and(LOADING).and(STALE))
                .args(&[
                    integer("timeout"),
                    one_of("mode", &[pure("write", "WRITE"), pure("all", "ALL")])
                        .optional()
                        .since("6.2.0"),
                ])
                .doc("3.0.0", "Holds commands back for a while.", "O(1)"),
            Command::new("REPLY", exactly(3), Group::Connection, Run(client_reply))
                .flags(NOSCRIPT.and(LOADING).and(STALE))
                .args(&[one_of(
                    "action",
                    &[pure("on", "ON"), pure("off", "OFF"), pure("skip", "SKIP")],
                )])
                .doc("3.2.0", "Switches replies on, off, or off for one command.", "O(1)"),
            Command::new("SETINFO", exactly(4), Group::Connection, Run(client_setinfo))
                .flags(NOSCRIPT.and(LOADING).and(STALE))
                .args(&[one_of(
                    "attr",
                    &[text("libname").token("LIB-NAME"), text("libver").token("LIB-VER")],
                )])
                .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
                .doc("7.2.0", "Notes which library the client uses.", "O(1)"),
            Command::new("SETNAME", exactly(3), Group::Connection, Run(client_setname))
                .flags(NOSCRIPT.and(LOADING).and(STALE))
                .args(&[text("connection-name")])
                .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
                .doc("2.6.9", "Names the connection.", "O(1)"),
            Command::new("TRACKING", at_least(3), Group::Connection, Run(client_tracking))
                .flags(NOSCRIPT.and(LOADING).and(STALE))
                .args(&[
                    one_of("status", &[pure("on", "ON"), pure("off", "OFF")]),
                    integer("client-id").token("REDIRECT").optional(),
                    text("prefix").token("PREFIX").optional().repeats_token(),
                    pure("bcast", "BCAST").optional(),
                    pure("optin", "OPTIN").optional(),
                    pure("optout", "OPTOUT").optional(),
                    pure("noloop", "NOLOOP").optional(),
                ])
                .doc(
                    "6.0.0",
                    "Switches server-assisted client-side caching on or off.",
                    "O(1). Some options may introduce additional complexity.",
                ),
            Command::new("TRACKINGINFO", exactly(2), Group::Connection, Run(client_trackinginfo))
                .flags(NOSCRIPT.and(LOADING).and(STALE))
                .doc("6.2.0", "Describes the connection's use of client-side caching.", "O(1)"),
            Command::new("UNBLOCK", at_least(3), Group::Connection, Run(client_unblock))
                .flags(ADMIN.and(NOSCRIPT).and(LOADING).and(STALE))
                .args(&[
                    integer("client-id"),
                    one_of("unblock-type", &[pure("timeout", "TIMEOUT"), pure("error", "ERROR")])
                        .optional(),
                ])
                .doc(
                    "5.0.0",
                    "Wakes a client that waits for data.",
                    "O(log N) where N is the number of client connections",
                ),
            Command::new("UNPAUSE", exactly(2), Group::Connection, Run(client_unpause))
                .flags(ADMIN.and(NOSCRIPT).and(LOADING).and(STALE))
                .doc(
                    "6.2.0",
                    "Lets commands go on that CLIENT PAUSE held back.",
                    "O(N) where N is the number of paused clients",
                ),
        ])];

const HELP: &[&str] = &[
    "CACHING (YES|NO)",
    "    With OPTIN or OPTOUT: track the keys of the next command, or don't.",
    "CAPA <capability> [<capability> ...]",
    "    Tell what the client is able to do. Known is:",
    "    * REDIRECT: go to another server when told so.",
    "GETNAME",
    "    Show the name of this connection.",
    "GETREDIR",
    "    Show the id of the client that gets this connection's invalidations.",
    "ID",
    "    Show the id of this connection.",
    "INFO",
    "    Describe this connection.",
    "KILL <ip:port>",
    "    Close the connection that comes from there.",
    "KILL <filter> <value> [<filter> <value> ...]",
    "    Close all connections that pass all filters:",
    "    * ID <client-id> [<client-id> ...]",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "    * USER <username>, NAME <name>, DB <index>",
    "    * ADDR <ip:port>, LADDR <ip:port>, IP <ip>",
    "    * LIB-NAME <name>, LIB-VER <version>",
    "    * FLAGS <letters>: has all these in `flags=`",
    "    * CAPA <letters>: has these capabilities",
    "    * MAXAGE <seconds>: at least that old",
    "    * IDLE <seconds>: idle for at least that long",
    "    * SKIPME (YES|NO): spare this connection (YES unless given)",
    "    With NOT- before its name a filter must not match.",
    "LIST [<filter> <value> ...]",
    "    Describe all connections that pass all filters, the same as for KILL.",
    "NO-EVICT (ON|OFF)",
    "    Never close this connection to gain memory.",
    "NO-TOUCH (ON|OFF)",
    "    Don't let this connection's commands count as accesses to keys.",
    "PAUSE <milliseconds> [WRITE|ALL]",
    "    Hold back all commands, or only those that write.",
    "REPLY (ON|OFF|SKIP)",
    "    Send replies, send none, or leave out the next.",
    "SETINFO (LIB-NAME|LIB-VER) <value>",
    "    Tell which library the client uses.",
    "SETNAME <name>",
    "    Name this connection.",
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> ...] [OPTIN] [OPTOUT] [NOLOOP]",
    "    Switch the invalidation of keys that the client caches on or off.",
    "TRACKINGINFO",
    "    Show how the invalidation of keys is set up for this connection.",
    "UNBLOCK <client-id> [TIMEOUT|ERROR]",
    "    Wake a client that waits, as by a timeout or with an error.",
    "UNPAUSE",
    "    End PAUSE.",
];

/// CLIENT ID
pub(super) fn client_id(cx: &mut EngineCx<'_>) -> CmdResult {
    let id = cx.caller().id;
    cx.reply.uint(id);
    Ok(Flow::Replied)
}

/// CLIENT INFO
pub(super) fn client_info(cx: &mut EngineCx<'_>) -> CmdResult {
    let mut text = Vec::new();
    let caller = caller(cx);
    cx.engine.write_client_line(caller.key, caller, &mut text);
    cx.reply.verbatim(b"txt", &text);
    Ok(Flow::Replied)
}

/// CLIENT LIST
pub(super) fn client_list(cx: &mut EngineCx<'_>) -> CmdResult {
    let filter = Filter::read(cx.engine, &mut cx.args, Asking::List)?;
    let caller = caller(cx);
    let mut present = cx.engine.present_clients();
    if let Some(ids) = filter.only_ids() {
        present = ids.iter().filter_map(|id| cx.engine.client_by_id(*id)).collect();
    }
    let mut text = Vec::new();
    for key in present {
        if filter.admits(cx.engine, key, cx.client) {
            cx.engine.write_client_line(key, caller, &mut text);
        }
    }
    cx.reply.verbatim(b"txt", &text);
    Ok(Flow::Replied)
}

fn caller(cx: &mut EngineCx<'_>) -> Caller {
    Caller {
        key: cx.client,
        args_bytes: cx.args.words().map(<[u8]>::len).sum(),
        reply_bytes: cx.reply.output().len(),
    }
}

/// CLIENT SETNAME
pub(super) fn client_setname(cx: &mut EngineCx<'_>) -> CmdResult {
    let name = cx.args.bytes()?;
    check_name(name)?;
    cx.caller().name = name.into();
    cx.reply.ok();
    Ok(Flow::Replied)
}

/// CLIENT GETNAME
pub(super) fn client_getname(cx: &mut EngineCx<'_>) -> CmdResult {
    let name = cx.caller().name.clone();
    if name.is_empty() {
        cx.reply.null();
    } else {
        cx.reply.bulk(&name);
    }
    Ok(Flow::Replied)
}

/// CLIENT SETINFO
pub(super) fn client_setinfo(cx: &mut EngineCx<'_>) -> CmdResult {
    let (option, value) = (cx.args.bytes()?, cx.args.bytes()?);
    let shown = String::from_utf8_lossy(option);
    let is_name = option.eq_ignore_ascii_case(b"lib-name");
    if !is_name && !option.eq_ignore_ascii_case(b"lib-ver") {
        return Err(ReplyError::Text(format!("ERR Unrecognized option '{shown}'").into()));
    }
    if check_name(value).is_err() {
        let text = format!("ERR {shown} cannot contain spaces, newlines or special characters.");
        return Err(ReplyError::Text(text.into()));
    }
    let client = cx.caller();
    *(if is_name { &mut client.lib_name } else { &mut client.lib_version }) = value.into();
    cx.reply.ok();
    Ok(Flow::Replied)
}

/// CLIENT KILL
pub(super) fn client_kill(cx: &mut EngineCx<'_>) -> CmdResult {
    if cx.args.left() == 1 {
        return kill_by_addr(cx);
    }
    let filter = Filter::read(cx.engine, &mut cx.args, Asking::Kill)?;
    let mut killed = 0;
    for key in cx.engine.present_clients() {
        if filter.admits(cx.engine, key, cx.client) {
            cx.engine.kill(key, cx.client);
            killed += 1;
        }
    }
    cx.reply.count(killed);
    Ok(Flow::Replied)
}

fn kill_by_addr(cx: &mut EngineCx<'_>) -> CmdResult {
    let addr = cx.args.bytes()?;
    let present = cx.engine.present_clients();
    let is_it = |key: &ClientKey| {
        cx.engine.clients.get(*key).is_some_and(|client| client.origin.addr.as_bytes() == addr)
    };
    let Some(key) = present.into_iter().find(is_it) else {
        return Err(ReplyError::Fixed("ERR No such client"));
    };
    cx.engine.kill(key, cx.client);
    cx.reply.ok();
    Ok(Flow::Replied)
}

impl Engine {
    /// Ends a connection; the caller's own only after its reply.
    fn kill(&mut self, key: ClientKey, caller: ClientKey) {
        if key == caller {
            if let Some(client) = self.clients.get_mut(key) {
                client.flags.set(ClientFlags::CLOSING, true);
            }
        } else {
            self.close(key, true);
        }
    }

    /// The present client of an id. O(clients).
    pub(super) fn client_by_id(&self, id: u64) -> Option<ClientKey> {
        let mut clients = self.clients.iter();
        clients.find(|(_, client)| client.id == id && client.is_present()).map(|(key, _)| key)
    }
}

/// CLIENT REPLY
pub(super) fn client_reply(cx: &mut EngineCx<'_>) -> CmdResult {
    let mode = cx.args.bytes()?.to_ascii_lowercase();
    let client = cx.caller();
    match mode.as_slice() {
        b"on" => {
            client.reply_mode = ReplyMode::On;
            cx.reply.ok();
        }
        b"off" => client.reply_mode = ReplyMode::Off,
        b"skip" => {
            if client.reply_mode != ReplyMode::Off {
                client.reply_mode = ReplyMode::SkipNext;
            }
        }
        _ => return Err(ReplyError::Syntax),
    }
    Ok(Flow::Replied)
}

/// CLIENT NO-EVICT
pub(super) fn client_no_evict(cx: &mut EngineCx<'_>) -> CmdResult {
    switch(cx, ClientFlags::NO_EVICT)
}

/// CLIENT NO-TOUCH
pub(super) fn client_no_touch(cx: &mut EngineCx<'_>) -> CmdResult {
    switch(cx, ClientFlags::NO_TOUCH)
}

fn switch(cx: &mut EngineCx<'_>, flag: ClientFlags) -> CmdResult {
    let on = match cx.args.bytes()?.to_ascii_lowercase().as_slice() {
        b"on" => true,
        b"off" => false,
        _ => return Err(ReplyError::Syntax),
    };
    cx.caller().flags.set(flag, on);
    cx.reply.ok();
    Ok(Flow::Replied)
}

/// CLIENT PAUSE
pub(super) fn client_pause(cx: &mut EngineCx<'_>) -> CmdResult {
    let timeout = cx.args.bytes()?;
    let writes_only = match cx.args.peek().map(<[u8]>::to_ascii_lowercase).as_deref() {
        None | Some(b"all") => false,
        Some(b"write") => true,
        Some(_) => return Err(ReplyError::Fixed("ERR CLIENT PAUSE mode must be WRITE or ALL")),
    };
    if cx.args.left() > 1 {
        return Err(cx.misused_subcommand());
    }
    let timeout = timeout_ms(timeout)?;

    let until = UnixMillis(cx.engine.now.unix_ms().0.saturating_add(timeout));
    // A pause in force is prolonged and tightened, never cut short or loosened.
    let known = cx.engine.pause.unwrap_or(Pause { until, writes_only });
    cx.engine.pause = Some(Pause {
        until: until.max(known.until),
        writes_only: writes_only && known.writes_only,
    });
    cx.reply.ok();
    Ok(Flow::Replied)
}

/// A duration in milliseconds.
pub(super) fn timeout_ms(word: &[u8]) -> Result<i64, ReplyError> {
    match parse_int(word) {
        None => Err(ReplyError::Fixed("ERR timeout is not an integer or out of range")),
        Some(timeout) if timeout < 0 => Err(ReplyError::Fixed("ERR timeout is negative")),
        Some(timeout) => Ok(timeout),
    }
}

/// CLIENT UNPAUSE
pub(super) fn client_unpause(cx: &mut EngineCx<'_>) -> CmdResult {
    cx.engine.unpause();
    cx.reply.ok();
    Ok(Flow::Replied)
}

/// CLIENT UNBLOCK
pub(super) fn client_unblock(cx: &mut EngineCx<'_>) -> CmdResult {
    let id = cx.args.bytes()?;
    let reason = match cx.args.peek().map(<[u8]>::to_ascii_lowercase).as_deref() {
        None | Some(b"timeout") => Unblocked::TimedOut,
        Some(b"error") => Unblocked::Refused(ReplyError::Unblocked),
        Some(_) => {
            return Err(ReplyError::Fixed("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"));
        }
    };
    let id = parse_int(id).ok_or(ReplyError::NotInteger)?;

    let client = u64::try_from(id).ok().and_then(|id| cx.engine.client_by_id(id));
    let was_waiting = client.is_some_and(|client| cx.engine.unblock(client, &reason));

    cx.reply.flag(was_waiting);
    Ok(Flow::Replied)
}

/// CLIENT CAPA
pub(super) fn client_capa(cx: &mut EngineCx<'_>) -> CmdResult {
    // What a client can do beyond what is known here is no error.
    if cx.args.rest().any(|word| word.eq_ignore_ascii_case(b"redirect")) {
        cx.caller().flags.set(ClientFlags::REDIRECTS, true);
    }
    cx.reply.ok();
    Ok(Flow::Replied)
}
