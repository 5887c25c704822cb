//! SUBSCRIBE, PUBLISH and their kin.

use crate::command::context::{CmdResult, Flow};
use crate::command::spec::{
    Command, FAST, Group, Key, LOADING, MAY_REPLICATE, NOSCRIPT, PUBSUB, STALE, at_least, exactly,
    pattern, text,
};
use crate::engine::client::ReplyMode;
use crate::engine::context::EngineCx;
use crate::engine::registry::EngineRun::{self, Container, Engine as Run, Help};
use crate::protocol::reply::Reply;

use super::deliver::Payload;
use super::table::Kind;

/// Commands of this file.
pub(in crate::engine) const COMMANDS: &[Command<EngineRun>] = &[
    Command::new("SUBSCRIBE", at_least(2), Group::PubSub, Run(subscribe))
        .flags(PUBSUB.and(NOSCRIPT).and(LOADING).and(STALE))
        .args(&[text("channel").repeated()])
        .doc(
            "2.0.0",
            "Listens to channels.",
            "O(N) where N is the number of channels to subscribe to.",
        ),
    Command::new("UNSUBSCRIBE", at_least(1), Group::PubSub, Run(unsubscribe))
        .flags(PUBSUB.and(NOSCRIPT).and(LOADING).and(STALE))
        .args(&[text("channel").optional().repeated()])
        .doc(
            "2.0.0",
            "Stops listening to channels, or to all.",
            "O(N) where N is the number of channels to unsubscribe.",
        ),
    Command::new("PSUBSCRIBE", at_least(2), Group::PubSub, Run(psubscribe))
        .flags(PUBSUB.and(NOSCRIPT).and(LOADING).and(STALE))
        .args(&[pattern("pattern").repeated()])
        .doc(
            "2.0.0",
            "Listens to all channels that patterns match.",
            "O(N) where N is the number of patterns to subscribe to.",
        ),
    Command::new("PUNSUBSCRIBE", at_least(1), Group::PubSub, Run(punsubscribe))
        .flags(PUBSUB.and(NOSCRIPT).and(LOADING).and(STALE))
        .args(&[pattern("pattern").optional().repeated()])
        .doc(
            "2.0.0",
            "Stops listening by patterns, or by all.",
            "O(N) where N is the number of patterns to unsubscribe.",
        ),
    Command::new("SSUBSCRIBE", at_least(2), Group::PubSub, Run(ssubscribe))
        .keys(&[Key::at(1, &["not_key"]).through(-1, 1, 0)])
        .flags(PUBSUB.and(NOSCRIPT).and(LOADING).and(STALE))
        .args(&[text("shardchannel").repeated()])
        .doc(
            "7.0.0",
            "Listens to channels of a shard.",
            "O(N) where N is the number of shard channels to subscribe to.",
        ),
    Command::new("SUNSUBSCRIBE", at_least(1), Group::PubSub, Run(sunsubscribe))
        .keys(&[Key::at(1, &["not_key"]).through(-1, 1, 0)])
        .flags(PUBSUB.and(NOSCRIPT).and(LOADING).and(STALE))
        .args(&[text("shardchannel").optional().repeated()])
        .doc(
            "7.0.0",
            "Stops listening to channels of a shard, or to all.",
            "O(N) where N is the number of shard channels to unsubscribe.",
        ),
    Command::new("PUBLISH", exactly(3), Group::PubSub, Run(publish))
        .flags(PUBSUB.and(LOADING).and(STALE).and(FAST).and(MAY_REPLICATE))
        .args(&[text("channel"), text("message")])
        .doc(
            "2.0.0",
            "Sends a message to all who listen to a channel.",
            "O(N+M) where N is the number of clients subscribed to the receiving channel and M is \
             the total number of subscribed patterns (by any client).",
        ),
    Command::new("SPUBLISH", exactly(3), Group::PubSub, Run(spublish))
        .keys(&[Key::at(1, &["not_key"])])
        .flags(PUBSUB.and(LOADING).and(STALE).and(FAST).and(MAY_REPLICATE))
        .args(&[text("shardchannel"), text("message")])
        .doc(
            "7.0.0",
            "Sends a message to all who listen to a shard's channel.",
            "O(N) where N is the number of clients subscribed to the receiving shard channel.",
        ),
    Command::new("PUBSUB", at_least(2), Group::PubSub, Container)
        .doc("2.8.0", "Holds the commands that show who listens.", "Depends on subcommand.")
        .subcommands(SUBCOMMANDS),
];

