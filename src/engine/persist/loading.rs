//! Loading: pieces of a file that another thread reads come in, between commands or all at once.

use crate::base::time::{Now, UnixMillis};
use crate::config::choices::RdbVersionCheck;
use crate::engine::Engine;
use crate::keyspace::DbIndex;
use crate::keyspace::journal::DEL;
use crate::keyspace::load::LoadedKey;
use crate::keyspace::write::Free;
use crate::persistence::rdb::Versions;

use super::disk::{LoadJob, LoadStyle, Portion};

/// How many keys ahead their places are fetched into the cache.
const LOOKAHEAD: usize = 16;

/// What becomes of a key of the file when there is one of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clash {
    /// The file is refused.
    Fails,
    /// It goes where the other one was.
    Replaces,
}

/// What is known of loading.
#[derive(Debug, Default)]
pub(in crate::engine) struct Loading {
    current: Option<Load>,
    /// Keys that the last file had, without expired ones.
    loaded: u64,
    /// Keys that were left out, as their time was over.
    expired: u64,
    /// Keys that were left out, as they had no elements.
    empty: u64,
}

#[derive(Debug)]
struct Load {
    started: Now,
    total_bytes: u64,
    loaded_bytes: u64,
    used_memory: u64,
    /// Whether a key goes that is there already.
    replaces: bool,
}

/// Figures of INFO.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::engine) struct LoadFigures {
    pub started_s: i64,
    pub total_bytes: u64,
    pub loaded_bytes: u64,
    pub used_memory: u64,
    pub eta_s: u64,
}

impl Loading {
    /// Whether data are being loaded.
    #[inline]
    pub(in crate::engine) fn is_active(&self) -> bool {
        self.current.is_some()
    }

    /// Keys that the last file had, without expired ones.
    pub(in crate::engine) fn loaded(&self) -> u64 {
        self.loaded
    }

    /// Keys of the last file that were left out because their time was over.
    pub(in crate::engine) fn expired(&self) -> u64 {
        self.expired
    }

    /// Figures of what is being loaded.
    pub(in crate::engine) fn figures(&self, now: Now) -> Option<LoadFigures> {
        let load = self.current.as_ref()?;
        let passed_s = now.unix_seconds().saturating_sub(load.started.unix_seconds());
        let passed_s = u64::try_from(passed_s).unwrap_or(0);
        let left = load.total_bytes.saturating_sub(load.loaded_bytes);
        let eta_s = match load.loaded_bytes {
            0 => 1,
            loaded => u64::try_from(u128::from(passed_s) * u128::from(left) / u128::from(loaded))
                .unwrap_or(u64::MAX),
        };
        Some(LoadFigures {
            started_s: load.started.unix_seconds(),
            total_bytes: load.total_bytes,
            loaded_bytes: load.loaded_bytes,
            used_memory: load.used_memory,
            eta_s,
        })
    }
}

impl Engine {
    /// Whether data are being loaded: most commands are refused then.
    #[inline]
    pub fn is_loading(&self) -> bool {
        self.loading.is_active()
    }

    /// What a file is to be read with. `expires` says whether keys whose time is over stay away.
    pub fn load_job(&self, path: String, expires: bool) -> LoadJob {
        let config = &self.config;
        let now = self.now.unix_ms();
        LoadJob {
            path,
            values: self.keyspace.maker(),
            keys: self.keyspace.maker(),
            style: LoadStyle {
                now,
                expires_at: expires.then_some(now),
                checksums: config.rdbchecksum,
                versions: match config.rdb_version_check {
                    RdbVersionCheck::Strict => Versions::Known,
                    RdbVersionCheck::Relaxed => Versions::Any,
                },
                access: self.keyspace.access_policy(),
                key_delay: config.key_load_delay,
                portion_bytes: config.loading_process_events_interval_bytes.into(),
                encodings: self.limits.encodings,
            },
        }
    }

