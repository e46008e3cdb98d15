//! What the unit tests of several rooms share: a small study that is made up. Not compiled into the programs.

pub(crate) mod faulty;
mod made_up;
mod storages;

pub(crate) use made_up::{ENGINE, document_rows, payload, payload_by, spec, texts, token_row};
pub(crate) use storages::{Storage, storages};
