//! What an operator asks and says of a run: `status` and `drain`. The coordinator may be anywhere.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use babelquant_proto::credentials::Caller;
use babelquant_proto::message::{self, RunState};
use babelquant_proto::overview::Overview;
use babelquant_proto::{CoordinatorFile, exit};
use clap::Args;
use console::{Term, truncate_str};
use glob::Pattern;
use tokio::time::{Instant, sleep};

use super::access::Shown;
use super::commands::{pretty, print};
use super::stop::Stop;
use crate::overview::{counted, line, page};
use crate::service::{AdminConnection, Watched};

pub(super) const STATUS_HELP: &str = "Examples:
  babelquant status http://127.0.0.1:7070
  babelquant status https://head:7070 --tls certs/ --watch
  babelquant status --coordinator-file /shared/run.url --json

With --watch the exit code is the run's: 0 complete, 3 complete with quarantined units, 75 unfinished (its coordinator has been
out of reach for --give-up seconds). Rates are results made durable in the last two minutes. In the JSON, names that end in
seconds are durations; null is unknown.";

pub(super) const DRAIN_HELP: &str = "Examples:
  babelquant drain https://head:7070 --tls certs/ --worker 'node3-*'           before node3 is taken away
  babelquant drain https://head:7070 --tls certs/ --worker 'node3-*' --undo    when it is back
  babelquant drain http://127.0.0.1:7070                                       stop the whole run; serve goes on with it

A drained worker finishes what it computes, gives back the rest uncomputed, and ends with exit code 0, so that nothing starts it
again. One of such a name that comes again is sent away at once, until --undo or until the coordinator is started again. Without
--worker the coordinator keeps what is done and ends with 75, as after SIGTERM; its workers wait for it to come back.";

/// Who may look, the least powerful first.
const ONLOOKERS: [Caller; 3] = [Caller::Reader, Caller::Admin, Caller::Worker];
/// Rows of each table where nothing limits them.
const ROWS: usize = 20;
/// Lines of a page that are no rows.
const FRAME_LINES: usize = 13;
/// How long to wait before the next try to reach a coordinator.
const AGAIN: Duration = Duration::from_secs(1);

/// Where the coordinator is.
#[derive(Debug, Args)]
struct Place {
    /// Address of the coordinator
    #[arg(
        value_name = "URL",
        required_unless_present = "coordinator_file",
        conflicts_with = "coordinator_file"
    )]
    url: Option<String>,
    /// Take the address from this file, which `serve --coordinator-file` writes
    #[arg(long, value_name = "PATH")]
    coordinator_file: Option<PathBuf>,
    #[command(flatten)]
    shown: Shown,
}

#[derive(Debug, Args)]
pub(super) struct Status {
    #[command(flatten)]
    place: Place,
    /// Show it again whenever it changes, until the run ends
    #[arg(long)]
    watch: bool,
    /// Print JSON; with --watch, one line a change
    #[arg(long)]
    json: bool,
    /// Stop watching when the coordinator has been out of reach for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600, requires = "watch")]
    give_up: u64,
}

#[derive(Debug, Args)]
pub(super) struct Drain {
    #[command(flatten)]
    place: Place,
    /// Only the workers whose names match this glob: * stands for anything, ? for one character
    #[arg(long, value_name = "GLOB", value_parser = glob)]
    worker: Option<String>,
    /// Let workers that were drained with the same glob join again
    #[arg(long, requires = "worker")]
    undo: bool,
}

