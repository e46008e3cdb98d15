//! One test binary: what babelquant promises, held against files and programs that we did not write.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod bloom;
mod cluster;
mod golden;
mod process;
mod tidy;
