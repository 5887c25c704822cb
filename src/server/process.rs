//! The process: limits, identifiers, signals' dispositions, pid file, background.

#![allow(unsafe_code, reason = "limits, fork and random bits come from C interfaces")]

use std::io;

/// Descriptors the server needs beside its clients'.
const RESERVED_DESCRIPTORS: u64 = 32;

/// Raises the limit of open files so that `clients` fit; returns how many clients fit.
pub(super) fn raise_descriptor_limit(clients: u64) -> u64 {
    let wanted = clients.saturating_add(RESERVED_DESCRIPTORS);
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: plain structures in and out.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) != 0 {
            return clients;
        }
        if limit.rlim_cur >= wanted {
            return clients;
        }
        let ask = |soft: u64| {
            let asked = libc::rlimit { rlim_cur: soft, rlim_max: limit.rlim_max.max(soft) };
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const asked) == 0
        };
        if ask(wanted) {
            return clients;
        }
        // The most that is granted lies between what there is and what was refused.
        let (mut granted, mut refused) = (limit.rlim_cur, wanted);
        while granted + 1 < refused {
            let middle = granted + (refused - granted) / 2;
            if ask(middle) {
                granted = middle;
            } else {
                refused = middle;
            }
        }
        granted.saturating_sub(RESERVED_DESCRIPTORS).min(clients)
    }
}

/// How far the threads that serve clients come before those that work for nobody who waits: a
/// thirtieth of a core that both want is left to these.
pub(super) const BACKGROUND: i32 = 15;

/// Nanoseconds after which a thread in the background makes room. The kernel's own choice is some
/// milliseconds, during which it would not even look at who has woken up.
#[cfg(target_os = "linux")]
const SLICE_NS: u64 = 100_000;

/// Lets other threads have the processor first, and often; where that is not allowed or not known,
/// nothing changes. Threads that this one starts do as it does.
pub(super) fn be_nice(niceness: i32) {
    // SAFETY: plain numbers; 0 names the calling thread, as Linux has it.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, niceness) };
    #[cfg(target_os = "linux")]
    {
        // SAFETY: all of its fields are numbers.
        let mut how: libc::sched_attr = unsafe { std::mem::zeroed() };
        how.size = u32::try_from(size_of_val(&how)).unwrap_or(0);
        how.sched_nice = niceness;
        how.sched_runtime = SLICE_NS;
        // SAFETY: the kernel reads as many bytes as the structure says that it has.
        unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const how, 0) };
    }
}

/// Random bits from the kernel.
pub(super) fn entropy() -> u64 {
    let mut bytes = [0_u8; 8];
    // SAFETY: the buffer has the length that is passed.
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if got == 8 {
        u64::from_ne_bytes(bytes)
    } else {
        // Only a kernel without getrandom comes here: the address of a local and the time differ.
        u64::from(std::process::id()).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ (&raw const bytes).addr() as u64
    }
}

/// Name, release and machine of the operating system.
pub(super) fn system() -> String {
    // SAFETY: an all-zero structure is valid, and the call fills it with C strings.
    let names = unsafe {
        let mut names: libc::utsname = std::mem::zeroed();
        libc::uname(&raw mut names);
        names
    };
    let text = |field: &[libc::c_char]| {
        let bytes = field.iter().map(|byte| byte.cast_unsigned()).take_while(|byte| *byte != 0);
        String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned()
    };
    format!("{} {} {}", text(&names.sysname), text(&names.release), text(&names.machine))
}

/// The number of a group that is named, or given by its number.
pub(super) fn group_id(name: &str) -> io::Result<u32> {
    if let Ok(id) = name.parse() {
        return Ok(id);
    }
    let name = std::ffi::CString::new(name).map_err(io::Error::other)?;
    // SAFETY: the name ends with a zero; the answer is read at once, before any other thread asks:
    // sockets are bound by the main thread only.
    unsafe {
        let group = libc::getgrnam(name.as_ptr());
        if group.is_null() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "no such group"));
        }
        Ok((*group).gr_gid)
    }
}

/// Forty hexadecimal digits, new every time.
pub(super) fn run_id() -> String {
    let mut digits = format!("{:016x}{:016x}{:016x}", entropy(), entropy(), entropy());
    digits.truncate(40);
    digits
}

/// Writing to a connection that has gone must be an error, not the end of the process.
pub(super) fn ignore_broken_pipes() {
    // SAFETY: sets dispositions before any other thread runs.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
        libc::signal(libc::SIGHUP, libc::SIG_IGN);
        // A file that may not grow any more is a failed write like any other.
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}

/// Goes on in the background, detached from the terminal. The parent exits with 0.
pub(super) fn daemonize() -> io::Result<()> {
    // SAFETY: called before any thread is started, so the child is whole.
    unsafe {
        match libc::fork() {
            -1 => return Err(io::Error::last_os_error()),
            0 => {}
            _ => libc::_exit(0),
        }
        libc::setsid();
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        if null >= 0 {
            for stream in 0..=2 {
                libc::dup2(null, stream);
            }
            if null > 2 {
                libc::close(null);
            }
        }
    }
    Ok(())
}

/// Marks a file as being written by this process, for as long as it is open; whether no other has
/// done so.
pub(super) fn try_lock(file: &std::fs::File) -> bool {
    use std::os::fd::AsRawFd as _;
    // SAFETY: the descriptor is open as long as `file` is borrowed.
    unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) == 0 }
}
