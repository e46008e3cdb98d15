//! `babelquant-worker`. Everything is in the library.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    babelquant_worker::cli::main().await
}
