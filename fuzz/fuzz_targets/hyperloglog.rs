#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ochre::structures::fuzz::hyperloglog(data));
