//! ACL, as far as there is one user only: `default`, who may do everything.

use sha2::{Digest, Sha256};

use crate::command::category::CATEGORIES;
use crate::command::context::{CmdResult, Flow};
use crate::command::spec::{
    ADMIN, Command, Group, LOADING, NOSCRIPT, STALE, at_least, exactly, integer, text,
};
use crate::protocol::error::ReplyError;

use super::Engine;
use super::context::EngineCx;
use super::digest::hex;
use super::registry::EngineRun::{self, Container, Engine as Run, Help};

/// Commands of this file.
pub(super) const COMMANDS: &[Command<EngineRun>] = &[Command::new(
    "ACL",
    at_least(2),
    Group::Server,
    Container,
)
.doc("6.0.0", "Holds the commands about users.", "Depends on subcommand.")
.subcommands(&[
    Command::new("CAT", at_least(2), Group::Server, Run(acl_cat))
        .flags(NOSCRIPT.and(LOADING).and(STALE))
        .args(&[text("category").optional()])
        .doc(
            "6.0.0",
            "Lists the categories, or the commands of one.",
            "O(1) since the categories and commands are a fixed set.",
        ),
    Command::new("DRYRUN", at_least(4), Group::Server, Run(acl_dryrun))
        .flags(ADMIN.and(NOSCRIPT).and(LOADING).and(STALE))
        .args(&[text("username"), text("command"), text("arg").optional().repeated()])
        .doc("7.0.0", "Says whether a user may run a command, without running it.", "O(1)"),
    Command::new("GENPASS", at_least(2), Group::Server, Run(acl_genpass))
        .flags(NOSCRIPT.and(LOADING).and(STALE))
        .args(&[integer("bits").optional()])
        .doc("6.0.0", "Makes up a password.", "O(1)"),
    Command::new("GETUSER", exactly(3), Group::Server, Run(acl_getuser))
        .flags(ADMIN.and(NOSCRIPT).and(LOADING).and(STALE))
        .args(&[text("username")])
        .doc(
            "6.0.0",
            "Describes a user.",
            "O(N). Where N is the number of password, command and pattern rules that the user has.",
        ),
    Command::new("HELP", exactly(2), Group::Server, Help(HELP)).flags(LOADING.and(STALE)).doc(
        "6.0.0",
        "Lists the subcommands.",
        "O(1)",
    ),
    Command::new("LIST", exactly(2), Group::Server, Run(acl_list))
        .flags(ADMIN.and(NOSCRIPT).and(LOADING).and(STALE))
        .doc(
            "6.0.0",
            "Lists the rules of all users.",
            "O(N). Where N is the number of configured users.",
        ),
    Command::new("USERS", exactly(2), Group::Server, Run(acl_users))
        .flags(ADMIN.and(NOSCRIPT).and(LOADING).and(STALE))
        .doc(
            "6.0.0",
            "Lists the names of the users.",
            "O(N). Where N is the number of configured users.",
        ),
    Command::new("WHOAMI", exactly(2), Group::Server, Run(acl_whoami))
        .flags(NOSCRIPT.and(LOADING).and(STALE))
        .doc("6.0.0", "Returns the name of the connection's user.", "O(1)"),
])];

const HELP: &[&str] = &[
    "CAT [<category>]",
    "    List the categories, or the commands of one.",
    "DRYRUN <username> <command> [<argument> ...]",
    "    Say whether a user may run a command, without running it.",
    "GENPASS [<bits>]",
    "    Make up a password of 256 bits, unless told otherwise.",
    "GETUSER <username>",
    "    Describe a user.",
    "LIST",
    "    List the rules of all users, as in a configuration file.",
    "USERS",
    "    List the names of the users.",
    "WHOAMI",
    "    Show the name of this connection's user.",
];

/// Bits of a password that GENPASS makes unless told otherwise.
const PASSWORD_BITS: i64 = 256;
/// Most bits that GENPASS makes.
const PASSWORD_BITS_MAX: i64 = 4096;

fn acl_whoami(cx: &mut EngineCx<'_>) -> CmdResult {
    cx.reply.bulk(b"default");
    Ok(Flow::Replied)
}

fn acl_users(cx: &mut EngineCx<'_>) -> CmdResult {
    cx.reply.array(1);
    cx.reply.bulk(b"default");
    Ok(Flow::Replied)
}

