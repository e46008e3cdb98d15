//! See `tests/src/fuzz/spelling.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| babelquant_tests::fuzz::spelling(data));
