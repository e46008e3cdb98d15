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
    /// First matrix of the MLP.
    MlpUp,
    /// Second matrix of the MLP.
    MlpDown,
}

impl Role {
    /// Every role, in the order of the forward pass.
    pub const ALL: [Self; 6] =
        [Self::AttnQ, Self::AttnK, Self::AttnV, Self::AttnO, Self::MlpUp, Self::MlpDown];

    /// Its spelling, such as `attn.q`.
    pub fn name(self) -> &'static str {
        match self {
            Self::AttnQ => "attn.q",
            Self::AttnK => "attn.k",
            Self::AttnV => "attn.v",
            Self::AttnO => "attn.o",
            Self::MlpUp => "mlp.up",
            Self::MlpDown => "mlp.down",
        }
    }

    /// True for a matrix of the MLP.
    pub fn is_mlp(self) -> bool {
        matches!(self, Self::MlpUp | Self::MlpDown)
    }
}

/// A set of roles: `mlp`, `attention`, `linear` (both), or roles joined by `+`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Components(BTreeSet<Role>);

impl Components {
    /// The matrices of the MLP: the default.
    pub fn mlp() -> Self {
        Self(Role::ALL.into_iter().filter(|role| role.is_mlp()).collect())
    }

    /// The matrices of attention.
    pub fn attention() -> Self {
        Self(Role::ALL.into_iter().filter(|role| !role.is_mlp()).collect())
    }

    /// Every matrix of a layer.
    pub fn linear() -> Self {
        Self(Role::ALL.into_iter().collect())
    }

    /// True where `role` belongs to the set.
    pub fn contains(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    /// The roles, in the order of the forward pass.
    pub fn roles(&self) -> impl Iterator<Item = Role> + '_ {
        self.0.iter().copied()
    }
}

impl fmt::Display for Components {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named =
            [(Self::mlp(), "mlp"), (Self::attention(), "attention"), (Self::linear(), "linear")];
        if let Some((_, name)) = named.iter().find(|(components, _)| components == self) {
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
        for word in text.split('+') {
            match word.trim() {
                "mlp" => roles.extend(Self::mlp().0),
                "attention" => roles.extend(Self::attention().0),
                "linear" => roles.extend(Self::linear().0),
                name => {
                    let role = Role::ALL.into_iter().find(|role| role.name() == name);
                    roles.insert(role.ok_or_else(|| ParseError::new("component", name, EXPECTED))?);
                }
            }
        }
        Ok(Self(roles))
    }
}

const EXPECTED: &str =
    "mlp, attention, linear, or roles joined by '+': attn.q attn.k attn.v attn.o mlp.up mlp.down";

serde_by_spelling!(Components);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_are_canonical_and_round_trip() {
        for (text, canonical) in [
            ("mlp", "mlp"),
            ("mlp.down+mlp.up", "mlp"),
            ("attention+mlp", "linear"),
            ("attn.v+attn.q", "attn.q+attn.v"),
        ] {
            let components: Components = text.parse().unwrap();
            assert_eq!(components.to_string(), canonical);
            assert_eq!(canonical.parse(), Ok(components));
        }
        assert!("mlps".parse::<Components>().is_err() && "".parse::<Components>().is_err());
    }
}
