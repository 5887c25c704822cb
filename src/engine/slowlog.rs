//! The logs of remarkable calls: slow ones, large requests, large replies.

use std::collections::VecDeque;

use crate::command::args::Args;
use crate::config::Config;

use super::Engine;
use super::client::ClientKey;
use super::monitor::hidden_words;
use super::registry::RowIndex;
use crate::structures::size_class::size_class;

/// One remarkable call.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Ascending over all entries of its log.
    pub id: u64,
    /// When, in seconds since the Unix epoch.
    pub unix_seconds: i64,
    /// Microseconds, or bytes.
    pub value: u64,
    /// Its words, shortened.
    pub words: Vec<Box<[u8]>>,
    /// The client's address.
    pub addr: Box<str>,
    /// The client's name.
    pub name: Box<[u8]>,
}

/// The last entries of one kind, newest first.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// Newest first.
    pub entries: VecDeque<Entry>,
    next_id: u64,
}

/// What makes a call remarkable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remark {
    /// It took long.
    Slow,
    /// Its words are many bytes.
    LargeRequest,
    /// Its reply is many bytes.
    LargeReply,
}

/// The three logs and their thresholds.
#[derive(Debug, Default)]
pub(super) struct SlowLog {
    /// Calls that took long.
    pub slow: Log,
    /// Calls with many bytes of words.
    pub large_requests: Log,
    /// Calls with many bytes of reply.
    pub large_replies: Log,
    threshold_nanos: u64,
    request_bytes: u64,
    reply_bytes: u64,
    lengths: [usize; 3],
    /// Words of a call that an entry keeps, the notice about the left-out ones included.
    words_max: usize,
    /// Bytes of a word that an entry keeps.
    word_bytes_max: usize,
}

/// Entries of a log that are looked at to tell what all of them take.
const SAMPLES: usize = 256;

impl Log {
    /// Bytes of memory taken, about. O(1).
    fn memory_bytes(&self) -> usize {
        let looked = self.entries.iter().take(SAMPLES);
        let bytes: usize = looked
            .map(|entry| {
                let words = entry.words.iter().map(|word| size_class(word.len()));
                let room = entry.words.capacity() * size_of::<Box<[u8]>>();
                words.sum::<usize>() + room + entry.addr.len() + entry.name.len()
            })
            .sum();
        let count = self.entries.len();
        self.entries.capacity() * size_of::<Entry>() + bytes * count / count.clamp(1, SAMPLES)
    }
}

impl SlowLog {
    /// Bytes of memory taken, about. O(1).
    pub(super) fn memory_bytes(&self) -> usize {
        [&self.slow, &self.large_requests, &self.large_replies].map(Log::memory_bytes).iter().sum()
    }

    /// Takes thresholds and lengths from the directives; negative thresholds switch a log off.
    pub(super) fn obey(&mut self, config: &Config) {
        self.threshold_nanos = u64::try_from(config.slowlog_log_slower_than)
            .map_or(u64::MAX, |micros| micros.saturating_mul(1000));
        let bytes = |threshold| u64::try_from(threshold).unwrap_or(u64::MAX);
        self.request_bytes = bytes(config.commandlog_request_larger_than);
        self.reply_bytes = bytes(config.commandlog_reply_larger_than);
        self.lengths = [
            config.slowlog_max_len,
            config.commandlog_large_request_max_len,
            config.commandlog_large_reply_max_len,
        ]
        .map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        self.words_max = config.slowlog_entry_max_argc as usize;
        self.word_bytes_max = config.slowlog_entry_max_string_len as usize;
        for remark in [Remark::Slow, Remark::LargeRequest, Remark::LargeReply] {
            let length = self.length(remark);
            self.log_mut(remark).entries.truncate(length);
        }
    }

    /// From how many nanoseconds on a call is slow.
    pub(super) fn threshold_nanos(&self) -> u64 {
        self.threshold_nanos
    }

