//! Families: each is the difference from a base, one short function, and a table of tensor names. No forward pass stands here.

mod classic;
mod llama;
mod rotary;
mod t5;

use std::path::Path;

use babelquant_proto::{Family, Role, Shape};

use super::architecture::{
    Activation, Architecture, Attention, Embedding, Head, LayerKind, Names, Norm, Positions,
    Residual, ScoreBias, StackParts,
};
use super::config::Config;
use super::error::ModelError;
use super::matrix::{Layout, Matrix};

/// What a family is made of, from its shape and configuration; the error says what is not supported and what would be.
type Build = fn(Shape, &Config<'_>) -> Result<Architecture, String>;

/// Every family with its function.
fn builds() -> impl Iterator<Item = &'static (Family, Build)> {
    classic::FAMILIES.iter().chain(llama::FAMILIES).chain(t5::FAMILIES)
}

impl Architecture {
    /// Reads the architecture from `directory/config.json`.
    ///
    /// # Errors
    /// The file is missing or no JSON, the family is unknown, or a part of it is not supported.
    pub fn read(directory: &Path) -> Result<Self, ModelError> {
        let (family, config) = Family::read(directory)?;
        let shape = Shape::of(directory, family, &config)?;
        let path = directory.join("config.json");
        let (_, build) = builds()
            .find(|(known, _)| *known == family)
            .expect("every family has a function: a test walks through them");
        build(shape, &Config::new(&config)).map_err(|reason| ModelError::Config { path, reason })
    }
}

/// A stored matrix by its name in the layer, how it is stored, and the roles of its rows.
type StoredAs = (&'static str, Stored, &'static [Role]);

/// How a table of names says that a matrix is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stored {
    /// [out, in].
    Plain,
    /// [in, out].
    Turned,
    /// [out, in], the roles head by head.
    ByHead,
}

/// The sizes that decide the shape of every matrix.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    hidden: u32,
    heads: u32,
    key_heads: u32,
    head_width: u32,
    mlp_width: u32,
}

impl Sizes {
    /// Rows and columns of the matrix [out, in] of a role.
    fn of(self, role: Role) -> (usize, usize) {
        let queries = self.heads * self.head_width;
        let (rows, columns) = match role {
            Role::AttnQ | Role::CrossQ => (queries, self.hidden),
            Role::AttnK | Role::AttnV | Role::CrossK | Role::CrossV => {
                (self.key_heads * self.head_width, self.hidden)
            }
            Role::AttnO | Role::CrossO => (self.hidden, queries),
            Role::MlpGate | Role::MlpUp => (self.mlp_width, self.hidden),
            Role::MlpDown => (self.hidden, self.mlp_width),
        };
        (rows as usize, columns as usize)
    }

    /// The matrices of a table of names; `biased` says which roles have a bias.
    fn matrices(self, table: &[StoredAs], biased: impl Fn(Role) -> bool) -> Vec<Matrix> {
        let matrix = |&(name, stored, roles): &StoredAs| Matrix {
            name,
            layout: match stored {
                Stored::Plain => Layout::Rows,
                Stored::Turned => Layout::Turned,
                Stored::ByHead => Layout::ByHead { heads: self.heads as usize },
            },
            roles: roles.iter().map(|&role| (role, self.of(role).0)).collect(),
            columns: self.of(roles[0]).1,
            bias: biased(roles[0]),
        };
        table.iter().map(matrix).collect()
    }
}

/// What a family must say of itself; of the rest it says the difference.
struct Start {
    shape: Shape,
    sizes: Sizes,
    norm: Norm,
    activation: Activation,
    decoder: StackParts,
    names: Names,
}

impl Start {
    /// A decoder alone: plain attention over everything before, branches one after the other, positions nowhere, head tied.
    fn architecture(self) -> Architecture {
        let Sizes { heads, key_heads, head_width, mlp_width, .. } = self.sizes;
        Architecture {
            shape: self.shape,
            embedding: Embedding { scale: None, positions: Positions::None },
            norm: self.norm,
            attention: Attention {
                heads,
                key_heads,
                head_width,
                scale: 1.0 / f64::from(head_width).sqrt(),
                softcap: None,
                bias: ScoreBias::None,
            },
            decoder_layers: vec![LayerKind::default(); self.shape.layers as usize],
            residual: Residual::Sequential,
            activation: self.activation,
            mlp_width,
            head: Head { name: None, softcap: None },
            encoder: None,
            decoder: self.decoder,
            names: self.names,
        }
    }
}

/// The nonlinearity by its name in `config.json`.
fn activation(name: &str) -> Result<Activation, String> {
    match name {
        "gelu" => Ok(Activation::Gelu),
        "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" => Ok(Activation::GeluTanh),
        "relu" => Ok(Activation::Relu),
        "silu" | "swish" => Ok(Activation::Silu),
        other => Err(format!(
            "activation {other:?} is not supported; supported are gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, relu, silu"
        )),
    }
}

/// The width of a head where the heads share the hidden width.
fn head_width(hidden: u32, heads: u32) -> Result<u32, String> {
    match hidden.is_multiple_of(heads) {
        true => Ok(hidden / heads),
        false => {
            Err(format!("hidden size {hidden} is no multiple of the number of heads, {heads}"))
        }
    }
}

const QKV: &[Role] = &[Role::AttnQ, Role::AttnK, Role::AttnV];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_one_function() {
        for family in Family::all() {
            assert_eq!(builds().filter(|(known, _)| *known == family).count(), 1, "{family:?}");
        }
    }
}
