//! DEBUG RELOAD: the data through a file and back, while everybody waits.

use crate::command::context::{CmdResult, Flow};
use crate::engine::Engine;
use crate::engine::context::EngineCx;
use crate::keyspace::DbIndex;
use crate::keyspace::write::Free;
use crate::protocol::error::ReplyError;

use super::disk::Feed;
use super::loading::Clash;

/// DEBUG RELOAD
pub(in crate::engine) fn reload(cx: &mut EngineCx<'_>) -> CmdResult {
    let (mut saves, mut flushes, mut clash) = (true, true, Clash::Fails);
    while !cx.args.is_done() {
        if cx.args.accept("NOSAVE") {
            saves = false;
        } else if cx.args.accept("NOFLUSH") {
            flushes = false;
        } else if cx.args.accept("MERGE") {
            clash = Clash::Replaces;
        } else {
            return Err(ReplyError::Fixed(
                "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
            ));
        }
    }
    if saves {
        let saved = cx.engine.save_now();
        saved.map_err(|why| {
            ReplyError::Text(format!("ERR The snapshot can't be saved: {why}").into())
        })?;
    }
    if flushes {
        cx.engine.drop_everything();
    }
    if let Err(why) = cx.engine.load_now(clash) {
        tracing::warn!("{why}");
        return Err(ReplyError::Fixed("ERR Error trying to load the RDB dump, check server logs."));
    }
    tracing::warn!("DB reloaded by DEBUG RELOAD");
    cx.reply.ok();
    Ok(Flow::Replied)
}

impl Engine {
    /// Empties all databases and drops all libraries.
    pub(in crate::engine) fn drop_everything(&mut self) {
        let now = self.now.unix_ms();
        self.keyspace.writer(DbIndex(0), now).flush_all(Free::Later);
        self.drop_libraries();
        self.react();
    }

    /// Begins to read a snapshot file; `None` without one.
    pub fn open_snapshot(&mut self, path: String) -> Result<Option<Box<dyn Feed>>, String> {
        let job = self.load_job(path, true);
        self.outside.disk().load(job)
    }

    /// Loads the snapshot file while everybody waits.
    fn load_now(&mut self, clash: Clash) -> Result<(), String> {
        let feed = self.open_snapshot(self.config.dbfilename.clone())?;
        let mut feed = feed.ok_or("The file isn't there")?;
        self.begin_loading(feed.total_bytes(), clash);
        let loaded = loop {
            match self.take_in(feed.next()) {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(why) => break Err(why),
            }
        };
        if loaded.is_ok() {
            self.log_loaded();
        }
        self.end_loading();
        loaded
    }
}
