//! Loading the log: its parts in order, a snapshot and commands. Others have their turn between two
//! pieces.
//!
//! What an end amid a record or amid a transaction leaves is cut off, if the directives allow it and
//! it is the end of all: later changes must not stand behind half a transaction, which would swallow
//! them at the next start.

use std::collections::VecDeque;
use std::io::Read;

use crate::base::time::Now;
use crate::command::args::Args;
use crate::command::context::EncodingLimits;
use crate::engine::Engine;
use crate::engine::persist::disk::{Feed, Portion};
use crate::engine::persist::loading::Clash;
use crate::engine::replay::{Replay, ReplayError};
use crate::persistence::aof::reader::{Item, LogError, Reader};
use crate::persistence::rdb::decode::Limits;
use crate::types::hash;
use crate::types::sorted_set::PackLimits;

use super::files::LogPart;

/// Longest word of a record: that of Redis, unless `proto-max-bulk-len` is larger.
const WORD_LEN_MAX: u64 = 512 * 1024 * 1024;

/// A log that is being loaded.
#[derive(Debug)]
pub struct LogLoad {
    parts: VecDeque<LogPart>,
    step: Step,
    replay: Replay,
    /// Where the last part is to be cut.
    last_size: Option<u64>,
    started: Now,
}

/// What is being loaded.
#[derive(Debug)]
enum Step {
    /// Nothing: the next part comes.
    Next,
    /// A snapshot, which another thread reads: up to where it has come in.
    Snapshot { part: LogPart, feed: Box<dyn Feed>, read: u64 },
    /// Commands.
    Commands { part: LogPart, reader: Reader<Source>, whole: u64 },
}

/// A part's bytes.
struct Source(Box<dyn Read>);

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Source")
    }
}

impl Read for Source {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(bytes)
    }
}

/// How far loading got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// There is more.
    More,
    /// There will be more in a moment: another thread is behind.
    Soon,
    /// Everything.
    All,
}

impl Engine {
    /// Begins to load the log; `None` without one.
    pub fn begin_log_load(&mut self) -> Result<Option<LogLoad>, String> {
        let parts = self.outside.log_files().parts()?;
        if parts.is_empty() {
            return Ok(None);
        }
        self.begin_loading(parts.iter().map(|part| part.size).sum(), Clash::Fails);
        Ok(Some(LogLoad {
            parts: parts.into(),
            step: Step::Next,
            replay: self.begin_replay(),
            last_size: None,
            started: self.now,
        }))
    }

    /// Loads some more: a piece of a snapshot, or about `budget` commands. Waits for the thread that
    /// reads, if it is to.
    pub fn load_log(
        &mut self,
        load: &mut LogLoad,
        budget: usize,
        waits: bool,
    ) -> Result<Loaded, String> {
        match std::mem::replace(&mut load.step, Step::Next) {
            Step::Next => {
                let Some(part) = load.parts.pop_front() else {
                    self.finish_log_load(load);
                    return Ok(Loaded::All);
                };
                load.step = self.begin_part(part)?;
            }
            Step::Snapshot { part, mut feed, mut read } => {
                let portion = if waits { Some(feed.next()) } else { feed.try_next() };
                let Some(portion) = portion else {
                    load.step = Step::Snapshot { part, feed, read };
                    return Ok(Loaded::Soon);
                };
                if let Portion::Keys { bytes, .. } = &portion {
                    read = *bytes;
                }
                load.step = if self.take_in(portion)? {
                    Step::Snapshot { part, feed, read }
                } else if read < part.size {
                    self.begin_commands(part, read)?
                } else {
                    Step::Next
                };
            }
            Step::Commands { part, mut reader, mut whole } => {
                for _ in 0..budget {
                    match reader.next_item() {
                        Ok(Some(Item::Note)) => {}
                        Ok(Some(Item::Request)) => {
                            self.replay(&mut load.replay, &args_of(&reader))
                                .map_err(|error| unknown(&error, &part))?;
                        }
                        Ok(None) if !load.replay.is_in_transaction() => return Ok(Loaded::More),
                        ended => {
                            self.cut_short(load, &part, whole, ended.err())?;
                            return Ok(Loaded::More);
                        }
                    }
                    if !load.replay.is_in_transaction() {
                        whole = reader.offset();
                    }
                }
                load.step = Step::Commands { part, reader, whole };
            }
        }
        Ok(Loaded::More)
    }

    fn begin_part(&mut self, part: LogPart) -> Result<Step, String> {
        if !part.has_snapshot {
            return self.begin_commands(part, 0);
        }
        tracing::info!("Reading RDB base file on AOF loading...");
        // Keys whose time is over come in too: the log says when they go.
        let job = self.load_job(part.path.clone(), false);
        let feed = self.outside.disk().load(job)?;
        let feed = feed.ok_or_else(|| format!("The AOF file {} doesn't exist", part.name))?;
        Ok(Step::Snapshot { part, feed, read: 0 })
    }

