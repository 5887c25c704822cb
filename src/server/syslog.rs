//! The system's log, through the C library.
#![allow(unsafe_code, reason = "syslog is the C library's")]

use std::ffi::{CString, c_int};

use crate::config::choices::{LogLevel, SyslogFacility};

/// Opens the connection under the name `ident`, once per process.
pub fn open(ident: &str, facility: SyslogFacility) {
    let facility = match facility {
        SyslogFacility::User => libc::LOG_USER,
        SyslogFacility::Local0 => libc::LOG_LOCAL0,
        SyslogFacility::Local1 => libc::LOG_LOCAL1,
        SyslogFacility::Local2 => libc::LOG_LOCAL2,
        SyslogFacility::Local3 => libc::LOG_LOCAL3,
        SyslogFacility::Local4 => libc::LOG_LOCAL4,
        SyslogFacility::Local5 => libc::LOG_LOCAL5,
        SyslogFacility::Local6 => libc::LOG_LOCAL6,
        SyslogFacility::Local7 => libc::LOG_LOCAL7,
    };
    // The C library keeps the pointer, so the name lives as long as the process.
    let ident = CString::new(ident.replace('\0', "")).unwrap_or_default().into_raw();
    // SAFETY: `ident` ends with a zero and is never freed.
    unsafe { libc::openlog(ident, libc::LOG_PID | libc::LOG_NDELAY | libc::LOG_NOWAIT, facility) };
}

/// Sends one message.
pub fn send(level: LogLevel, message: &str) {
    let priority: c_int = match level {
        LogLevel::Debug => libc::LOG_DEBUG,
        LogLevel::Verbose => libc::LOG_INFO,
        LogLevel::Notice => libc::LOG_NOTICE,
        LogLevel::Warning | LogLevel::Nothing => libc::LOG_WARNING,
    };
    let message = CString::new(message.replace('\0', "")).unwrap_or_default();
    // SAFETY: format and message end with a zero and live through the call; `%s` takes exactly
    // the one argument that is given.
    unsafe { libc::syslog(priority, c"%s".as_ptr(), message.as_ptr()) };
}
