//! Designs: scopes whose numbers are of one size, and so stand in one matrix and are one family of tests. Not a scope.

use std::fmt;

use babelquant_proto::Layers;

use super::spelled::Spelled;

/// Scopes that are looked at together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Design {
    /// One layer alone is quantized.
    OneLayer,
    /// Every layer but one.
    AllButOne,
    /// Any other set of layers.
    Other,
}

impl Design {
    /// The design of a scope.
    pub(crate) fn of(scope: &Spelled<Layers>) -> Self {
        match &scope.value {
            Some(Layers::Only(set)) if set.single().is_some() => Self::OneLayer,
            Some(Layers::AllBut(set)) if set.single().is_some() => Self::AllButOne,
            Some(_) | None => Self::Other,
        }
    }
}

impl fmt::Display for Design {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OneLayer => "only(layer)",
            Self::AllButOne => "all-but(layer)",
            Self::Other => "sets of layers",
        })
    }
}
