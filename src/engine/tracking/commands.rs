//! CLIENT TRACKING, CACHING, GETREDIR and TRACKINGINFO; their rows are in `client_commands`.

use crate::command::context::{CmdResult, Flow};
use crate::engine::client::ClientFlags;
use crate::engine::context::EngineCx;
use crate::protocol::error::ReplyError;

use super::table::{Tracking, Who};

/// CLIENT GETREDIR
pub(in crate::engine) fn client_getredir(cx: &mut EngineCx<'_>) -> CmdResult {
    match cx.caller().tracking.as_ref().map(|tracking| tracking.redirect) {
        None => cx.reply.int(-1),
        Some(redirect) => cx.reply.uint(redirect.map_or(0, |who| who.id)),
    }
    Ok(Flow::Replied)
}

/// CLIENT TRACKINGINFO
pub(in crate::engine) fn client_trackinginfo(cx: &mut EngineCx<'_>) -> CmdResult {
    let client = cx.caller();
    let flags = client.flags;
    let tracking = client.tracking.as_deref().cloned();
    let wish = tracking.as_ref().map(|tracking| tracking.wish).unwrap_or_default();
    let has_said = flags.has(ClientFlags::CACHING);
    let words = [
        (tracking.is_none(), "off"),
        (tracking.is_some(), "on"),
        (wish.broadcasts, "bcast"),
        (wish.opts_in, "optin"),
        (wish.opts_in && has_said, "caching-yes"),
        (wish.opts_out, "optout"),
        (wish.opts_out && has_said, "caching-no"),
        (wish.spares_itself, "noloop"),
        (flags.has(ClientFlags::TRACKING_BROKEN), "broken_redirect"),
    ];
    let said: Vec<&str> = words.iter().filter(|(holds, _)| *holds).map(|(_, word)| *word).collect();

    cx.reply.map(3);
    cx.reply.bulk(b"flags");
    cx.reply.set(said.len());
    for word in said {
        cx.reply.bulk(word.as_bytes());
    }
    cx.reply.bulk(b"redirect");
    match tracking.as_ref().map(|tracking| tracking.redirect) {
        None => cx.reply.int(-1),
        Some(redirect) => cx.reply.uint(redirect.map_or(0, |who| who.id)),
    }
    cx.reply.bulk(b"prefixes");
    let prefixes = tracking.map(|tracking| tracking.prefixes).unwrap_or_default();
    cx.reply.array(prefixes.len());
    for prefix in &prefixes {
        cx.reply.bulk(prefix);
    }
    Ok(Flow::Replied)
}

/// CLIENT CACHING
pub(in crate::engine) fn client_caching(cx: &mut EngineCx<'_>) -> CmdResult {
    let mode = cx.args.bytes()?.to_ascii_lowercase();
    let client = cx.caller();
    let Some(tracking) = client.tracking.as_deref() else {
        return Err(ReplyError::Fixed(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN \
             or OPTOUT mode enabled",
        ));
    };
    match mode.as_slice() {
        b"yes" if tracking.wish.opts_in => {}
        b"no" if tracking.wish.opts_out => {}
        b"yes" => {
            return Err(ReplyError::Fixed(
                "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
            ));
        }
        b"no" => {
            return Err(ReplyError::Fixed(
                "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
            ));
        }
        _ => return Err(ReplyError::Syntax),
    }
    client.flags.set(ClientFlags::CACHING, true);
    cx.reply.ok();
    Ok(Flow::Replied)
}

/// CLIENT TRACKING
pub(in crate::engine) fn client_tracking(cx: &mut EngineCx<'_>) -> CmdResult {
    let status = cx.args.bytes()?.to_ascii_lowercase();
    let wanted = read_options(cx)?;
    match status.as_slice() {
        b"on" => {
            let known = cx.caller().tracking.as_deref().cloned();
            check(&wanted, known.as_ref())?;
            let mut wanted = wanted;
            if wanted.wish.broadcasts && wanted.prefixes.is_empty() {
                wanted.prefixes.push(Box::default());
            }
            let Wanted { wish, redirect, prefixes } = wanted;
            let tracking = Tracking { wish, redirect, prefixes: prefixes.into_iter().collect() };
            cx.engine.start_tracking(cx.client, tracking);
        }
        b"off" => cx.engine.stop_tracking(cx.client),
        _ => return Err(ReplyError::Syntax),
    }
    cx.reply.ok();
    Ok(Flow::Replied)
}

