//! Writing the log once for everybody who was served meanwhile.
//!
//! A write costs a system call and a sync far more, so those who are ready are served first and
//! share both; their replies leave afterwards. A write waits for nobody who comes later; a sync
//! does, for a part of the time that it will take.

use std::rc::Rc;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::yield_now;

use crate::config::choices::AppendFsync;
use crate::engine::append::files::BaseReport;

use super::host::SharedHost;

/// A sync waits for others as long as they come at least this often. Microseconds; answering a
/// request takes a client a tenth of that.
const PAUSE_US: u64 = 50;

/// It never waits for longer than this, nor for longer than the last sync took. Microseconds.
const PATIENCE_US_MAX: u64 = 1000;

/// Writes, for ever.
pub(super) async fn write(host: SharedHost) {
    let wanted = Rc::clone(&host.borrow().commit_wanted);
    let (mut patience_us, mut released) = (0, 0);
    loop {
        wanted.notified().await;
        // Whoever is ready by now, the sockets included, comes first.
        yield_now().await;
        if host.borrow().engine.config.appendfsync == AppendFsync::Always {
            gather(&host, patience_us, released).await;
        }
        let mut host = host.borrow_mut();
        host.begin_turn();
        let begun = host.engine.now.monotonic;
        released = host.commit();
        patience_us = host.clock.now().monotonic.since(begun).min(PATIENCE_US_MAX);
        host.end_turn();
    }
}

/// Lets others come along. A sync takes so long that those whom the last one has released should
/// be there: otherwise half of the clients come back while the other half is being synced, and each
/// sync serves one half. Once as many are there, it waits for nobody; so a client that is alone
/// never does.
async fn gather(host: &SharedHost, patience_us: u64, released: usize) {
    let look = || {
        let host = host.borrow();
        let are_there = host.uncommitted_count() >= released.max(1);
        (host.engine.stats.reads, are_there, host.clock.now().monotonic)
    };
    let (mut served, _, begun) = look();
    let mut came = begun;
    loop {
        yield_now().await;
        let (reads, are_there, now) = look();
        if reads != served {
            (served, came) = (reads, now);
        } else if are_there || now.since(came) >= PAUSE_US {
            return;
        }
        if now.since(begun) >= patience_us {
            return;
        }
        // Whoever sends may need this very processor.
        std::thread::yield_now();
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
