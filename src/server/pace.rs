//! How threads in the background make room for those that serve clients.
//!
//! A low priority is not enough. Where the kernel finds that who has woken up has had a little more
//! than its share, it lets the present thread go on and looks again at its next tick: up to four
//! milliseconds later, during which a client waits. So a thread that works for long is interrupted
//! twice in a millisecond by a timer of its own, and asks the kernel to look then.

#![allow(unsafe_code, reason = "timers and signals of threads are C interfaces")]

/// How long a thread goes on before it makes room. An interruption takes some two microseconds.
#[cfg(target_os = "linux")]
const STRETCH_NS: libc::c_long = 500_000;

/// What the timers send. Nobody else has a use for it here.
#[cfg(target_os = "linux")]
const SIGNAL: libc::c_int = libc::SIGVTALRM;

/// The calling thread makes room again and again as long as this lives.
#[derive(Debug)]
pub(super) struct Pace {
    #[cfg(target_os = "linux")]
    timer: Option<libc::timer_t>,
}

#[cfg(target_os = "linux")]
impl Pace {
    /// Begins; where there is no timer to be had, nothing changes.
    pub(super) fn begin() -> Self {
        let mut pace = Self { timer: None };
        if !is_signal_caught() {
            return pace;
        }
        let mut timer = std::ptr::null_mut();
        // SAFETY: all fields of both structures are numbers or null, which both calls only read;
        // the timer is written by the first and is there for the second.
        unsafe {
            let mut event: libc::sigevent = std::mem::zeroed();
            event.sigev_notify = libc::SIGEV_THREAD_ID;
            event.sigev_signo = SIGNAL;
            event.sigev_notify_thread_id = libc::gettid();
            if libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) != 0 {
                return pace;
            }
            pace.timer = Some(timer);
            let stretch = libc::timespec { tv_sec: 0, tv_nsec: STRETCH_NS };
            let times = libc::itimerspec { it_interval: stretch, it_value: stretch };
            libc::timer_settime(timer, 0, &raw const times, std::ptr::null_mut());
        }
        pace
    }
}

#[cfg(target_os = "linux")]
impl Drop for Pace {
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            // SAFETY: it was created by this and is deleted once. A signal that is on its way finds
            // its handler still.
            unsafe { libc::timer_delete(timer) };
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Pace {
    /// Nothing is known here that would help.
    pub(super) fn begin() -> Self {
        Self {}
    }
}

/// Whether the timers' signal has its handler, which is set once and stays.
#[cfg(target_os = "linux")]
fn is_signal_caught() -> bool {
    use std::sync::OnceLock;

    extern "C" fn make_room(_: libc::c_int) {
        // SAFETY: a system call that takes nothing and, on Linux, always succeeds.
        unsafe { libc::sched_yield() };
    }

    static IS_CAUGHT: OnceLock<bool> = OnceLock::new();
    *IS_CAUGHT.get_or_init(|| {
        let handler: extern "C" fn(libc::c_int) = make_room;
        // SAFETY: the handler makes one system call and touches nothing of the thread that it
        // interrupts, whose own calls are begun again.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as libc::sighandler_t;
            action.sa_flags = libc::SA_RESTART;
            libc::sigaction(SIGNAL, &raw const action, std::ptr::null_mut()) == 0
        }
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_working_thread_is_interrupted_again_and_again() {
        let thread = std::thread::spawn(|| {
            let pace = Pace::begin();
            let mut times = libc::itimerspec {
                it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 },
                it_value: libc::timespec { tv_sec: 0, tv_nsec: 0 },
            };
            // SAFETY: of a timer that lives; the structure is filled in. Null is none.
            let known = unsafe {
                libc::timer_gettime(pace.timer.unwrap_or(std::ptr::null_mut()), &raw mut times)
            };
            let began = Instant::now();
            while began.elapsed() < Duration::from_millis(5) {
                std::hint::spin_loop();
            }
            drop(pace);
            (known, times.it_interval.tv_nsec)
        });
        // Who comes here was not ended by a signal without a handler.
        assert_eq!(thread.join().ok(), Some((0, STRETCH_NS)));
    }
}
