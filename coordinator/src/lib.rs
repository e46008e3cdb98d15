//! Plans a study, serves its units to workers, commits their results, reduces and reports. Not the computation of a unit,
//! which is the worker's.

mod serve;

pub mod study;

mod service;

mod owner;

pub mod scheduler;
pub mod store;
pub mod verify;

#[cfg(test)]
mod testing;

pub use owner::{Options, Outcome};
pub use serve::{NetworkTrust, ServeError, Service, check_exposure, serve};
