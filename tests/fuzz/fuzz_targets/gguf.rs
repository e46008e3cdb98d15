//! See `tests/src/fuzz/gguf.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| babelquant_tests::fuzz::gguf(data));
