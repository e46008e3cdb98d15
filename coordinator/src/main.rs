//! The `babelquant` program; everything it does is in the library.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    babelquant_coordinator::cli::main().await
}