const SUBCOMMANDS: &[Command<EngineRun>] = &[
    Command::new("CHANNELS", at_least(2), Group::PubSub, Run(channels))
        .flags(PUBSUB.and(LOADING).and(STALE))
        .args(&[pattern("pattern").optional()])
        .doc(
            "2.8.0",
            "Lists the channels that somebody listens to.",
            "O(N) where N is the number of active channels, and assuming constant time pattern \
             matching (relatively short channels and patterns)",
        ),
    Command::new("HELP", exactly(2), Group::PubSub, Help(HELP)).flags(LOADING.and(STALE)).doc(
        "6.2.0",
        "Lists the subcommands.",
        "O(1)",
    ),
    Command::new("NUMPAT", exactly(2), Group::PubSub, Run(numpat))
        .flags(PUBSUB.and(LOADING).and(STALE))
        .doc("2.8.0", "Counts the patterns that somebody listens by.", "O(1)"),
    Command::new("NUMSUB", at_least(2), Group::PubSub, Run(numsub))
        .flags(PUBSUB.and(LOADING).and(STALE))
        .args(&[text("channel").optional().repeated()])
        .doc(
            "2.8.0",
            "Counts who listens to channels.",
            "O(N) for the NUMSUB subcommand, where N is the number of requested channels",
        ),
    Command::new("SHARDCHANNELS", at_least(2), Group::PubSub, Run(shardchannels))
        .flags(PUBSUB.and(LOADING).and(STALE))
        .args(&[pattern("pattern").optional()])
        .doc(
            "7.0.0",
            "Lists the channels of a shard that somebody listens to.",
            "O(N) where N is the number of active shard channels, and assuming constant time \
             pattern matching (relatively short shard channels).",
        ),
    Command::new("SHARDNUMSUB", at_least(2), Group::PubSub, Run(shardnumsub))
        .flags(PUBSUB.and(LOADING).and(STALE))
        .args(&[text("shardchannel").optional().repeated()])
        .doc(
            "7.0.0",
            "Counts who listens to channels of a shard.",
            "O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard \
             channels",
        ),
];

const HELP: &[&str] = &[
    "CHANNELS [<pattern>]",
    "    List the channels that somebody listens to, or those that match.",
    "NUMPAT",
    "    Count the patterns that somebody listens by.",
    "NUMSUB [<channel> ...]",
    "    Count who listens to each channel, without those who do by patterns.",
    "SHARDCHANNELS [<pattern>]",
    "    List the channels of this shard that somebody listens to, or those that match.",
    "SHARDNUMSUB [<shardchannel> ...]",
    "    Count who listens to each channel of this shard.",
];

fn subscribe(cx: &mut EngineCx<'_>) -> CmdResult {
    subscribe_to(cx, Kind::Channel, b"subscribe")
}

fn psubscribe(cx: &mut EngineCx<'_>) -> CmdResult {
    subscribe_to(cx, Kind::Pattern, b"psubscribe")
}

fn ssubscribe(cx: &mut EngineCx<'_>) -> CmdResult {
    subscribe_to(cx, Kind::Shard, b"ssubscribe")
}

fn unsubscribe(cx: &mut EngineCx<'_>) -> CmdResult {
    unsubscribe_from(cx, Kind::Channel, b"unsubscribe")
}

fn punsubscribe(cx: &mut EngineCx<'_>) -> CmdResult {
    unsubscribe_from(cx, Kind::Pattern, b"punsubscribe")
}

