//! What the coordinator and its wire can do: units a second with and without durable acknowledgements, a thousand sessions, a thousand that come
//! back at once, how soon a dead worker's unit is lent again, how soon a killed coordinator lends again, and what all of it costs beside the
//! work. Coordinator and workers are processes of their own on one machine, whose cores they share; the workers compute nothing.
//!
//! ```text
//! cargo bench -p babelquant-coordinator --bench cluster -- [FIGURE …]
//! ```
//!
//! Without a figure all are measured, one after the other, in about ten minutes.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock and starts tasks")]

mod dispatch;
mod loss;
mod machine;
#[path = "../../src/testing/made_up.rs"]
#[expect(clippy::unwrap_used, reason = "tests share it, and fail where it unwraps")]
#[allow(dead_code, reason = "tests use more of it")]
mod made_up;
mod overhead;
mod restart;
mod samples;
mod server;
mod session;
mod sessions;
mod study;

use std::io::Write;

use anyhow::{Result, bail};
use mimalloc::MiMalloc;

/// That of the program.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Every figure by its name.
const FIGURES: [&str; 6] = ["dispatch", "sessions", "reconnects", "loss", "restart", "overhead"];

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match words.first().map(String::as_str) {
        Some("coordinator") => return runtime.block_on(server::serve(&words[1..])),
        Some("victim") => return runtime.block_on(loss::victim(&words[1..])),
        _ => {}
    }
    if let Some(unknown) = words.iter().find(|word| !FIGURES.contains(&word.as_str())) {
        bail!("{unknown} is no figure: {}", FIGURES.join(", "));
    }
    let wanted = |figure: &&str| words.is_empty() || words.iter().any(|word| word == figure);
    machine::print()?;
    for figure in FIGURES.into_iter().filter(wanted) {
        match figure {
            "dispatch" => runtime.block_on(dispatch::measure())?,
            "sessions" => runtime.block_on(sessions::measure())?,
            "reconnects" => runtime.block_on(sessions::reconnect())?,
            "loss" => runtime.block_on(loss::measure())?,
            "restart" => runtime.block_on(restart::measure())?,
            _ => runtime.block_on(overhead::measure())?,
        }
    }
    Ok(())
}

/// Prints a line.
fn report(line: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
