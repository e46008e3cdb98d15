//! Plans a study, serves its units to workers, commits their results, reduces and reports. Not the computation of a unit,
//! which is the worker's.

pub mod cli;

mod demo;

#[cfg(feature = "local")]
pub mod local;
#[cfg(not(feature = "local"))]
#[path = "local_absent.rs"]
pub mod local;

mod overview;
mod progress;

mod analyse;

pub mod covariates;

pub mod access;
pub mod certificates;
mod serve;

pub mod study;

mod http;
mod service;

mod owner;

pub mod blocking;
pub mod events;

mod live;

pub mod scheduler;
pub mod store;
pub mod verify;

pub mod recipe;
pub mod statistics;

pub mod correlate;
pub mod reduce;
pub mod report;

#[cfg(test)]
mod testing;

pub use analyse::{AnalyseError, analyse};
pub use owner::{Options, Outcome};
pub use serve::{NetworkTrust, ServeError, Service, check_exposure, serve, watchers};
pub use service::{AdminConnection, AdminError, Watched};
