//! The home of the test binary `it`, of the thin programs that it starts, and of what the fuzzers check.

pub mod fuzz;
