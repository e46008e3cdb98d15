//! Components: the roles that a layer's tensors play, the tables outside the layers, and sets of both. Not tensor names (the
//! worker's loader knows those).

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::parse::ParseError;
use crate::serde_by_spelling;

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

    /// What llama.cpp's converter calls its matrix, without the layer; an encoder–decoder has a name of its own for one.
    pub fn gguf_name(self, encoder_decoder: bool) -> &'static str {
        match self {
            Self::AttnQ => "attn_q",
            Self::AttnK => "attn_k",
            Self::AttnV => "attn_v",
            Self::AttnO if encoder_decoder => "attn_o",
            Self::AttnO => "attn_output",
            Self::CrossQ => "cross_attn_q",
            Self::CrossK => "cross_attn_k",
            Self::CrossV => "cross_attn_v",
            Self::CrossO => "cross_attn_o",
            Self::MlpGate => "ffn_gate",
            Self::MlpUp => "ffn_up",
            Self::MlpDown => "ffn_down",
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

/// What a config may be applied to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// The lookup of tokens, which stands outside the layers: `embedding`. Positions are no part of it.
    Embedding,
    /// A matrix of a layer.
    Matrix(Role),
    /// The gains of a layer's norms, each a row: `norm`. Biases are no part of it, and no word for a group holds it.
    Norm,
    /// The output projection, which stands outside the layers: `head`. Where it shares its weights with the lookup, it is
    /// quantized as if it had a copy of them.
    Head,
}

impl Component {
    /// Every component, in the order of the forward pass.
    pub fn all() -> impl Iterator<Item = Self> {
        let matrices = Role::ALL.into_iter().map(Self::Matrix);
        [Self::Embedding].into_iter().chain(matrices).chain([Self::Norm, Self::Head])
    }

    /// Its spelling, such as `attn.q`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Embedding => "embedding",
            Self::Matrix(role) => role.name(),
            Self::Norm => "norm",
            Self::Head => "head",
        }
    }

    /// True for what stands in layers.
    pub fn in_layers(self) -> bool {
        match self {
            Self::Matrix(_) | Self::Norm => true,
            Self::Embedding | Self::Head => false,
        }
    }
}

impl<C: Into<Component>> FromIterator<C> for Components {
    fn from_iter<I: IntoIterator<Item = C>>(components: I) -> Self {
        Self(components.into_iter().map(Into::into).collect())
    }
}

impl From<Role> for Component {
    fn from(role: Role) -> Self {
        Self::Matrix(role)
    }
}

/// A set of components: `mlp`, `attention`, `cross`, `linear` (all of them), or roles, `norm`, `embedding` and `head` joined by `+`. Roles
/// that a model lacks, such as the gate of an MLP without one, change nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Components(BTreeSet<Component>);

impl Components {
    /// The matrices of the MLP: the default.
    pub fn mlp() -> Self {
        Self::of(Part::Mlp)
    }

    /// The matrices of one part of a layer.
    pub fn of(part: Part) -> Self {
        Self::matrices(|role| role.part() == part)
    }

    /// Every matrix of a layer.
    pub fn linear() -> Self {
        Self::matrices(|_| true)
    }

    /// Nothing.
    pub(crate) fn none() -> Self {
        Self(BTreeSet::new())
    }

    fn matrices(holds: impl Fn(Role) -> bool) -> Self {
        Self(Role::ALL.into_iter().filter(|role| holds(*role)).map(Component::Matrix).collect())
    }

    /// The sets of matrices that have a name of their own.
    fn named() -> [(Self, &'static str); 4] {
        [
            (Self::of(Part::Mlp), "mlp"),
            (Self::of(Part::Attention), "attention"),
            (Self::of(Part::Cross), "cross"),
            (Self::linear(), "linear"),
        ]
    }

    /// True where `component` belongs to the set.
    pub fn contains(&self, component: impl Into<Component>) -> bool {
        self.0.contains(&component.into())
    }

    /// True where a component belongs to both sets.
    pub fn shares(&self, other: &Self) -> bool {
        !self.0.is_disjoint(&other.0)
    }

    /// The components, in the order of the forward pass.
    pub fn iter(&self) -> impl Iterator<Item = Component> + '_ {
        self.0.iter().copied()
    }