fn sunsubscribe(cx: &mut EngineCx<'_>) -> CmdResult {
    unsubscribe_from(cx, Kind::Shard, b"sunsubscribe")
}

fn subscribe_to(cx: &mut EngineCx<'_>, kind: Kind, word: &[u8]) -> CmdResult {
    for name in cx.args.rest() {
        let count = cx.engine.subscribe(cx.client, kind, name);
        confirm(cx, word, Some(name), count);
    }
    Ok(Flow::Replied)
}

fn unsubscribe_from(cx: &mut EngineCx<'_>, kind: Kind, word: &[u8]) -> CmdResult {
    if !cx.args.is_done() {
        for name in cx.args.rest() {
            let count = cx.engine.unsubscribe(cx.client, kind, name);
            confirm(cx, word, Some(name), count);
        }
        return Ok(Flow::Replied);
    }
    let names = cx.engine.subscribed_names(cx.client, kind);
    for name in &names {
        let count = cx.engine.unsubscribe(cx.client, kind, name);
        confirm(cx, word, Some(name), count);
    }
    if names.is_empty() {
        let count = cx.caller().subscription_count(kind);
        confirm(cx, word, None, count);
    }
    Ok(Flow::Replied)
}

/// A confirmation is sent like a message, even when replies are switched off.
fn confirm(cx: &mut EngineCx<'_>, word: &[u8], name: Option<&[u8]>, count: usize) {
    let say = |mut reply: Reply<'_>| {
        reply.push(3);
        reply.bulk(word);
        match name {
            Some(name) => reply.bulk(name),
            None => reply.null(),
        }
        reply.count(count);
    };
    let caller = cx.caller();
    if caller.reply_mode == ReplyMode::On {
        say(cx.reply.reborrow());
    } else {
        say(Reply::new(&mut caller.output, caller.dialect));
    }
}

fn publish(cx: &mut EngineCx<'_>) -> CmdResult {
    publish_to(cx, Kind::Channel)
}

fn spublish(cx: &mut EngineCx<'_>) -> CmdResult {
    publish_to(cx, Kind::Shard)
}

fn publish_to(cx: &mut EngineCx<'_>, kind: Kind) -> CmdResult {
    let channel = cx.args.bytes()?;
    let payload = match cx.args.blob(cx.args.position()) {
        Some(blob) => Payload::Shared(blob),
        None => Payload::Plain(cx.args.bytes()?),
    };
    let heard = cx.engine.publish(kind, channel, payload);
    cx.reply.count(heard);
    Ok(Flow::Replied)
}

fn channels(cx: &mut EngineCx<'_>) -> CmdResult {
    list(cx, Kind::Channel)
}

fn shardchannels(cx: &mut EngineCx<'_>) -> CmdResult {
    list(cx, Kind::Shard)
}

fn list(cx: &mut EngineCx<'_>, kind: Kind) -> CmdResult {
    if cx.args.left() > 1 {
        return Err(cx.misused_subcommand());
    }
    let opened = cx.reply.open();
    let mut found = 0;
    for name in cx.engine.pubsub.matching(kind, cx.args.peek()) {
        cx.reply.bulk(name);
        found += 1;
    }
    cx.reply.close_array(opened, found);
    Ok(Flow::Replied)
}

fn numpat(cx: &mut EngineCx<'_>) -> CmdResult {
    cx.reply.count(cx.engine.pubsub.count(Kind::Pattern));
    Ok(Flow::Replied)
}

fn numsub(cx: &mut EngineCx<'_>) -> CmdResult {
    count(cx, Kind::Channel)
}

fn shardnumsub(cx: &mut EngineCx<'_>) -> CmdResult {
    count(cx, Kind::Shard)
}

fn count(cx: &mut EngineCx<'_>, kind: Kind) -> CmdResult {
    let names = cx.args.rest();
    cx.reply.array(names.len() * 2);
    for name in names {
        cx.reply.bulk(name);
        cx.reply.count(cx.engine.pubsub.listeners(kind, name));
    }
    Ok(Flow::Replied)
}
