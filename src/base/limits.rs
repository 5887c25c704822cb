//! Bounds of queues, buffers and loops, each with its unit and its reason.

/// Bytes of a line that has no end yet: an inline request, or the digits of a count. As in Redis.
pub const LINE_LEN_MAX: usize = 64 * 1024;

/// Requests that are decoded before the first of them is served. Bounds the scratch of a batch
/// and the time until others have their turn.
pub const BATCH_REQUESTS_MAX: usize = 1024;

/// Words of a batch from which on no further request is added to it.
pub const BATCH_WORDS_MAX: usize = 8 * 1024;

/// Bulks from this size on get an allocation of their own while they arrive, which the keyspace
/// may come to hold. Below it, copying out of the read buffer costs less. Bytes, as in Redis.
pub const LARGE_BULK_MIN: usize = 32 * 1024;

/// Bytes of a large bulk reserved before the first of them have arrived. A client that announces
/// much and sends nothing holds no more than this.
pub const LARGE_BULK_RESERVE: usize = 1024 * 1024;

/// Words of a request. As in Redis.
pub const REQUEST_WORDS_MAX: i64 = 0x7fff_ffff;

/// Words of a request before authentication. As in Redis.
pub const UNTRUSTED_WORDS_MAX: i64 = 10;

/// Bytes of a word before authentication. As in Redis.
pub const UNTRUSTED_BULK_MAX: usize = 16 * 1024;

/// Bytes of unsent replies that a client may have before it is authenticated: refusals of a whole
/// pipeline fit, somebody who never reads is cut off.
pub const UNTRUSTED_OUTPUT_MAX: u64 = 17 * 1024;

/// Bytes of unsent replies from which on a connection is not read. A client that sends its whole
/// pipeline before it reads any reply must get that far (such clients exist, and Redis buffers for
/// them), one that never reads must not get farther.
pub const OUTPUT_PAUSE_BYTES: usize = 256 * 1024 * 1024;

/// Bytes that a connection sends before others on its thread have their turn. At the speed of the
/// kernel's copies about 100 microseconds.
pub const SEND_TURN_BYTES: usize = 256 * 1024;

const _: () = assert!(UNTRUSTED_BULK_MAX < LARGE_BULK_MIN, "strangers get no large allocations");
const _: () = assert!(LARGE_BULK_MIN <= LARGE_BULK_RESERVE, "a reserve holds what starts it");

/// Bytes of address space for the stack on which scripts run; memory is only taken for what was
/// ever used. Patterns, nested calls and nested replies have bounds that fit it.
pub const SCRIPT_STACK_BYTES: usize = 64 * 1024 * 1024;

/// Bytes that one Lua state may hold; beyond it allocations of scripts fail.
pub const SCRIPT_MEMORY_MAX: usize = 1024 * 1024 * 1024;

/// How deep a reply of a script may nest. Every level keeps one of the 8,000 values that Lua lets
/// its host hold at a time.
pub const SCRIPT_REPLY_DEPTH_MAX: usize = 2000;

/// Scripts that EVAL keeps without having been asked to; the least recently used goes first. As in
/// Redis.
pub const EVAL_SCRIPTS_MAX: usize = 500;

/// Instructions of Lua between two looks at the clock.
pub const SCRIPT_TICK_INSTRUCTIONS: u32 = 10_000;

/// Bytes that the buffer of changes for the log keeps between two turns.
pub const LOG_BUFFER_KEPT_BYTES: usize = 1024 * 1024;
