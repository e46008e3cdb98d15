//! Domain messages ↔ wire messages. Decoding checks everything that a type cannot; nothing else names both worlds.

mod overview;
mod sync;

use thiserror::Error;

use crate::failure::FailureKind;
use crate::message::{Drain, Hello, RunState, Session, VerdictKind, Welcome};
use crate::spec::Spec;
use crate::wire;
use crate::words::Kind;

/// Longest text of a worker that is kept, in bytes.
const TEXT_BYTES_MAX: usize = 4096;

/// A message that breaks the protocol.
#[derive(Debug, Error)]
pub enum ConvertError {
    /// A field is missing or has a value outside its range.
    #[error("field {0} is missing or out of range")]
    Field(&'static str),
    /// The spec is no JSON of a spec.
    #[error("the spec cannot be read")]
    Spec(#[from] serde_json::Error),
}

fn try_all<A, B: TryFrom<A>>(items: Vec<A>) -> Result<Vec<B>, B::Error> {
    items.into_iter().map(B::try_from).collect()
}

fn all<A, B: From<A>>(items: Vec<A>) -> Vec<B> {
    items.into_iter().map(B::from).collect()
}

/// The text, cut at a character boundary to what is kept.
fn bounded(mut text: String) -> String {
    if text.len() > TEXT_BYTES_MAX {
        let end = (0..=TEXT_BYTES_MAX).rev().find(|&end| text.is_char_boundary(end));
        text.truncate(end.unwrap_or(0));
    }
    text
}

impl From<Hello> for wire::Hello {
    fn from(hello: Hello) -> Self {
        Self {
            wire_major: hello.wire_major,
            wire_minor: crate::WIRE_MINOR,
            name: hello.name,
            engine_class: hello.engine_class.to_string(),
            memory_bytes: hello.memory_bytes.unwrap_or_default(),
        }
    }
}

impl TryFrom<wire::Hello> for Hello {
    type Error = ConvertError;

    fn try_from(hello: wire::Hello) -> Result<Self, ConvertError> {
        let engine_class = hello.engine_class.parse();
        Ok(Self {
            wire_major: hello.wire_major,
            name: bounded(hello.name),
            engine_class: engine_class.map_err(|_| ConvertError::Field("engine_class"))?,
            memory_bytes: Some(hello.memory_bytes).filter(|bytes| *bytes > 0),
        })
    }
}

impl TryFrom<Welcome> for wire::Welcome {
    type Error = ConvertError;

    fn try_from(welcome: Welcome) -> Result<Self, ConvertError> {
        Ok(Self {
            session: welcome.session.0,
            spec_json: welcome.spec.to_json()?.into(),
            lease_ms: welcome.lease_ms,
            sync_ms: welcome.sync_ms,
        })
    }
}

impl TryFrom<wire::Welcome> for Welcome {
    type Error = ConvertError;

    fn try_from(welcome: wire::Welcome) -> Result<Self, ConvertError> {
        Ok(Self {
            session: Session(welcome.session),
            spec: Spec::from_json(&welcome.spec_json)?,
            lease_ms: welcome.lease_ms,
            sync_ms: welcome.sync_ms,
        })
    }
}

impl From<Drain> for wire::DrainRequest {
    fn from(drain: Drain) -> Self {
        match drain {
            Drain::Run => Self { workers: None, undo: false },
            Drain::Workers(glob) => Self { workers: Some(glob), undo: false },
            Drain::Undo(glob) => Self { workers: Some(glob), undo: true },
        }
    }
}

impl TryFrom<wire::DrainRequest> for Drain {
    type Error = ConvertError;

    fn try_from(request: wire::DrainRequest) -> Result<Self, ConvertError> {
        match (request.workers, request.undo) {
            (None, false) => Ok(Self::Run),
            (Some(glob), false) => Ok(Self::Workers(bounded(glob))),
            (Some(glob), true) => Ok(Self::Undo(bounded(glob))),
            (None, true) => Err(ConvertError::Field("workers")),
        }
    }
}

/// A closed set on both sides: one line a value, an unspecified value is an error.
macro_rules! closed_set {
    ($domain:ty, $wire:ty, $field:literal, $($value:ident),+) => {
        impl From<$domain> for $wire {
            fn from(value: $domain) -> Self {
                match value {
                    $(<$domain>::$value => Self::$value,)+
                }
            }
        }

        impl TryFrom<$wire> for $domain {
            type Error = ConvertError;

            fn try_from(value: $wire) -> Result<Self, ConvertError> {
                match value {
                    $(<$wire>::$value => Ok(Self::$value),)+
                    <$wire>::Unspecified => Err(ConvertError::Field($field)),
                }
            }
        }
    };
}

closed_set!(
    FailureKind,
    wire::FailureKind,
    "kind",
    InvalidUnit,
    OutOfMemory,
    Crash,
    Timeout,
    ModelUnavailable
);
closed_set!(
    VerdictKind,
    wire::VerdictKind,
    "kind",
    Durable,
    DuplicateSame,
    DuplicateDifferent,
    Rejected
);
closed_set!(
    RunState,
    wire::RunState,
    "state",
    Running,
    Degraded,
    Draining,
    Complete,
    CompleteWithQuarantine
);
closed_set!(Kind, wire::UnitKind, "kind", Weights, Quantization, Baseline, Cell);
