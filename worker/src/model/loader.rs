//! Brings stored tensors to the device: norms, blocks and tables in the dtype of the computation. Turns and splits matrices here,
//! so that nothing behind it knows how they are stored.

use babelquant_proto::{Layer, Role, Stack};
use candle_core::{DType, Device, Tensor};

use super::architecture::{Architecture, Norm as NormParts, ScoreBias};
use super::attention::{Attention, PositionShift, QueryKeyNorms};
use super::block::{Block, BranchNorms, Cross};
use super::checkpoint::Checkpoint;
use super::error::ModelError;
use super::linear::{Linear, Reading};
use super::matrix::{Layout, Matrix};
use super::mlp::Mlp;
use super::norm::{Gain, Norm};
use super::positions::{Direction, RelativeBias, alibi_slopes};

/// Where tensors come from and what they become.
pub(super) struct Loader<'a> {
    pub(super) architecture: &'a Architecture,
    pub(super) checkpoint: &'a Checkpoint,
    pub(super) device: &'a Device,
    pub(super) dtype: DType,
}

impl Loader<'_> {
    /// A tensor in its stored shape.
    pub(super) fn tensor(&self, name: &str) -> Result<Tensor, ModelError> {
        self.checkpoint.require(name)?.load(self.device, self.dtype)
    }

    /// A norm by its name without `.weight`.
    pub(super) fn norm(&self, name: &str) -> Result<Norm, ModelError> {
        let NormParts { kind, epsilon } = self.architecture.norm;
        let stored = self.checkpoint.require(&format!("{name}.weight"))?;
        let factor = kind.factor(stored.load(self.device, DType::F32)?, self.dtype)?;
        let gain = match kind.has_bias() {
            true => Gain::Layer { gain: factor, bias: self.tensor(&format!("{name}.bias"))? },
            false => Gain::Rms(factor),
        };
        Ok(Norm { gain, epsilon })
    }

    /// The norm of a layer, where the family has one there.
    fn layer_norm(&self, layer: Layer, name: Option<&str>) -> Result<Option<Norm>, ModelError> {
        name.map(|name| self.norm(&self.architecture.layer_name(layer, name))).transpose()
    }

    /// A layer with all its weights.
    pub(super) fn block(&self, layer: Layer) -> Result<Block, ModelError> {
        let names = &self.architecture.stack(layer.stack).names;
        let mut roles = self.roles(layer)?;
        let kind = match layer.stack {
            Stack::Enc => None,
            Stack::Dec => self.architecture.decoder_layers.get(layer.index as usize),
        };
        let attention = [Role::AttnQ, Role::AttnK, Role::AttnV, Role::AttnO];
        let mut attention = self.attention(&mut roles, attention, self.shift(layer.stack)?);
        attention.rotary = kind.and_then(|kind| kind.rotary.clone());
        attention.norms = self.query_key_norms(layer)?;
        let cross = match self.architecture.has_role(layer.stack, Role::CrossQ) {
            true => {
                let roles_of = [Role::CrossQ, Role::CrossK, Role::CrossV, Role::CrossO];
                Some(Cross {
                    norm: self.layer_norm(layer, names.cross_norm)?,
                    attention: self.attention(&mut roles, roles_of, PositionShift::None),
                })
            }
            false => None,
        };
        Ok(Block {
            layer,
            residual: self.architecture.residual,
            window: kind.and_then(|kind| kind.window),
            attention,
            attention_norms: BranchNorms {
                before: self.layer_norm(layer, names.attn_norm)?,
                after: self.layer_norm(layer, names.attn_post_norm)?,
            },
            cross,
            mlp: Mlp {
                activation: self.architecture.activation,
                gate: roles.find(Role::MlpGate),
                up: roles.take(Role::MlpUp),
                down: roles.take(Role::MlpDown),
            },
            mlp_norms: BranchNorms {
                before: self.layer_norm(layer, names.mlp_norm)?,
                after: self.layer_norm(layer, names.mlp_post_norm)?,
            },
        })
    }

    fn attention(
        &self,
        roles: &mut Roles,
        [q, k, v, o]: [Role; 4],
        shift: PositionShift,
    ) -> Attention {
        Attention {
            parts: self.architecture.attention.clone(),
            query: roles.take(q),
            key: roles.take(k),
            value: roles.take(v),
            output: roles.take(o),
            norms: None,
            rotary: None,
            shift,
        }
    }

    fn query_key_norms(&self, layer: Layer) -> Result<Option<QueryKeyNorms>, ModelError> {
        let names = &self.architecture.stack(layer.stack).names;
        let query = self.layer_norm(layer, names.query_norm)?;
        let key = self.layer_norm(layer, names.key_norm)?;
        let across_heads = names.norm_across_heads;
        Ok(query.zip(key).map(|(query, key)| QueryKeyNorms { query, key, across_heads }))
    }

    fn shift(&self, stack: Stack) -> Result<PositionShift, ModelError> {
        match (self.architecture.attention.bias, self.architecture.stack(stack).names.score_bias) {
            (ScoreBias::None, _) | (ScoreBias::Buckets { .. }, None) => Ok(PositionShift::None),
            (ScoreBias::Alibi, _) => {
                Ok(PositionShift::Alibi(alibi_slopes(self.architecture.attention.heads)))
            }
            (ScoreBias::Buckets { distance_max, .. }, Some(name)) => {
                let direction = match stack {
                    Stack::Enc => Direction::Both,
                    Stack::Dec => Direction::Back,
                };
                let stored = self.checkpoint.require(name)?.load(&Device::Cpu, DType::F32)?;
                Ok(PositionShift::Relative(RelativeBias::new(&stored, distance_max, direction)?))
            }
        }
    }

    /// The linear maps of a layer, one a role.
    fn roles(&self, layer: Layer) -> Result<Roles, ModelError> {
        let mut roles = Vec::new();
        for matrix in self.architecture.matrices(layer) {
            let name = self.architecture.layer_name(layer, matrix.name);
            let weight = turned(matrix, self.tensor(&format!("{name}.weight"))?)?;
            let bias = matrix.bias.then(|| self.tensor(&format!("{name}.bias"))).transpose()?;
            for &(role, _) in &matrix.roles {
                let bias = bias.as_ref().map(|bias| rows_of(matrix, role, bias)).transpose()?;
                let weight = rows_of(matrix, role, &weight)?;
                roles.push((role, Linear { weight, bias, reading: Reading::EXACT }));
            }
        }
        Ok(Roles(roles))
    }
}

/// The linear maps of a layer that no part has taken yet.
struct Roles(Vec<(Role, Linear)>);

impl Roles {
    fn find(&mut self, role: Role) -> Option<Linear> {
        let place = self.0.iter().position(|(known, _)| *known == role)?;
        Some(self.0.swap_remove(place).1)
    }

    fn take(&mut self, role: Role) -> Linear {
        self.find(role)
            .expect("every family's table names this role once: a test loads each family")
    }
}

/// A stored matrix as [out, in].
fn turned(matrix: &Matrix, stored: Tensor) -> Result<Tensor, ModelError> {
    match matrix.layout {
        Layout::Rows | Layout::ByHead { .. } => Ok(stored),
        Layout::Turned => Ok(stored.t()?.contiguous()?),
    }
}

/// The rows of a role in a matrix [out, in] or a bias [out].
fn rows_of(matrix: &Matrix, role: Role, stored: &Tensor) -> Result<Tensor, ModelError> {
    if matrix.roles.len() == 1 {
        return Ok(stored.clone());
    }
    let parts = matrix.role_rows(role).into_iter();
    let parts = parts.map(|rows| stored.narrow(0, rows.start, rows.len()));
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    Ok(Tensor::cat(&parts, 0)?)
}