    /// The roles of matrices, in the order of the forward pass.
    pub fn roles(&self) -> impl Iterator<Item = Role> + '_ {
        self.0.iter().filter_map(|component| match component {
            Component::Matrix(role) => Some(*role),
            Component::Embedding | Component::Norm | Component::Head => None,
        })
    }

    /// The part of the set that stands in layers.
    pub fn in_layers(&self) -> Self {
        Self(self.0.iter().copied().filter(|component| component.in_layers()).collect())
    }

    /// The part of the set that stands outside the layers.
    pub fn outside_layers(&self) -> Self {
        Self(self.0.iter().copied().filter(|component| !component.in_layers()).collect())
    }

    /// True where nothing is in the set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True where all that is in layers belongs to cross-attention, which only a decoder with an encoder has.
    pub fn is_cross_alone(&self) -> bool {
        let mut roles = self.in_layers().0.into_iter().peekable();
        let is_cross = |component| match component {
            Component::Matrix(role) => role.part() == Part::Cross,
            Component::Embedding | Component::Norm | Component::Head => false,
        };
        roles.peek().is_some() && roles.all(is_cross)
    }

    /// Its matrices in one word where they have one, else by role.
    fn words(&self) -> Vec<&'static str> {
        let matrices = Self::matrices(|role| self.contains(role));
        let named = Self::named().into_iter().find(|(components, _)| *components == matrices);
        let Some((_, name)) = named else {
            return self.0.iter().map(|component| component.name()).collect();
        };
        let word = |component: Component| self.contains(component).then_some(component.name());
        let [embedding, norm, head] =
            [Component::Embedding, Component::Norm, Component::Head].map(word);
        [embedding, Some(name), norm, head].into_iter().flatten().collect()
    }
}

impl fmt::Display for Components {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join("+"))
    }
}

impl FromStr for Components {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut components = BTreeSet::new();
        for word in text.split('+').map(str::trim) {
            if let Some((named, _)) = Self::named().into_iter().find(|(_, name)| *name == word) {
                components.extend(named.0);
                continue;
            }
            let known = Component::all().find(|component| component.name() == word);
            components.insert(known.ok_or_else(|| ParseError::new("component", word, EXPECTED))?);
        }
        Ok(Self(components))
    }
}

const EXPECTED: &str = "mlp, attention, cross, linear, embedding, head, norm, or roles, joined by '+': attn.q attn.k attn.v attn.o cross.q \
                        cross.k cross.v cross.o mlp.gate mlp.up mlp.down";

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
            ("head", "head"),
            ("head+embedding", "embedding+head"),
            ("head+mlp+embedding", "embedding+mlp+head"),
            ("linear+head", "linear+head"),
            ("head+mlp.up+embedding", "embedding+mlp.up+head"),
            ("norm", "norm"),
            ("head+norm+linear", "linear+norm+head"),
        ] {
            let components: Components = text.parse().unwrap();
            assert_eq!(components.to_string(), canonical);
            assert_eq!(canonical.parse(), Ok(components));
        }
        for wrong in ["mlps", "", "mlp+", "Head", "embedding head", "norms"] {
            assert!(wrong.parse::<Components>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn parts_in_layers_and_outside() {
        let components: Components = "embedding+cross+head".parse().unwrap();
        assert_eq!(components.in_layers(), Components::of(Part::Cross));
        assert_eq!(components.outside_layers().to_string(), "embedding+head");
        assert!(components.is_cross_alone() && !components.outside_layers().is_cross_alone());
        assert!(components.contains(Role::CrossK) && components.contains(Component::Head));
        assert!(Components::mlp().outside_layers().is_empty());
        let gains: Components = "cross+norm".parse().unwrap();
        assert!(!gains.is_cross_alone() && gains.in_layers() == gains);
        assert!(!Components::linear().contains(Component::Norm));
    }
}
