//! What coordinator and workers share: the spec of a run, the units it generates, the rows that units return and the wire.
//!
//! Pure types and their spellings. Nothing here computes a measurement or reads a corpus; the rooms that touch a disk or the
//! network are `model`, because both sides must agree on what a model's files are, `hub`, where both find them,
//! `coordinator_file`, where one side tells the other where it is, `credentials`, because both programs call a coordinator, and `whole_file`, which
//! writes for both; `signals` and `logs` are how both live in their process.

mod cells;
mod components;
mod convert;
mod coordinator_file;
pub mod credentials;
mod digest;
mod drift;
mod engine_class;
pub mod exit;
mod failure;
pub mod histogram;
pub mod hub;
mod language;
mod layer;
pub mod logs;
pub mod message;
mod model;
mod moments;
pub mod overview;
mod parse;
mod protocol;
pub mod quant;
pub mod random;
pub mod rows;
mod scope;
mod shard;
pub mod signals;
mod spec;
mod unit;
mod whole_file;
mod words;

pub use cells::{Cell, Cells};
pub use components::{Component, Components, Part, Role};
pub use convert::ConvertError;
pub use coordinator_file::CoordinatorFile;
pub use digest::Digest;
pub use drift::Drift;
pub use engine_class::EngineClass;
pub use failure::FailureKind;
pub use histogram::Histogram;
pub use language::{Language, LanguageTag};
pub use layer::{Layer, Stack};
pub use model::{Family, Model, ModelError, ModelFile, Published, Shape};
pub use moments::Moments;
pub use parse::ParseError;
pub use protocol::{Marks, Protocol};
pub use scope::{LayerSet, Layers, NamedSet, Parity, Scope, ranked_by_kurtosis};
pub use shard::{Document, Shard, ShardId, ShardText};
pub use spec::{
    Batch, Calibration, CheckpointPart, Dtype, LanguageCorpus, Metrics, ModelPart, Spec, Windows,
};
pub use unit::{Unit, UnitIndex};
pub use whole_file::{Keep, put_whole};
pub use words::{Kind, Words};

/// Generated wire types; named only here, in the worker's `client` and in the coordinator's `service`.
#[expect(missing_docs, reason = "generated; the .proto documents each field")]
#[expect(
    clippy::allow_attributes_without_reason,
    clippy::clone_on_ref_ptr,
    clippy::excessive_nesting,
    clippy::too_many_lines,
    reason = "generated"
)]
pub mod wire {
    tonic::include_proto!("babelquant.v1");
}

/// Major version of the wire: both ends must agree.
pub const WIRE_MAJOR: u32 = 4;
/// Minor version of the wire: informative.
pub const WIRE_MINOR: u32 = 0;
/// Largest gRPC message that either side accepts, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 16 << 20;
