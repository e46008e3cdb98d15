//! A stand-in for the engine: a task that takes simulated time for a unit and returns its made-up result. Not the agent that feeds it.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use babelquant_proto::{Digest, UnitIndex};
use babelquant_worker::{Engine, Event, Job};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::history::History;
use super::plan::Millis;
use super::study::Study;

/// What an engine knows of its worker.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) worker: String,
    /// How long a unit takes.
    pub(crate) unit: Range<Millis>,
    pub(crate) study: Arc<Study>,
    pub(crate) history: History,
}

/// An engine; it ends with its agent.
pub(crate) fn engine(setting: Setting) -> Engine {
    let (jobs, queue) = mpsc::channel(1);
    let (sender, events) = mpsc::channel(64);
    // On the simulated host that the agent runs on: it ends there when the agent does, or with the host.
    drop(tokio::task::spawn_local(run(setting, queue, sender)));
    Engine::of(jobs, events)
}

async fn run(setting: Setting, mut queue: mpsc::Receiver<Job>, events: mpsc::Sender<Event>) {
    let Setting { worker, unit: takes, study, history } = setting;
    let mut computed = BTreeSet::new();
    while let Some(Job { units, text }) = queue.recv().await {
        for unit in units {
            sleep(time(unit, &worker, &takes)).await;
            if text.as_deref() != study.text(unit) {
                history.violated(format!("{worker} was given unit {unit} with another text"));
            }
            if !computed.insert(unit) {
                history.violated(format!("{worker} computed unit {unit} twice in one life"));
            }
            history.computed(&worker, unit);
            if events.send(Event::Done(study.result(unit))).await.is_err() {
                return;
            }
        }
        if events.send(Event::Idle).await.is_err() {
            return;
        }
    }
}

/// How long a worker takes for a unit; the same in every run.
fn time(unit: UnitIndex, worker: &str, takes: &Range<Millis>) -> Duration {
    let digest = Digest::of(format!("{worker} {unit}").as_bytes());
    let mixed = u64::from(digest.as_bytes()[0]) << 8 | u64::from(digest.as_bytes()[1]);
    Duration::from_millis(takes.start + mixed % (takes.end - takes.start))
}
