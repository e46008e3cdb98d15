//! See `tests/src/fuzz/checkpoint.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| babelquant_tests::fuzz::checkpoint(data));
