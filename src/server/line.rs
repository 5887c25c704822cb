//! What the engine's side can tell a connection's task: that there is output, that it is over,
//! that it may read again.

use std::cell::{Cell, RefCell};
use std::task::Waker;

/// Signals for one connection on the same thread.
#[derive(Debug, Default)]
pub(super) struct Line {
    waker: RefCell<Option<Waker>>,
    signals: Cell<u8>,
}

/// There is output to send.
pub(super) const SEND: u8 = 1;
/// The client was told to go.
pub(super) const CLOSE: u8 = 2;
/// Reading may go on.
pub(super) const RESUME: u8 = 4;
/// Buffers that an idle connection need not hold are to be given back.
pub(super) const RELAX: u8 = 8;

impl Line {
    /// Raises a signal and wakes the task.
    pub(super) fn raise(&self, signal: u8) {
        self.signals.set(self.signals.get() | signal);
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Takes what was raised.
    pub(super) fn take(&self) -> u8 {
        self.signals.take()
    }

    /// Remembers whom to wake.
    pub(super) fn park(&self, waker: &Waker) {
        let mut parked = self.waker.borrow_mut();
        match &mut *parked {
            Some(known) => known.clone_from(waker),
            None => *parked = Some(waker.clone()),
        }
    }
}
