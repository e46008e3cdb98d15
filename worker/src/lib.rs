//! The worker: computes units. Loads the model, quantizes, evaluates, returns rows; decides nothing about the run.

mod agent;
mod cache;
mod client;
mod engine;
mod error;
mod fleet;
mod options;
mod outcome;
mod termination;

pub mod cli;
pub mod corpus;
pub mod eval;
pub mod model;
pub mod quant;
pub mod statistics;

use std::future::Future;
use std::pin::pin;

use babelquant_proto::Spec;

pub use cache::Cache;
pub use engine::{CANDLE, Device, DeviceError, Engine, Event, Job, engine_class};
pub use error::Error;
use eval::Evaluator;
pub use eval::{
    Places, Remainder, check, check_checkpoint, clipping_rows, parameters, weight_rows,
};
pub use options::{Address, Options};
pub use outcome::Outcome;
pub use termination::{Termination, termination};

/// Works for a coordinator until the run is complete, the operator sends this worker away, or it is to leave; gives back what is
/// unfinished then.
///
/// # Errors
/// The device cannot be opened, the coordinator refuses this worker, stays out of reach, or it was to leave first
/// ([`Error::Stopped`]).
pub async fn run(
    options: Options,
    termination: Termination<impl Future<Output = ()>, impl Future<Output = ()>>,
) -> Result<Outcome, Error> {
    let device = options.device.open()?;
    let evaluated = options.clone();
    let engine = move |spec: &Spec| {
        let Options { places, memory_bytes, cache, device: spelled, .. } = evaluated;
        let class = engine_class(&spelled);
        let evaluator = Evaluator::new(spec.clone(), places, (device, class))
            .with_memory(memory_bytes, spelled.memory_bytes());
        Engine::start(match cache {
            Some(cache) => evaluator.with_cache(cache),
            None => evaluator,
        })
    };
    run_with(options, engine, termination).await
}

/// As [`run`], with an engine of another kind for the coordinator's spec.
///
/// # Errors
/// The coordinator refuses this worker, stays out of reach, or it was to leave first ([`Error::Stopped`]).
pub async fn run_with(
    options: Options,
    engine: impl FnOnce(&Spec) -> Engine,
    termination: Termination<impl Future<Output = ()>, impl Future<Output = ()>>,
) -> Result<Outcome, Error> {
    let Termination { finish, leave } = termination;
    let (mut finish, mut leave) = (pin!(finish), pin!(leave));
    let agent = tokio::select! {
        biased;
        agent = agent::Agent::join(options, engine) => agent?,
        () = &mut finish => return Err(Error::Stopped),
        () = &mut leave => return Err(Error::Stopped),
    };
    agent.work(Termination { finish, leave }).await
}
