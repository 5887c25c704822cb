#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ochre::types::stream::fuzz(data));
