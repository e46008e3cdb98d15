//! The worker: computes units. Loads the model, quantizes, evaluates, returns rows; decides nothing about the run.

mod agent;
mod cache;
mod client;
mod engine;
mod error;
mod fleet;
mod options;
mod outcome;

pub mod cli;
pub mod corpus;
pub mod eval;
pub mod model;
pub mod quant;
pub mod statistics;

use std::future::Future;
use std::pin::pin;

pub use cache::Cache;
pub use engine::{CANDLE, Device, DeviceError, engine_class};
pub use error::Error;
pub use eval::{
    Places, Remainder, check, check_checkpoint, clipping_rows, parameters, weight_rows,
};
pub use options::{Address, Options};
pub use outcome::Outcome;

/// Works for a coordinator until the run is complete, the operator sends this worker away, or `shutdown` ends; gives back what is
/// unfinished then.
///
/// # Errors
/// The coordinator refuses this worker, stays out of reach, or `shutdown` ended first ([`Error::Stopped`]).
pub async fn run(
    options: Options,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<Outcome, Error> {
    let mut shutdown = pin!(shutdown);
    let agent = tokio::select! {
        agent = agent::Agent::join(options) => agent?,
        () = &mut shutdown => return Err(Error::Stopped),
    };
    agent.work(shutdown).await
}

/// Ends with the first SIGTERM, SIGUSR1 or Ctrl-C: what a launcher sends before it takes the machine away.
pub async fn termination() {
    use tokio::signal::unix::{SignalKind, signal};
    let wait = |kind| async move {
        match signal(kind) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(error) => {
                tracing::warn!(%error, "cannot listen for a signal");
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = wait(SignalKind::terminate()) => {}
        () = wait(SignalKind::user_defined1()) => {}
        () = wait(SignalKind::interrupt()) => {}
    }
}
