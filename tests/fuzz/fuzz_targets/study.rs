//! See `tests/src/fuzz/study.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| babelquant_tests::fuzz::study(data));
