//! What happens without anybody asking: expiry when it is due, housekeeping ten times a second.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::engine::timers::HOUSEKEEPING_MS;

use super::host::SharedHost;
use super::saver::Report;

/// Housekeeping, for ever.
pub(super) async fn housekeeping(host: SharedHost) {
    let mut beat = interval(Duration::from_millis(HOUSEKEEPING_MS));
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        let mut host = host.borrow_mut();
        host.begin_turn();
        // Between two turns nothing is in it any more.
        host.batch.clear();
        host.batch.shrink();
        host.engine.shell_bytes = host.batch.memory_bytes();
        host.engine.housekeep();
        host.end_turn();
    }
}

/// Tells the engine what became of files, and frees in portions what their snapshots held back.
pub(super) async fn reports(host: SharedHost, mut reports: UnboundedReceiver<Report>) {
    while let Some(report) = reports.recv().await {
        {
            let mut host = host.borrow_mut();
            host.begin_turn();
            match report {
                Report::Saved(report) => host.engine.save_ended(&report),
            }
            host.end_turn();
        }
        while reap(&host) {
            tokio::task::yield_now().await;
        }
    }
}

fn reap(host: &SharedHost) -> bool {
    let mut host = host.borrow_mut();
    host.begin_turn();
    let goes_on = host.engine.reap();
    host.end_turn();
    goes_on
}

/// Lets busy scripts go on, a slice at a time; in between the sockets are looked at.
pub(super) async fn scripts(host: SharedHost) {
    let paused = Rc::clone(&host.borrow().script_paused);
    loop {
        paused.notified().await;
        while go_on_with_script(&host) {
            tokio::task::yield_now().await;
        }
    }
}

fn go_on_with_script(host: &SharedHost) -> bool {
    let mut host = host.borrow_mut();
    host.begin_turn();
    let goes_on = host.engine.continue_script();
    host.end_turn();
    goes_on
}

/// Removes keys when they are due: sleeps until the earliest deadline, or until an earlier one
/// turns up. Between two portions of a burst the sockets are looked at.
pub(super) async fn expiry(host: SharedHost) {
    let timer = Rc::clone(&host.borrow().timer);
    loop {
        let (wait, is_late) = {
            let mut host = host.borrow_mut();
            host.begin_turn();
            let due = host.engine.expire();
            host.timer_due = due;
            host.end_turn();
            let now = host.engine.now.unix_ms();
            match due {
                None => (None, false),
                Some(due) if due <= now => (None, true),
                Some(due) => (u64::try_from(due.0 - now.0).ok(), false),
            }
        };
        if is_late {
            tokio::task::yield_now().await;
            continue;
        }
        match wait {
            None => timer.notified().await,
            Some(millis) => {
                tokio::select! {
                    () = sleep(Duration::from_millis(millis)) => {}
                    () = timer.notified() => {}
                }
            }
        }
    }
}

/// Keeps within `maxmemory` while nobody asks for anything, a slice at a time: after the bound was
/// lowered there may be much to remove.
pub(super) async fn eviction(host: SharedHost) {
    loop {
        let goes_on = {
            let mut host = host.borrow_mut();
            host.begin_turn();
            let goes_on = host.engine.evict();
            host.end_turn();
            goes_on
        };
        sleep(Duration::from_millis(if goes_on { 1 } else { HOUSEKEEPING_MS })).await;
    }
}

/// Moves keys together where many have gone, a slice at a time.
pub(super) async fn compaction(host: SharedHost) {
    loop {
        let rest_us = {
            let mut host = host.borrow_mut();
            host.begin_turn();
            let rest_us = host.engine.compact();
            host.end_turn();
            rest_us
        };
        sleep(Duration::from_micros(rest_us.max(1000))).await;
    }
}
