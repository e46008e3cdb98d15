//! The coordinator's program for the tests: `cargo test` builds no other package's binaries.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    babelquant_coordinator::cli::main().await
}