    /// Whether a call took long, or its words or reply are large. O(1) but for large requests.
    #[inline]
    pub(super) fn is_remarkable(&self, args: &Args<'_>, nanos: u64, reply_bytes: usize) -> bool {
        nanos >= self.threshold_nanos
            || reply_bytes as u64 > self.reply_bytes
            || args.bytes_max() as u64 > self.request_bytes
    }

    fn length(&self, remark: Remark) -> usize {
        self.lengths[remark as usize]
    }

    /// The log of one kind.
    pub(super) fn log(&self, remark: Remark) -> &Log {
        match remark {
            Remark::Slow => &self.slow,
            Remark::LargeRequest => &self.large_requests,
            Remark::LargeReply => &self.large_replies,
        }
    }

    /// The log of one kind, to change.
    pub(super) fn log_mut(&mut self, remark: Remark) -> &mut Log {
        match remark {
            Remark::Slow => &mut self.slow,
            Remark::LargeRequest => &mut self.large_requests,
            Remark::LargeReply => &mut self.large_replies,
        }
    }

    fn push(&mut self, remark: Remark, mut entry: Entry) {
        let length = self.length(remark);
        let log = self.log_mut(remark);
        entry.id = log.next_id;
        log.next_id += 1;
        log.entries.push_front(entry);
        log.entries.truncate(length);
    }
}

/// Bytes of all words.
fn request_bytes(args: &Args<'_>) -> u64 {
    args.words().map(|word| word.len() as u64).sum()
}

impl Engine {
    /// Enters a call into the logs whose thresholds it passes.
    #[cold]
    pub(super) fn log_slow(
        &mut self,
        key: ClientKey,
        row: RowIndex,
        args: &Args<'_>,
        nanos: u64,
        reply_bytes: usize,
    ) {
        if self.registry.row(row).spec.flags.has(crate::command::spec::SKIP_SLOWLOG) {
            return;
        }
        let Some(client) = self.clients.get(key) else { return };
        // What a script calls comes from no address.
        let is_scripts = self.scripts.is_calling();
        let entry = Entry {
            id: 0,
            unix_seconds: self.now.unix_seconds(),
            value: 0,
            words: self.slow_log.shortened(&self.registry.row(row).full_name, args),
            addr: if is_scripts { "" } else { client.origin.addr.as_str() }.into(),
            name: if is_scripts { Box::default() } else { client.name.clone() },
        };
        let measured = [
            (Remark::Slow, nanos / 1000, nanos >= self.slow_log.threshold_nanos()),
            (
                Remark::LargeRequest,
                request_bytes(args),
                request_bytes(args) > self.slow_log.request_bytes,
            ),
            (
                Remark::LargeReply,
                reply_bytes as u64,
                reply_bytes as u64 > self.slow_log.reply_bytes,
            ),
        ];
        for (remark, value, is_remarkable) in measured {
            if is_remarkable {
                self.stats.slow_commands += u64::from(remark == Remark::Slow);
                self.slow_log.push(remark, Entry { value, ..entry.clone() });
            }
        }
    }
}

impl SlowLog {
    /// The words of a call as an entry keeps them.
    fn shortened(&self, command: &str, args: &Args<'_>) -> Vec<Box<[u8]>> {
        let hidden = hidden_words(command, args);
        let count = args.word_count();
        let kept = if count > self.words_max { self.words_max - 1 } else { count };
        let mut words: Vec<Box<[u8]>> = args
            .words()
            .take(kept)
            .enumerate()
            .map(|(index, word)| {
                if hidden.contains(&index) {
                    b"(redacted)".as_slice().into()
                } else if word.len() > self.word_bytes_max {
                    let mut text = word[..self.word_bytes_max].to_vec();
                    let more = word.len() - self.word_bytes_max;
                    text.extend_from_slice(format!("... ({more} more bytes)").as_bytes());
                    text.into()
                } else {
                    word.into()
                }
            })
            .collect();
        if kept < count {
            words.push(format!("... ({} more arguments)", count - kept).into_bytes().into());
        }
        words
    }
}
