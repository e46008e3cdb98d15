//! The download of a model, for people: a bar for the file that arrives where stderr is a terminal, a line per file where it is not.

use std::io::IsTerminal;

use babelquant_proto::hub::{Hub, HubError, Snapshot, Step};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::study::Repository;

const TEMPLATE: &str = "{bar:40} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left, {msg}";

/// What of a repository is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All that the model is.
    Model,
    /// Its `config.json`.
    Config,
}

/// Fetches a model and shows how far it is; what the hub warns of is logged.
///
/// # Errors
/// As `Hub::fetch`.
pub(crate) fn fetch(
    hub: &Hub,
    repository: &Repository,
    wanted: Wanted,
) -> Result<Snapshot, HubError> {
    let mut arriving = Arriving::new(repository);
    let (name, revision) = (&repository.name, &repository.revision);
    let fetched = match wanted {
        Wanted::Model => hub.fetch(name, revision, &mut |step| arriving.show(step)),
        Wanted::Config => hub.fetch_config(name, revision, &mut |step| arriving.show(step)),
    };
    arriving.end();
    let snapshot = fetched?;
    if let Some(warning) = &snapshot.warning {
        let Repository { name, revision } = repository;
        let commit = &snapshot.commit;
        tracing::warn!(
            "{warning}; {name} at {revision} is commit {commit} of the cache, which may be older than the hub's"
        );
    }
    Ok(snapshot)
}

/// The file that arrives.
#[derive(Debug)]
struct Arriving<'a> {
    repository: &'a Repository,
    file: Option<String>,
    bar: Option<ProgressBar>,
}

impl<'a> Arriving<'a> {
    fn new(repository: &'a Repository) -> Self {
        Self { repository, file: None, bar: std::io::stderr().is_terminal().then(bar) }
    }

    fn show(&mut self, step: Step<'_>) {
        let repository = &self.repository.name;
        let (name, done, total) = match step {
            Step::File { name, done, total } => (name, done, total),
            Step::Waiting { lock } => {
                let lock = lock.display();
                tracing::info!(%repository, "waiting: another process downloads the same file and holds {lock}");
                return;
            }
        };
        if self.file.as_deref() != Some(name) {
            self.file = Some(name.to_owned());
            match &self.bar {
                Some(bar) => {
                    bar.set_message(format!("{repository} {name}"));
                    bar.set_length(total);
                    bar.set_position(done);
                    bar.reset_eta();
                }
                None => {
                    tracing::info!(%repository, file = name, bytes = total, kept = done, "fetching")
                }
            }
        }
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar() -> ProgressBar {
    let style =
        ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_style(style)
}