    fn begin_commands(&mut self, part: LogPart, from: u64) -> Result<Step, String> {
        let input = self.outside.log_files().read(&part, from)?;
        let longest = WORD_LEN_MAX.max(self.config.proto_max_bulk_len.0);
        let reader = Reader::new(Source(input), from, longest);
        Ok(Step::Commands { part, reader, whole: from })
    }

    /// A part ends amid something, or is damaged: whether that may be cut off.
    fn cut_short(
        &mut self,
        load: &mut LogLoad,
        part: &LogPart,
        whole: u64,
        error: Option<LogError>,
    ) -> Result<(), String> {
        let name = &part.name;
        let lost = part.size.saturating_sub(whole);
        match error {
            Some(LogError::Io(error)) => {
                return Err(format!(
                    "Unrecoverable error reading the append only file {name}: {error}"
                ));
            }
            Some(damage @ LogError::Corrupt { .. }) => {
                let bound = self.config.aof_load_corrupt_tail_max_size.0;
                if !part.is_last || lost > bound {
                    tracing::warn!("AOF file {name}: {damage}");
                    return Err(format!(
                        "Bad file format reading the append only file {name}: make a backup of \
                         your AOF file, then use ./redis-check-aof --fix <filename.manifest>"
                    ));
                }
                tracing::warn!("!!! Warning: corrupt tail of the AOF file {name}: {damage} !!!");
            }
            Some(LogError::Truncated { .. }) | None => {
                if !self.config.aof_load_truncated || !part.is_last {
                    return Err(format!(
                        "Unexpected end of file reading the append only file {name}. You can: 1) \
                         Make a backup of your AOF file, then use ./redis-check-aof --fix \
                         <filename.manifest>. 2) Alternatively you can set the \
                         'aof-load-truncated' configuration option to yes and restart the server."
                    ));
                }
                if load.replay.is_in_transaction() {
                    tracing::warn!("Revert incomplete MULTI/EXEC transaction in AOF file {name}");
                }
                tracing::warn!("!!! Warning: short read while loading the AOF file {name}!!!");
                tracing::warn!("AOF {name} loaded anyway because aof-load-truncated is enabled");
            }
        }
        tracing::warn!("Truncating the AOF {name} at offset {whole}");
        load.replay.drop_transaction();
        load.last_size = Some(whole);
        Ok(())
    }

    fn finish_log_load(&mut self, load: &mut LogLoad) {
        self.abandon_log_load(load);
        let micros = self.now.monotonic.since(load.started.monotonic);
        tracing::info!(
            "DB loaded from append only file: {}.{:03} seconds",
            micros / 1_000_000,
            micros / 1000 % 1000
        );
    }

    /// Loading has ended early: nothing of it goes on.
    pub fn abandon_log_load(&mut self, load: &LogLoad) {
        self.end_replay(&load.replay);
        self.end_loading();
    }

    /// Has changes written to the log from now on. `load` is what was loaded of it, if anything.
    pub fn open_log(&mut self, load: Option<&LogLoad>) -> Result<(), String> {
        let job = self.base_job();
        let last_size = load.and_then(|load| load.last_size);
        self.outside.log_files().open(last_size, job)?;
        self.keyspace.reap(1);
        self.log_opened();
        Ok(())
    }

    /// Drops all data and loads the log while everybody waits (DEBUG LOADAOF).
    pub(in crate::engine) fn reload_log(&mut self) -> Result<(), String> {
        let was_on = self.propagation.is_on();
        self.settle_log();
        // Nothing of what follows is told.
        self.propagation.turn(false);
        self.drop_everything();
        let loaded = self.load_all();
        self.propagation.turn(was_on);
        self.choose_listening();
        loaded
    }
}

impl Engine {
    fn load_all(&mut self) -> Result<(), String> {
        let Some(mut load) = self.begin_log_load()? else { return Ok(()) };
        loop {
            match self.load_log(&mut load, usize::MAX, true) {
                Ok(Loaded::All) => return Ok(()),
                Ok(Loaded::More | Loaded::Soon) => {}
                Err(why) => {
                    self.abandon_log_load(&load);
                    return Err(why);
                }
            }
        }
    }
}

/// When values of a snapshot are too large for their small form.
pub fn limits_of(encodings: &EncodingLimits) -> Limits {
    Limits {
        list: encodings.list_pack,
        set: encodings.set(),
        hash: hash::Limits {
            entries: encodings.hash_pack_entries,
            bytes: encodings.hash_pack_value,
        },
        sorted_set: PackLimits {
            entries: encodings.sorted_set_pack_entries,
            value: encodings.sorted_set_pack_value,
        },
    }
}

/// The words of the request that was read last.
fn args_of<R: Read>(reader: &Reader<R>) -> Args<'_> {
    let (buffer, spans) = reader.request();
    Args::new(buffer, spans, &[])
}

fn unknown(error: &ReplayError, part: &LogPart) -> String {
    format!("{error} {}", part.name)
}