fn glob(text: &str) -> Result<String, String> {
    Pattern::new(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

impl Place {
    fn url(&self) -> Result<String, Stop> {
        let Some(path) = &self.coordinator_file else {
            return Ok(self.url.clone().unwrap_or_default());
        };
        let about = format!("the coordinator file {}", path.display());
        match CoordinatorFile::new(path).read() {
            Ok(Some(url)) => Ok(url),
            Ok(None) => Err(Stop::new(
                exit::UNFINISHED,
                anyhow::anyhow!(
                    "{about} does not exist: no coordinator is up, or its run has ended"
                ),
            )),
            Err(error) => Err(Stop::new(
                exit::USAGE,
                anyhow::Error::new(error).context(format!("cannot use {about}")),
            )),
        }
    }

    /// A connection as the first of these roles that there are credentials for.
    fn connect(&self, callers: &[Caller]) -> Result<AdminConnection, Stop> {
        Ok(AdminConnection::new(&self.url()?, self.shown.credentials(callers)?)?)
    }

    async fn watch(&self) -> Result<Watched, Stop> {
        Ok(self.connect(&ONLOOKERS)?.watch().await?)
    }
}

/// Prints how the run is, once or until it ends.
pub(super) async fn status(flags: Status) -> Result<u8, Stop> {
    let Status { place, watch: is_watch, json, give_up } = flags;
    if is_watch {
        let screen = Screen::new(json);
        return match watch(&place, screen, Duration::from_secs(give_up)).await {
            // Nobody reads on, as in `| head`.
            Err(Stop { error, .. }) if is_broken_pipe(&error) => Ok(exit::COMPLETE),
            code => code,
        };
    }
    let overview = place.connect(&ONLOOKERS)?.status().await?;
    print(&if json { pretty(&overview)? } else { page(&overview, ROWS) });
    Ok(exit::COMPLETE)
}

/// Sends workers or the coordinator away.
pub(super) async fn drain(flags: Drain) -> Result<u8, Stop> {
    let mut connection = flags.place.connect(&[Caller::Admin])?;
    let drain = match (flags.worker, flags.undo) {
        (None, _) => message::Drain::Run,
        (Some(glob), false) => message::Drain::Workers(glob),
        (Some(glob), true) => message::Drain::Undo(glob),
    };
    let names = connection.drain(drain.clone()).await?;
    let workers = counted(names.len() as u64, "worker");
    let names = if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
    print(&match drain {
        message::Drain::Run => format!(
            "the coordinator stops, {workers} will wait for it{names}\nstart the same serve command again to go on\n"
        ),
        message::Drain::Workers(glob) => format!(
            "drained {workers}{names}\neach finishes what it computes, gives back the rest and ends with 0; \
             `drain --worker {glob:?} --undo` lets workers of such names join again\n"
        ),
        message::Drain::Undo(glob) => {
            format!("workers called {glob:?} may join again; {workers} there{names}\n")
        }
    });
    Ok(exit::COMPLETE)
}

/// Shows the run until it ends, through restarts of its coordinator.
async fn watch(place: &Place, mut screen: Screen, give_up: Duration) -> Result<u8, Stop> {
    let mut watched = place.watch().await?;
    let mut heard = Instant::now();
    loop {
        let lost = match watched.next().await {
            Ok(Some(overview)) => {
                heard = Instant::now();
                screen.show(&overview)?;
                match overview.state {
                    RunState::Complete => return Ok(exit::COMPLETE),
                    RunState::CompleteWithQuarantine => return Ok(exit::QUARANTINED),
                    RunState::Running | RunState::Degraded | RunState::Draining => continue,
                }
            }
            Ok(None) => "the coordinator has ended".to_owned(),
            Err(error) => error.to_string(),
        };
        screen.note(&format!("{lost}; waiting for it to come back"))?;
        watched = loop {
            match place.watch().await {
                Ok(watched) => break watched,
                Err(stop) if stop.code == exit::DENIED => return Err(stop),
                Err(Stop { error, .. }) if heard.elapsed() >= give_up => {
                    let since = heard.elapsed().as_secs();
                    let error = error.context(format!(
                        "the run is unfinished, and its coordinator out of reach for {since} s"
                    ));
                    return Err(Stop::new(exit::UNFINISHED, error));
                }
                Err(_) => sleep(AGAIN.min(give_up)).await,
            }
        };
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

/// Where a watched run is shown.
enum Screen {
    /// Redrawn in place; so many lines are on it.
    Page { term: Term, lines: usize },
    /// A line a change.
    Lines { write: fn(&Overview) -> String, last: Option<(RunState, u64, u64, usize)> },
}

impl Screen {
    fn new(json: bool) -> Self {
        let term = Term::buffered_stdout();
        match (json, term.is_term()) {
            (false, true) => Self::Page { term, lines: 0 },
            (false, false) => Self::Lines { write: line, last: None },
            (true, _) => {
                Self::Lines { write: |o| serde_json::to_string(o).unwrap_or_default(), last: None }
            }
        }
    }

    fn show(&mut self, overview: &Overview) -> io::Result<()> {
        match self {
            Self::Page { term, lines } => {
                let (height, width) = term.size();
                let rows = usize::from(height).saturating_sub(FRAME_LINES) / 3;
                let page = page(overview, rows.max(2));
                let shown = page.lines().take(usize::from(height).saturating_sub(2).max(1));
                term.clear_last_lines(*lines)?;
                *lines = 0;
                for line in shown {
                    term.write_line(&truncate_str(line, width.into(), "…"))?;
                    *lines += 1;
                }
                term.flush()
            }
            Self::Lines { write, last } => {
                let Overview { state, done, quarantined, workers, .. } = overview;
                let now = Some((*state, *done, *quarantined, workers.len()));
                if *last == now {
                    return Ok(());
                }
                *last = now;
                let mut stdout = io::stdout().lock();
                writeln!(stdout, "{}", write(overview))?;
                stdout.flush()
            }
        }
    }

    /// Says what is going on while there is no overview.
    fn note(&mut self, text: &str) -> io::Result<()> {
        match self {
            Self::Page { term, lines } => {
                *lines += 1;
                term.write_line(&truncate_str(text, term.size().1.into(), "…"))?;
                term.flush()
            }
            Self::Lines { .. } => {
                tracing::warn!("{text}");
                Ok(())
            }
        }
    }
}
