//! How llama.cpp's converter calls the tensors of our families, and which of them it rearranges. Its names follow from what a tensor
//! does, so that a family needs no table of its own. Not where a tensor lies (`header`).

use babelquant_proto::{Family, Layer, Role, Stack};

use crate::model::architecture::{Architecture, Attention};
use crate::model::matrix::Matrix;

/// What a file says in `general.architecture` of a model of this family; `None` where llama.cpp does not convert the family.
pub(super) fn architecture(family: Family) -> Option<&'static str> {
    match family {
        Family::Bloom => Some("bloom"),
        Family::Gpt2 => Some("gpt2"),
        Family::GptNeox => Some("gptneox"),
        Family::Llama | Family::Mistral => Some("llama"),
        Family::Qwen2 => Some("qwen2"),
        Family::Qwen3 => Some("qwen3"),
        Family::Gemma2 => Some("gemma2"),
        Family::Gemma3 => Some("gemma3"),
        Family::Olmo2 => Some("olmo2"),
        Family::Mt5 => Some("t5"),
        Family::Xglm | Family::Opt => None,
    }
}

/// The heads in which the rows of a role stand so that channels that are turned together are neighbours; `None` where they stand as
/// in the model's checkpoint.
pub(super) fn neighbouring(family: Family, role: Role, attention: &Attention) -> Option<usize> {
    let heads = match (family, role) {
        (Family::Llama | Family::Mistral, Role::AttnQ) => attention.heads,
        (Family::Llama | Family::Mistral, Role::AttnK) => attention.key_heads,
        _ => return None,
    };
    Some(heads as usize)
}

/// True where the rows of the embedding that no token uses are left out.
pub(super) fn cuts_vocabulary(family: Family) -> bool {
    family == Family::Gemma3
}

/// Queries, keys and values one after the other in one matrix, as some files have them.
pub(super) const FUSED: (&str, [Role; 3]) = ("attn_qkv", [Role::AttnQ, Role::AttnK, Role::AttnV]);

/// Ends of the names of tensors that a file may hold and no model of ours needs: tables of rotary frequencies, and the biases of
/// cross-attention's scores, which T5 does not use.
pub(super) const IGNORED: [&str; 3] =
    ["rope_freqs.weight", "attn_rot_embd.weight", "cross_attn_rel_b.weight"];

/// A tensor of the model's own checkpoint as a file has it.
#[derive(Debug, PartialEq)]
pub(super) enum Counterpart<'a> {
    /// Under this name.
    Tensor(String),
    /// The gains of a norm, under this name.
    Gain(String),
    /// Role by role: a part of a matrix of a layer.
    Matrix(Layer, &'a Matrix, Part),
}

/// What is stored of a matrix or a norm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Its weights; the gains of a norm.
    Weight,
    /// What is added.
    Bias,
}

impl Part {
    /// The end of a tensor's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Weight => "weight",
            Self::Bias => "bias",
        }
    }

    fn of(name: &str) -> Option<Self> {
        [Self::Weight, Self::Bias].into_iter().find(|part| part.name() == name)
    }
}

impl Architecture {
    /// The name of a tensor of a layer in a GGUF file.
    pub(super) fn gguf_name(&self, layer: Layer, name: &str) -> String {
        let stack = match (layer.stack, &self.encoder) {
            (Stack::Enc, _) => "enc.",
            (Stack::Dec, Some(_)) => "dec.",
            (Stack::Dec, None) => "",
        };
        format!("{stack}blk.{}.{name}", layer.index)
    }

    /// Where a GGUF file has a tensor of the model's checkpoint.
    pub(super) fn counterpart(&self, name: &str) -> Option<Counterpart<'_>> {
        if let Some(found) = self.counterpart_outside(name) {
            return Some(found);
        }
        let (layer, rest) = self.split_name(name)?;
        let (stem, part) = rest.rsplit_once('.')?;
        let part = Part::of(part)?;
        let names = &self.stack(layer.stack).names;
        let norms = [
            (names.attn_norm, "attn_norm"),
            (names.attn_post_norm, "post_attention_norm"),
            (names.cross_norm, "cross_attn_norm"),
            (names.mlp_norm, "ffn_norm"),
            (names.mlp_post_norm, "post_ffw_norm"),
            (names.query_norm, "attn_q_norm"),
            (names.key_norm, "attn_k_norm"),
        ];
        if let Some((_, theirs)) = norms.into_iter().find(|(ours, _)| *ours == Some(stem)) {
            return Some(norm(&self.gguf_name(layer, theirs), part));
        }
        let matrix = self.matrix(layer, stem)?;
        Some(Counterpart::Matrix(layer, matrix, part))
    }

    /// Of a tensor that stands outside the layers, but for the table of score biases, which the first layer of its stack has.
    fn counterpart_outside(&self, name: &str) -> Option<Counterpart<'_>> {
        let plain = |theirs: &str| Some(Counterpart::Tensor(theirs.to_owned()));
        if name == self.names.embedding {
            return plain("token_embd.weight");
        }
        if Some(name) == self.names.positions {
            return plain("position_embd.weight");
        }
        if Some(name) == self.head.name {
            return plain("output.weight");
        }
        for stack in self.stacks() {
            let names = &self.stack(stack).names;
            if Some(name) == names.score_bias {
                return plain(&self.gguf_name(Layer { stack, index: 0 }, "attn_rel_b.weight"));
            }
        }
        let (stem, part) = name.rsplit_once('.')?;
        let part = Part::of(part)?;
        if Some(stem) == self.names.embedding_norm {
            return Some(norm("token_embd_norm", part));
        }
        let stack = self.stacks().find(|&stack| self.stack(stack).names.final_norm == stem)?;
        Some(norm(
            match (stack, &self.encoder) {
                (Stack::Enc, _) => "enc.output_norm",
                (Stack::Dec, Some(_)) => "dec.output_norm",
                (Stack::Dec, None) => "output_norm",
            },
            part,
        ))
    }
}

fn norm(theirs: &str, part: Part) -> Counterpart<'static> {
    let name = format!("{theirs}.{}", part.name());
    match part {
        Part::Weight => Counterpart::Gain(name),
        Part::Bias => Counterpart::Tensor(name),
    }
}
