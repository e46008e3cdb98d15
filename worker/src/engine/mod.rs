//! The engine: one thread that owns the device and the model. Jobs in, results out; async code never computes. To the agent it is two
//! channels: whatever takes jobs and tells events is an engine.

mod class;
mod device;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use babelquant_proto::message::{UnitFailure, UnitResult};
use babelquant_proto::{Digest, FailureKind, ShardText, UnitIndex};
use bytes::Bytes;
use tokio::sync::mpsc;

pub use class::{CANDLE, engine_class};
pub(crate) use device::Devices;
pub use device::{Device, DeviceError};

use crate::eval::{EvalError, Evaluator};

/// Units of one lane, with the text of their shard.
#[derive(Debug)]
pub struct Job {
    /// The units, in order.
    pub units: Vec<UnitIndex>,
    /// The text, where they have a shard.
    pub text: Option<Arc<ShardText>>,
}

/// What the engine says.
#[derive(Debug)]
pub enum Event {
    /// A unit is finished.
    Done(UnitResult),
    /// A unit failed.
    Failed(UnitFailure),
    /// The job is over.
    Idle,
    /// The job is over, and the device will compute nothing more for this process; why.
    Broken(String),
}

/// The handle of an engine; dropping it ends the engine after its job.
#[derive(Debug)]
pub struct Engine {
    /// One job at a time: the agent sends the next when it hears `Idle`.
    jobs: mpsc::Sender<Job>,
    events: mpsc::Receiver<Event>,
}

impl Engine {
    /// The engine that takes its jobs from the other end of `jobs`, one at a time, and tells what becomes of them.
    pub fn of(jobs: mpsc::Sender<Job>, events: mpsc::Receiver<Event>) -> Self {
        Self { jobs, events }
    }

    /// Starts a thread for an evaluator.
    pub(crate) fn start(evaluator: Evaluator) -> Self {
        let (jobs, mut job_queue) = mpsc::channel::<Job>(1);
        let (event_sender, events) = mpsc::channel(64);
        thread::spawn(move || {
            let mut evaluator = evaluator;
            while let Some(job) = job_queue.blocking_recv() {
                if run(&mut evaluator, &job, &event_sender).is_none() {
                    return;
                }
            }
        });
        Self::of(jobs, events)
    }

    /// Hands a job to the idle engine; false where its thread is gone.
    pub(crate) fn submit(&self, job: Job) -> bool {
        self.jobs.try_send(job).is_ok()
    }

    /// The next event; `None` where the thread is gone.
    pub(crate) async fn event(&mut self) -> Option<Event> {
        self.events.recv().await
    }
}

/// Computes one job; `None` where nobody listens any more.
fn run(evaluator: &mut Evaluator, job: &Job, events: &mpsc::Sender<Event>) -> Option<()> {
    let mut open: Vec<UnitIndex> = job.units.clone();
    let mut emit = |unit: UnitIndex, outcome: Result<Bytes, EvalError>| {
        open.retain(|&other| other != unit);
        let _ = events.blocking_send(event(unit, outcome));
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        evaluator.compute(&job.units, job.text.as_deref(), &mut emit)
    }));
    let broken = match &outcome {
        Ok(Err(error)) if error.is_of_device() => Some(error.to_string()),
        Ok(_) | Err(_) => None,
    };
    let error = match outcome {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_failure()),
        Err(panic) => Some((FailureKind::Crash, panic_text(panic.as_ref()))),
    };
    if let Some((kind, detail)) = error {
        evaluator.forget();
        for unit in open {
            let failure = UnitFailure { unit, kind, detail: detail.clone() };
            events.blocking_send(Event::Failed(failure)).ok()?;
        }
    }
    match broken {
        None => events.blocking_send(Event::Idle).ok(),
        Some(cause) => events.blocking_send(Event::Broken(cause)).ok().and(None),
    }
}

fn event(unit: UnitIndex, outcome: Result<Bytes, EvalError>) -> Event {
    match outcome {
        Ok(ipc) => Event::Done(UnitResult { unit, blake3: Digest::of(&ipc), ipc }),
        Err(error) => {
            let (kind, detail) = error.to_failure();
            Event::Failed(UnitFailure { unit, kind, detail })
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("the engine panicked: {}", text.unwrap_or("no message"))
}