fn acl_list(cx: &mut EngineCx<'_>) -> CmdResult {
    let password = match cx.engine.password_hash() {
        None => "nopass".to_owned(),
        Some(hash) => format!("#{hash}"),
    };
    let rules = format!("user default on {password} sanitize-payload ~* &* +@all");
    cx.reply.array(1);
    cx.reply.bulk(rules.as_bytes());
    Ok(Flow::Replied)
}

fn acl_getuser(cx: &mut EngineCx<'_>) -> CmdResult {
    if cx.args.bytes()? != b"default" {
        cx.reply.null_array();
        return Ok(Flow::Replied);
    }
    let password = cx.engine.password_hash();
    let flags: &[&str] = match password {
        None => &["on", "nopass", "sanitize-payload"],
        Some(_) => &["on", "sanitize-payload"],
    };
    cx.reply.map(6);
    cx.reply.bulk(b"flags");
    cx.reply.set(flags.len());
    for flag in flags {
        cx.reply.bulk(flag.as_bytes());
    }
    cx.reply.bulk(b"passwords");
    cx.reply.array(usize::from(password.is_some()));
    if let Some(hash) = password {
        cx.reply.bulk(hash.as_bytes());
    }
    for (name, rules) in [("commands", "+@all"), ("keys", "~*"), ("channels", "&*")] {
        cx.reply.bulk(name.as_bytes());
        cx.reply.bulk(rules.as_bytes());
    }
    cx.reply.bulk(b"selectors");
    cx.reply.array(0);
    Ok(Flow::Replied)
}

fn acl_cat(cx: &mut EngineCx<'_>) -> CmdResult {
    if cx.args.left() > 1 {
        return Err(cx.misused_subcommand());
    }
    let Some(wanted) = cx.args.peek() else {
        cx.reply.array(CATEGORIES.len());
        for category in CATEGORIES {
            cx.reply.bulk(category.as_bytes());
        }
        return Ok(Flow::Replied);
    };
    let known = CATEGORIES.into_iter().find(|name| name.as_bytes().eq_ignore_ascii_case(wanted));
    let Some(category) = known else {
        return Err(repeating("ERR Unknown category '", wanted, "'"));
    };
    let rows = cx.engine.registry.rows().iter();
    let names: Vec<&str> = rows
        .filter(|row| row.spec.is_in_category(row.is_container(), category))
        .map(|row| &*row.full_name)
        .collect();
    cx.reply.array(names.len());
    for name in names {
        cx.reply.bulk(name.as_bytes());
    }
    Ok(Flow::Replied)
}

fn acl_genpass(cx: &mut EngineCx<'_>) -> CmdResult {
    if cx.args.left() > 1 {
        return Err(cx.misused_subcommand());
    }
    let bits = if cx.args.is_done() { PASSWORD_BITS } else { cx.args.int()? };
    if !(1..=PASSWORD_BITS_MAX).contains(&bits) {
        return Err(ReplyError::Fixed(
            "ERR ACL GENPASS argument must be the number of bits for the output password, a \
             positive number up to 4096",
        ));
    }
    let length = usize::try_from(bits).unwrap_or(0).div_ceil(4);
    let mut digits = String::with_capacity(length + 16);
    while digits.len() < length {
        digits.push_str(&hex(&cx.engine.outside.entropy().to_be_bytes()));
    }
    digits.truncate(length);
    cx.reply.bulk(digits.as_bytes());
    Ok(Flow::Replied)
}

/// An error that repeats a word of the request, whatever its bytes are.
fn repeating(before: &str, word: &[u8], after: &str) -> ReplyError {
    ReplyError::Bytes([before.as_bytes(), word, after.as_bytes()].concat().into())
}

fn acl_dryrun(cx: &mut EngineCx<'_>) -> CmdResult {
    let user = cx.args.bytes()?;
    if user != b"default" {
        return Err(repeating("ERR User '", user, "' not found"));
    }
    let command = cx.args.from(3);
    let found = cx.engine.registry.find_called(&command).map(|row| cx.engine.registry.row(row));
    let Some(row) = found.filter(|row| !row.is_container() || command.word_count() == 1) else {
        return Err(repeating("ERR Command '", command.word(0), "' not found"));
    };
    if !row.spec.arity.admits(command.word_count()) {
        return Err(ReplyError::WrongArity(row.full_name.clone()));
    }
    cx.reply.ok();
    Ok(Flow::Replied)
}

impl Engine {
    /// SHA-256 of the default user's password as hexadecimal digits, if there is one.
    fn password_hash(&self) -> Option<String> {
        if !self.needs_password() {
            return None;
        }
        let hash = Sha256::digest(&self.config.requirepass.0);
        Some(hex(&hash))
    }
}
