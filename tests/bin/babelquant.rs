//! The coordinator's program for the tests: `cargo test` builds no other package's binaries.

use std::process::ExitCode;

fn main() -> ExitCode {
    babelquant_coordinator::cli::main()
}
