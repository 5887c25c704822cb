//! What is on disk comes in when the server starts. Clients can connect meanwhile and are told so.

use std::time::Duration;

use crate::engine::persist::disk::{Feed, Portion};
use crate::engine::persist::loading::Clash;

use super::host::SharedHost;
use super::{aof, saver};

/// How long to wait for the reading thread when it is behind. Several portions are ready after it.
const PATIENCE: Duration = Duration::from_millis(1);

/// Loads what is there. An error says why the server can't start.
pub(super) async fn load(host: &SharedHost) -> Result<(), String> {
    saver::remove_leftovers();
    if host.borrow().engine.config.appendonly {
        return aof::startup::load(host).await;
    }
    let path = host.borrow().engine.config.dbfilename.clone();
    load_snapshot(host, path).await
}

async fn load_snapshot(host: &SharedHost, path: String) -> Result<(), String> {
    let Some(mut feed) = open(host, path)? else { return Ok(()) };
    let started = host.borrow().engine.now.monotonic;
    loop {
        let portion = next(feed.as_mut()).await;
        let mut host = host.borrow_mut();
        host.begin_turn();
        let goes_on = host.engine.take_in(portion)?;
        if !goes_on {
            let micros = host.engine.now.monotonic.since(started);
            host.engine.log_loaded();
            host.engine.end_loading();
            host.end_turn();
            tracing::info!(
                "DB loaded from disk: {}.{:03} seconds",
                micros / 1_000_000,
                micros / 1000 % 1000
            );
            return Ok(());
        }
        host.end_turn();
    }
}

fn open(host: &SharedHost, path: String) -> Result<Option<Box<dyn Feed>>, String> {
    let mut host = host.borrow_mut();
    host.begin_turn();
    let feed = host.engine.open_snapshot(path)?;
    if let Some(feed) = &feed {
        host.engine.begin_loading(feed.total_bytes(), Clash::Fails);
    }
    Ok(feed)
}

/// The next portion. Between any two, others have their turn.
async fn next(feed: &mut dyn Feed) -> Portion {
    tokio::task::yield_now().await;
    loop {
        if let Some(portion) = feed.try_next() {
            return portion;
        }
        tokio::time::sleep(PATIENCE).await;
    }
}
