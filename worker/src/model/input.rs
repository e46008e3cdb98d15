//! What the matrices of a layer read: matrices that read the same values share an input. Not the values.

use std::fmt;

use babelquant_proto::{Layer, Role, Stack};

/// What a matrix reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Input {
    /// The stream as attention reads it: queries, keys and values.
    Attention,
    /// The values that attention has gathered: its output projection.
    Context,
    /// The stream as cross-attention reads it: its queries.
    Cross,
    /// The encoder's output: keys and values of cross-attention.
    Memory,
    /// The values that cross-attention has gathered: its output projection.
    CrossContext,
    /// The stream as the MLP reads it: gate and first matrix.
    Mlp,
    /// What the MLP's nonlinearity gives: its last matrix.
    MlpAct,
}

impl Input {
    /// What a matrix of this role reads.
    pub fn of(role: Role) -> Self {
        match role {
            Role::AttnQ | Role::AttnK | Role::AttnV => Self::Attention,
            Role::AttnO => Self::Context,
            Role::CrossQ => Self::Cross,
            Role::CrossK | Role::CrossV => Self::Memory,
            Role::CrossO => Self::CrossContext,
            Role::MlpGate | Role::MlpUp => Self::Mlp,
            Role::MlpDown => Self::MlpAct,
        }
    }

    /// The stack whose tokens it has, in a layer.
    pub fn stack(self, layer: Layer) -> Stack {
        match self {
            Self::Memory => Stack::Enc,
            Self::Attention
            | Self::Context
            | Self::Cross
            | Self::CrossContext
            | Self::Mlp
            | Self::MlpAct => layer.stack,
        }
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Attention => "attention",
            Self::Context => "context",
            Self::Cross => "cross",
            Self::Memory => "memory",
            Self::CrossContext => "cross-context",
            Self::Mlp => "mlp",
            Self::MlpAct => "mlp-act",
        })
    }
}
