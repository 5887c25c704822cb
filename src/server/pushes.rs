//! Sending what clients didn't ask for: messages of publishers, invalidations, MONITOR's lines.
//!
//! A system call per listener costs far more than adding a message to what it gets. So while more
//! requests are ready they are served first, and their messages leave together; but nobody waits
//! longer for a message than about the time that sending to all who wait takes.

use std::rc::Rc;

use tokio::task::yield_now;

use super::host::SharedHost;

/// What sending to one client takes, about. Microseconds.
const SEND_US: u64 = 8;

/// Sends, for ever.
pub(super) async fn send(host: SharedHost) {
    let pushed = Rc::clone(&host.borrow().pushed);
    loop {
        pushed.notified().await;
        let (mut served, since) = {
            let host = host.borrow();
            (host.engine.stats.reads, host.clock.now().monotonic)
        };
        loop {
            // Whoever is ready by now, the sockets included, comes first.
            yield_now().await;
            let mut host = host.borrow_mut();
            let is_quiet = host.engine.stats.reads == served;
            served = host.engine.stats.reads;
            let waited_us = host.clock.now().monotonic.since(since);
            if is_quiet || waited_us >= SEND_US * host.awaiting() as u64 {
                host.flush_pushes();
                break;
            }
        }
    }
}
