//! Components: the roles that a layer's tensors play, and sets of them. Not tensor names (the worker's loader knows those).

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::parse::{ParseError, serde_by_spelling};

/// What a weight matrix does in its layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Query projection.
    AttnQ,
    /// Key projection.
    AttnK,
    /// Value projection.
    AttnV,
    /// Output projection of attention.
    AttnO,
    /// Query projection of cross-attention, which reads the decoder.
    CrossQ,
    /// Key projection of cross-attention, which reads the encoder's output.
    CrossK,
    /// Value projection of cross-attention, which reads the encoder's output.
    CrossV,
    /// Output projection of cross-attention.
    CrossO,
    /// Gate of a gated MLP: the matrix whose output goes through the nonlinearity.
    MlpGate,
    /// First matrix of the MLP; in a gated one the matrix that is multiplied by the gate.
    MlpUp,
    /// Second matrix of the MLP.
    MlpDown,
}

impl Role {
    /// Every role, in the order of the forward pass.
    pub const ALL: [Self; 11] = [
        Self::AttnQ,
        Self::AttnK,
        Self::AttnV,
        Self::AttnO,
        Self::CrossQ,
        Self::CrossK,
        Self::CrossV,
        Self::CrossO,
        Self::MlpGate,
        Self::MlpUp,
        Self::MlpDown,
    ];

    /// Its spelling, such as `attn.q`.
    pub fn name(self) -> &'static str {
        match self {
            Self::AttnQ => "attn.q",
            Self::AttnK => "attn.k",
            Self::AttnV => "attn.v",
            Self::AttnO => "attn.o",
            Self::CrossQ => "cross.q",
            Self::CrossK => "cross.k",
            Self::CrossV => "cross.v",
            Self::CrossO => "cross.o",
            Self::MlpGate => "mlp.gate",
            Self::MlpUp => "mlp.up",
            Self::MlpDown => "mlp.down",
        }
    }

    /// The part of the layer that it belongs to.
    pub fn part(self) -> Part {
        match self {
            Self::AttnQ | Self::AttnK | Self::AttnV | Self::AttnO => Part::Attention,
            Self::CrossQ | Self::CrossK | Self::CrossV | Self::CrossO => Part::Cross,
            Self::MlpGate | Self::MlpUp | Self::MlpDown => Part::Mlp,
        }
    }

    /// True for a matrix of the MLP.
    pub fn is_mlp(self) -> bool {
        self.part() == Part::Mlp
    }
}

/// A part of a layer: the roles that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Self-attention.
    Attention,
    /// Attention of a decoder to the encoder's output.
    Cross,
    /// The MLP.
    Mlp,
}

/// A set of roles: `mlp`, `attention`, `cross`, `linear` (all of them), or roles joined by `+`. Roles that a model lacks, such as
/// the gate of an MLP without one, change nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Components(BTreeSet<Role>);

impl Components {
    /// The matrices of the MLP: the default.
    pub fn mlp() -> Self {
        Self::of(Part::Mlp)
    }

    /// The matrices of one part of a layer.
    pub fn of(part: Part) -> Self {
        Self(Role::ALL.into_iter().filter(|role| role.part() == part).collect())
    }

    /// Every matrix of a layer.
    pub fn linear() -> Self {
        Self(Role::ALL.into_iter().collect())
    }

    /// The sets that have a name of their own.
    fn named() -> [(Self, &'static str); 4] {
        [
            (Self::of(Part::Mlp), "mlp"),
            (Self::of(Part::Attention), "attention"),
            (Self::of(Part::Cross), "cross"),
            (Self::linear(), "linear"),
        ]
    }

    /// True where `role` belongs to the set.
    pub fn contains(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    /// These roles.
    pub fn of_roles(roles: impl IntoIterator<Item = Role>) -> Self {
        Self(roles.into_iter().collect())
    }

    /// The roles, in the order of the forward pass.
    pub fn roles(&self) -> impl Iterator<Item = Role> + '_ {
        self.0.iter().copied()
    }
}

impl fmt::Display for Components {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((_, name)) = Self::named().iter().find(|(components, _)| components == self) {
            return f.write_str(name);
        }
        let names: Vec<&str> = self.roles().map(Role::name).collect();
        f.write_str(&names.join("+"))
    }
}

impl FromStr for Components {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut roles = BTreeSet::new();
        for word in text.split('+').map(str::trim) {
            if let Some((components, _)) = Self::named().into_iter().find(|(_, name)| *name == word)
            {
                roles.extend(components.0);
                continue;
            }
            let role = Role::ALL.into_iter().find(|role| role.name() == word);
            roles.insert(role.ok_or_else(|| ParseError::new("component", word, EXPECTED))?);
        }
        Ok(Self(roles))
    }
}

const EXPECTED: &str = "mlp, attention, cross, linear, or roles joined by '+': attn.q attn.k attn.v attn.o cross.q cross.k cross.v \
                        cross.o mlp.gate mlp.up mlp.down";

serde_by_spelling!(Components);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_are_canonical_and_round_trip() {
        for (text, canonical) in [
            ("mlp", "mlp"),
            ("mlp.down+mlp.up+mlp.gate", "mlp"),
            ("mlp.down+mlp.up", "mlp.up+mlp.down"),
            ("attention+mlp+cross", "linear"),
            ("attn.v+attn.q", "attn.q+attn.v"),
        ] {
            let components: Components = text.parse().unwrap();
            assert_eq!(components.to_string(), canonical);
            assert_eq!(canonical.parse(), Ok(components));
        }
        assert!("mlps".parse::<Components>().is_err() && "".parse::<Components>().is_err());
    }
}
