#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ochre::protocol::decode::fuzz(data));
