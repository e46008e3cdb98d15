//! See `tests/src/fuzz/result.rs`. A panic of the decoder is caught and a refusal, so that a panic alone is no finding: one that nobody
//! catches still ends the fuzzer, and the kept input says in the tests what it was.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: std::panic::set_hook(Box::new(|_| {})),
    |data: &[u8]| babelquant_tests::fuzz::result(data)
);
