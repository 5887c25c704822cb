//! The log comes in when the server starts, and changes go to its end from then on.

use std::time::Duration;

use crate::engine::append::loading::{Loaded, LogLoad};
use crate::server::host::SharedHost;

/// How long to wait for a thread that is behind.
const PATIENCE: Duration = Duration::from_millis(1);
/// Commands between two looks at clients.
const COMMANDS_AT_ONCE: usize = 4096;

/// Loads the log, if there is one, and opens it. An error says why the server can't start.
pub(in crate::server) async fn load(host: &SharedHost) -> Result<(), String> {
    let load = {
        let mut host = host.borrow_mut();
        host.begin_turn();
        host.engine.begin_log_load()?
    };
    let load = match load {
        Some(load) => Some(go_on(host, load).await?),
        None => None,
    };
    let mut host = host.borrow_mut();
    host.begin_turn();
    host.engine.open_log(load.as_ref())?;
    host.end_turn();
    Ok(())
}

async fn go_on(host: &SharedHost, mut load: LogLoad) -> Result<LogLoad, String> {
    loop {
        tokio::task::yield_now().await;
        let loaded = {
            let mut host = host.borrow_mut();
            host.begin_turn();
            let loaded = host.engine.load_log(&mut load, COMMANDS_AT_ONCE, false)?;
            host.end_turn();
            loaded
        };
        match loaded {
            Loaded::All => return Ok(load),
            Loaded::More => {}
            Loaded::Soon => tokio::time::sleep(PATIENCE).await,
        }
    }
}
