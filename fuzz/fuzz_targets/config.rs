#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ochre::config::fuzz::parse(data));