    /// Loading begins: `total_bytes` of a file.
    pub fn begin_loading(&mut self, total_bytes: u64, clash: Clash) {
        (self.loading.loaded, self.loading.expired, self.loading.empty) = (0, 0, 0);
        self.loading.current = Some(Load {
            started: self.now,
            total_bytes,
            loaded_bytes: 0,
            used_memory: 0,
            replaces: clash == Clash::Replaces,
        });
    }

    /// Takes a piece in. `Ok(false)` is the end; an error says what is wrong with the file.
    pub fn take_in(&mut self, portion: Portion) -> Result<bool, String> {
        match portion {
            Portion::Aux(name, value) => self.heed_aux(&name, &value),
            Portion::Library(text) => {
                let load = self.loading.current.as_ref();
                let replaces = load.is_some_and(|load| load.replaces);
                self.load_library(&text, replaces)?;
            }
            Portion::Keys { keys, expired, bytes } => {
                self.loading.expired += expired;
                let now = self.now.unix_ms();
                let places: Vec<_> = keys.iter().map(|(db, key)| (*db, key.hash())).collect();
                for (at, (db, key)) in keys.into_iter().enumerate() {
                    if let Some((db, hash)) = places.get(at + LOOKAHEAD)
                        && self.keyspace.has_db(*db)
                    {
                        self.keyspace.prefetch_bucket(*db, *hash);
                    }
                    self.put_in(db, key, now)?;
                }
                if let Some(load) = &mut self.loading.current {
                    load.loaded_bytes = bytes;
                }
            }
            Portion::End(outcome) => {
                self.loading.empty = outcome?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn put_in(&mut self, db: DbIndex, key: LoadedKey, now: UnixMillis) -> Result<(), String> {
        if !self.keyspace.has_db(db) {
            return Err(format!(
                "FATAL: Data file was created with a Redis server configured to handle more than \
                 {} databases. Exiting",
                self.keyspace.db_count()
            ));
        }
        let mut writer = self.keyspace.writer(db, now);
        if self.loading.current.as_ref().is_some_and(|load| load.replaces) {
            writer.remove(key.key(), Free::Later, DEL);
        }
        if let Err(key) = writer.load(key) {
            let name = key.key().escape_ascii();
            return Err(format!("RDB has duplicated key '{name}' in DB {}", db.0));
        }
        self.loading.loaded += 1;
        Ok(())
    }

    /// The end of loading. What was loaded counts as saved.
    pub fn end_loading(&mut self) {
        self.loading.current = None;
        self.count_as_saved();
        self.react();
    }

    /// What loading did, for the log.
    pub fn log_loaded(&self) {
        let Loading { loaded, expired, empty, .. } = &self.loading;
        let skipped =
            if *empty > 0 { format!(", empty keys skipped: {empty}") } else { String::new() };
        tracing::info!(
            "Done loading RDB, keys loaded: {loaded}, keys expired: {expired}{skipped}."
        );
    }

    fn heed_aux(&mut self, name: &str, value: &str) {
        let number = value.parse::<u64>().ok();
        match name {
            "redis-ver" | "valkey-ver" => tracing::info!("Loading RDB produced by version {value}"),
            "ctime" => {
                if let Ok(made) = value.parse::<i64>() {
                    let age = self.now.unix_seconds().saturating_sub(made).max(0);
                    tracing::info!("RDB age {age} seconds");
                }
            }
            "used-mem" => {
                if let (Some(bytes), Some(load)) = (number, &mut self.loading.current) {
                    load.used_memory = bytes;
                    #[allow(clippy::cast_precision_loss, reason = "shown with two decimals")]
                    let mebibytes = bytes as f64 / 1_048_576.0;
                    tracing::info!("RDB memory usage when created {mebibytes:.2} Mb");
                }
            }
            _ => tracing::debug!("RDB aux field '{name}': '{value}'"),
        }
    }
}
