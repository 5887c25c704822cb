//! Libraries that scripts find as globals. Each works for any input and ends: what is too deep or
//! too large is an error of the script.

pub(super) mod bits;
pub(super) mod general_format;
pub(super) mod json;
pub(super) mod json_decode;
pub(super) mod msgpack;
pub(super) mod msgpack_decode;
pub(super) mod packed;

/// How deep values may nest on their way into or out of a format. Every level keeps a few of the
/// 8,000 values that Lua lets its host hold at a time.
const DEPTH_MAX: usize = 1500;
