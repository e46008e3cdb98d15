//! Families: each is the difference from a base, one short function, and a table of tensor names. No forward pass stands here.

mod classic;
mod llama;
mod rotary;
mod t5;

use std::path::Path;

use babelquant_proto::{Family, Role, Shape};

use super::architecture::{Activation, Architecture};
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
    /// The file is missing or no JSON, the family is unknown, or a number makes no sense.
    pub fn read(directory: &Path) -> Result<Self, ModelError> {
        let shape = Shape::read(directory)?;
        let path = directory.join("config.json");
        let text = std::fs::read(&path);
        let text = text.map_err(|source| ModelError::Read { path: path.clone(), source })?;
        let error = |reason: String| ModelError::Config { path: path.clone(), reason };
        let json = serde_json::from_slice(&text).map_err(|e| error(format!("no JSON: {e}")))?;
        let json = Family::text_config(&json);
        let family = Family::of(json).map_err(error)?;
        let (_, build) = builds()
            .find(|(known, _)| *known == family)
            .expect("every family has a function: a test walks through them");
        build(shape, &Config::new(json)).map_err(error)
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
    hidden: usize,
    heads: usize,
    key_heads: usize,
    head_width: usize,
    mlp_width: usize,
}

impl Sizes {
    /// Rows and columns of the matrix [out, in] of a role.
    fn of(self, role: Role) -> (usize, usize) {
        let queries = self.heads * self.head_width;
        match role {
            Role::AttnQ | Role::CrossQ => (queries, self.hidden),
            Role::AttnK | Role::AttnV | Role::CrossK | Role::CrossV => {
                (self.key_heads * self.head_width, self.hidden)
            }
            Role::AttnO | Role::CrossO => (self.hidden, queries),
            Role::MlpGate | Role::MlpUp => (self.mlp_width, self.hidden),
            Role::MlpDown => (self.hidden, self.mlp_width),
        }
    }

    /// The matrices of a table of names; `biased` says which roles have a bias.
    fn matrices(self, table: &[StoredAs], biased: impl Fn(Role) -> bool) -> Vec<Matrix> {
        let matrix = |&(name, stored, roles): &StoredAs| Matrix {
            name,
            layout: match stored {
                Stored::Plain => Layout::Rows,
                Stored::Turned => Layout::Turned,
                Stored::ByHead => Layout::ByHead { heads: self.heads },
            },
            roles: roles.iter().map(|&role| (role, self.of(role).0)).collect(),
            columns: self.of(roles[0]).1,
            bias: biased(roles[0]),
        };
        table.iter().map(matrix).collect()
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
