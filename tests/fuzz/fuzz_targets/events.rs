//! See `tests/src/fuzz/events.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| babelquant_tests::fuzz::events(data));
