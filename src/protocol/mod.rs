//! RESP2 and RESP3: bytes to requests, replies to bytes, and every text that goes over the wire.

pub mod decode;
pub mod encode;
pub mod error;
pub mod frame;
pub mod inline;
pub mod reply;
pub mod request;
