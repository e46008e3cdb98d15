//! The command `replay`: its flags, and the way from a file of events to what they come to.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use anyhow::anyhow;
use babelquant_proto::exit;
use clap::Args;

use super::commands::{pretty, print};
use super::stop::Stop;
use crate::scheduler::{Replay, ReplayError, Replayed};

/// Examples, and what is compared.
pub(super) const HELP: &str = "Examples:
  babelquant serve study.toml --out results/ --events events.jsonl
  babelquant replay events.jsonl
  babelquant replay events.jsonl --json

Every input of the scheduler (workers that join, report, ask; ticks, commits, drains) is given to a new one, which must come to the
same effects: the same units lent, taken back and recorded. What was durable before a restart must be closed after it. Exit code
70 where something differs: the trace, with the version that recorded it, is what to report.";

/// Longest line: that of the opening of a run with a journal of millions of records.
const LINE_BYTES_MAX: u64 = 1 << 30;

#[derive(Debug, Args)]
pub(super) struct Flags {
    /// The file that a coordinator wrote with --events
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print what it came to as JSON
    #[arg(long)]
    json: bool,
}

/// Replays the file and prints what it came to.
pub(super) fn execute(flags: &Flags) -> Result<u8, Stop> {
    let name = flags.file.display().to_string();
    let unreadable = |error: std::io::Error| {
        Stop::new(exit::USAGE, anyhow::Error::new(error).context(format!("cannot read {name}")))
    };
    let mut file = BufReader::new(File::open(&flags.file).map_err(unreadable)?);
    let mut replay = Replay::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut rest = std::io::Read::take(&mut file, LINE_BYTES_MAX);
        if rest.read_until(b'\n', &mut line).map_err(unreadable)? == 0 {
            break;
        }
        let text = String::from_utf8_lossy(&line);
        replay.line(text.trim_end()).map_err(|error| stop(error, &name))?;
    }
    let replayed = replay.finish().map_err(|error| stop(error, &name))?;
    print(&match flags.json {
        true => pretty(&replayed)?,
        false => words(&replayed),
    });
    Ok(exit::COMPLETE)
}

fn stop(error: ReplayError, name: &str) -> Stop {
    let code = match error {
        ReplayError::Malformed { .. } => exit::USAGE,
        ReplayError::Difference { .. } | ReplayError::Forgotten { .. } => exit::BUG,
    };
    Stop::new(code, anyhow!("{name}, {error}"))
}

fn words(replayed: &Replayed) -> String {
    let Replayed { segments, inputs, units, done, quarantined, granted, torn, stopped } = replayed;
    let mut text = format!(
        "{inputs} inputs of {segments} coordinators had the same effects again\n\
         at the end {done} of {units} units done, {quarantined} given up, {granted} held by workers\n"
    );
    if *torn > 0 {
        text += &format!("{torn} lines torn where a coordinator was killed\n");
    }
    if let Some(reason) = stopped {
        text += &format!("recording stopped before the run did: {reason}\n");
    }
    text
}