/// What the words ask for, prefixes in their order.
#[derive(Default)]
struct Wanted {
    wish: super::table::Wish,
    redirect: Option<Who>,
    prefixes: Vec<Box<[u8]>>,
}

fn read_options(cx: &mut EngineCx<'_>) -> Result<Wanted, ReplyError> {
    let mut wanted = Wanted::default();
    while !cx.args.is_done() {
        let has_value = cx.args.left() > 1;
        if has_value && cx.args.accept("REDIRECT") {
            if wanted.redirect.is_some() {
                return Err(ReplyError::Fixed(
                    "ERR A client can only redirect to a single other client",
                ));
            }
            let id = u64::try_from(cx.args.int()?).unwrap_or(0);
            let key = cx.engine.client_by_id(id).ok_or(ReplyError::Fixed(
                "ERR The client ID you want redirect to does not exist",
            ))?;
            wanted.redirect = Some(Who { id, key });
        } else if has_value && cx.args.accept("PREFIX") {
            wanted.prefixes.push(cx.args.bytes()?.into());
        } else if cx.args.accept("BCAST") {
            wanted.wish.broadcasts = true;
        } else if cx.args.accept("OPTIN") {
            wanted.wish.opts_in = true;
        } else if cx.args.accept("OPTOUT") {
            wanted.wish.opts_out = true;
        } else if cx.args.accept("NOLOOP") {
            wanted.wish.spares_itself = true;
        } else {
            return Err(ReplyError::Syntax);
        }
    }
    Ok(wanted)
}

/// Whether the options go together, and with those in force. The first that does not is told.
fn check(wanted: &Wanted, known: Option<&Tracking>) -> Result<(), ReplyError> {
    let wish = wanted.wish;
    let old = known.map(|known| known.wish);
    let refusals = [
        (
            !wish.broadcasts && !wanted.prefixes.is_empty(),
            "ERR PREFIX option requires BCAST mode to be enabled",
        ),
        (
            old.is_some_and(|old| old.broadcasts != wish.broadcasts),
            "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and \
             then re-enabling it with a different mode.",
        ),
        (
            wish.broadcasts && (wish.opts_in || wish.opts_out),
            "ERR OPTIN and OPTOUT are not compatible with BCAST",
        ),
        (wish.opts_in && wish.opts_out, "ERR You can't specify both OPTIN mode and OPTOUT mode"),
        (
            old.is_some_and(|old| (wish.opts_in && old.opts_out) || (wish.opts_out && old.opts_in)),
            "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and \
             then re-enabling it with a different mode.",
        ),
    ];
    if let Some((_, text)) = refusals.into_iter().find(|(applies, _)| *applies) {
        return Err(ReplyError::Fixed(text));
    }
    check_prefixes(&wanted.prefixes, known)
}

/// No prefix of a client may begin another one: it would be told of a key twice.
fn check_prefixes(prefixes: &[Box<[u8]>], known: Option<&Tracking>) -> Result<(), ReplyError> {
    let overlap = |one: &[u8], other: &[u8]| one.starts_with(other) || other.starts_with(one);
    let refusal = |prefix: &[u8], what: &str, other: &[u8]| {
        let (prefix, other) = (String::from_utf8_lossy(prefix), String::from_utf8_lossy(other));
        ReplyError::Text(
            format!(
                "ERR Prefix '{prefix}' overlaps with {what} prefix '{other}'. Prefixes for a \
                 single client must not overlap."
            )
            .into(),
        )
    };
    for (index, prefix) in prefixes.iter().enumerate() {
        let mut old = known.into_iter().flat_map(|known| &known.prefixes);
        if let Some(other) = old.find(|other| overlap(prefix, other)) {
            return Err(refusal(prefix, "an existing", other));
        }
        let mut later = prefixes[index + 1..].iter();
        if let Some(other) = later.find(|other| overlap(prefix, other)) {
            return Err(refusal(prefix, "another provided", other));
        }
    }
    Ok(())
}
