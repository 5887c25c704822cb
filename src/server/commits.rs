//! Writing the log once for everybody who was served meanwhile.
//!
//! A write costs a system call and a sync far more, so those who are ready are served first and
//! share both; their replies leave afterwards. Nobody waits for those who come later: only what is
//! ready when the first one has been served is taken along.

use std::rc::Rc;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::yield_now;

use crate::config::choices::AppendFsync;
use crate::engine::append::files::BaseReport;

use super::host::SharedHost;

/// Looks at the sockets before a sync, at most.
const ROUNDS_MAX: usize = 16;

/// Writes, for ever.
pub(super) async fn write(host: SharedHost) {
    let wanted = Rc::clone(&host.borrow().commit_wanted);
    loop {
        wanted.notified().await;
        // Whoever is ready by now, the sockets included, comes first. A sync takes so long that it
        // waits until nobody turns up any more.
        let syncs = host.borrow().engine.config.appendfsync == AppendFsync::Always;
        for _ in 0..if syncs { ROUNDS_MAX } else { 1 } {
            let served = host.borrow().engine.stats.reads;
            yield_now().await;
            if host.borrow().engine.stats.reads == served {
                break;
            }
        }
        let mut host = host.borrow_mut();
        host.begin_turn();
        host.commit();
        host.end_turn();
    }
}

/// Takes new bases in, for ever.
pub(super) async fn bases(host: SharedHost, mut reports: UnboundedReceiver<BaseReport>) {
    while let Some(report) = reports.recv().await {
        let mut host = host.borrow_mut();
        host.begin_turn();
        host.engine.base_ended(&report);
        // The snapshot that it was written from is gone.
        host.engine.housekeep();
        host.end_turn();
    }
}
