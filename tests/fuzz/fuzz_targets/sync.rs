//! See `tests/src/fuzz/sync.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| babelquant_tests::fuzz::sync(data));
