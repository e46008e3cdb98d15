//! Plans a study, serves its units to workers, commits their results, reduces and reports. Not the computation of a unit,
//! which is the worker's.

pub mod scheduler;
pub mod store;
pub mod study;
#[cfg(test)]
mod testing;
pub mod verify;
