//! Architecture: what a model consists of, as closed sets of parts with their sizes and the names of its tensors. Families (the
//! room beside it) say which parts theirs are made of; the blocks say what a part computes.

use babelquant_proto::{Layer, Role, Shape, Stack};

use super::matrix::Matrix;

/// A model's parts and the names of its tensors.
#[derive(Debug, Clone, PartialEq)]
pub struct Architecture {
    /// Layers, width, vocabulary.
    pub shape: Shape,
    /// What is added to or done with the token's embedding.
    pub embedding: Embedding,
    /// The norm that every place of the model uses.
    pub norm: Norm,
    /// Self-attention, and cross-attention where there is one.
    pub attention: Attention,
    /// How far each decoder layer looks back and how it turns its heads; one entry a layer.
    pub decoder_layers: Vec<LayerKind>,
    /// Where the residual branches start.
    pub residual: Residual,
    /// The MLP's nonlinearity.
    pub activation: Activation,
    /// Width of the MLP.
    pub mlp_width: u32,
    /// The head.
    pub head: Head,
    /// The encoder's tensors, if there is an encoder.
    pub encoder: Option<StackParts>,
    /// The decoder's tensors.
    pub decoder: StackParts,
    /// Names of the tensors outside the stacks.
    pub names: Names,
}

/// The embedding as block 0 receives it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Embedding {
    /// The token's embedding is multiplied by this.
    pub scale: Option<f64>,
    /// What is added to it by position.
    pub positions: Positions,
}

/// What is added to the embedding by position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Positions {
    /// Nothing: attention knows the positions.
    None,
    /// A stored row; position 0 has row `offset`.
    Learned {
        /// Row of position 0.
        offset: u32,
    },
    /// Sines, then cosines (Vaswani et al. 2017, halves side by side); position 0 has row `offset`.
    Sinusoidal {
        /// Row of position 0.
        offset: u32,
    },
}

/// A norm over the last axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Norm {
    /// Which.
    pub kind: NormKind,
    /// ε.
    pub epsilon: f64,
}

/// Which norm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormKind {
    /// (x − mean)/√(variance + ε)·gain + bias.
    Layer,
    /// x/√(mean x² + ε)·gain.
    Rms,
    /// x/√(mean x² + ε)·(1 + gain).
    RmsPlusOne,
}

/// Attention.
#[derive(Debug, Clone, PartialEq)]
pub struct Attention {
    /// Heads of the queries.
    pub heads: u32,
    /// Heads of keys and values; a divisor of `heads`.
    pub key_heads: u32,
    /// Width of a head.
    pub head_width: u32,
    /// Scores are multiplied by this.
    pub scale: f64,
    /// Scores are bent to c·tanh(s/c).
    pub softcap: Option<f64>,
    /// What is added to scores by position.
    pub bias: ScoreBias,
}

/// What is added to attention scores by position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScoreBias {
    /// Nothing.
    None,
    /// ALiBi: a slope a head times the key's position (Press et al. 2022).
    Alibi,
    /// A learned number a head and bucket of distances (Raffel et al. 2020), the stack's first layer holds them.
    Buckets {
        /// Buckets.
        count: u32,
        /// Every farther distance shares the last bucket.
        distance_max: u32,
    },
}

/// What differs from layer to layer of a decoder.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LayerKind {
    /// A query sees so many tokens, itself included; all before it where absent.
    pub window: Option<u32>,
    /// Rotary positions.
    pub rotary: Option<Rotary>,
}

/// Rotary positions (Su et al. 2021), halves of the head turned against each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Rotary {
    /// Channels of a head that are turned; the others stay.
    pub width: u32,
    /// Radians a position, one for each pair of channels, [width / 2].
    pub frequencies: Vec<f32>,
    /// Sines and cosines are multiplied by this.
    pub scale: f64,
}

/// Where the residual branches start and how they are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Residual {
    /// Attention, then MLP; each is added to what its norm read.
    Sequential,
    /// Attention, then MLP; each is added to what its norm gave.
    AfterNorm,
    /// Attention and MLP read the same stream and are added to it together.
    Parallel,
}

/// The MLP's nonlinearity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// x·Φ(x).
    Gelu,
    /// Its form with tanh.
    GeluTanh,
    /// max(x, 0).
    Relu,
    /// x/(1 + e⁻ˣ).
    Silu,
}

/// The head.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Head {
    /// Its tensor; the embedding where absent.
    pub name: Option<&'static str>,
    /// Logits are bent to c·tanh(l/c).
    pub softcap: Option<f64>,
}

/// Names of the tensors outside the stacks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Names {
    /// What some writers put before every name.
    pub prefixes: &'static [&'static str],
    /// Embedding, with `.weight`.
    pub embedding: &'static str,
    /// Learned positions, with `.weight`.
    pub positions: Option<&'static str>,
    /// Norm after the embedding.
    pub embedding_norm: Option<&'static str>,
    /// Ends of stored names that nothing needs: buffers, and copies of tied tensors.
    pub ignored: &'static [&'static str],
    /// Beginnings of the names of another model in the same file, such as one that sees.
    pub foreign: &'static [&'static str],
}

/// The tensors of one stack.
#[derive(Debug, Clone, PartialEq)]
pub struct StackParts {
    /// Names, where they are not those of matrices.
    pub names: StackNames,
    /// The matrices of a layer.
    pub matrices: Vec<Matrix>,
}

/// Tensor names of one stack; a layer's follow `layer_prefix` and its number. A norm that is absent is not there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StackNames {
    /// Before a layer's number.
    pub layer_prefix: &'static str,
    /// Norm before attention.
    pub attn_norm: Option<&'static str>,
    /// Norm after attention, before the residual add.
    pub attn_post_norm: Option<&'static str>,
    /// Norm before cross-attention.
    pub cross_norm: Option<&'static str>,
    /// Norm before the MLP.
    pub mlp_norm: Option<&'static str>,
    /// Norm after the MLP, before the residual add.
    pub mlp_post_norm: Option<&'static str>,
    /// Norm of the queries.
    pub query_norm: Option<&'static str>,
    /// Norm of the keys, likewise.
    pub key_norm: Option<&'static str>,
    /// True where the norms of queries and keys go over all heads together.
    pub norm_across_heads: bool,
    /// The table of score biases, of the whole stack.
    pub score_bias: Option<&'static str>,
    /// Norm after the last layer.
    pub final_norm: &'static str,
}

impl StackNames {
    /// A stack without norms: what tables of names start from.
    pub(super) const NONE: Self = Self {
        layer_prefix: "",
        attn_norm: None,
        attn_post_norm: None,
        cross_norm: None,
        mlp_norm: None,
        mlp_post_norm: None,
        query_norm: None,
        key_norm: None,
        norm_across_heads: false,
        score_bias: None,
        final_norm: "",
    };
}

impl Architecture {
    /// The tensors of a stack.
    ///
    /// # Panics
    /// The model has no such stack: our bug, because layers come from its shape.
    pub fn stack(&self, stack: Stack) -> &StackParts {
        match stack {
            Stack::Enc => self.encoder.as_ref().expect("only encoder–decoders have encoder layers"),
            Stack::Dec => &self.decoder,
        }
    }

    /// The stacks in the order of the forward pass.
    pub fn stacks(&self) -> impl Iterator<Item = Stack> + use<> {
        let encoder = self.encoder.as_ref().map(|_| Stack::Enc);
        encoder.into_iter().chain([Stack::Dec])
    }

    /// The full name of a tensor of a layer.
    pub fn layer_name(&self, layer: Layer, name: &str) -> String {
        format!("{}{}.{name}", self.stack(layer.stack).names.layer_prefix, layer.index)
    }

    /// The full name of the weights of a layer's matrix.
    pub fn weight_name(&self, layer: Layer, matrix: &Matrix) -> String {
        self.layer_name(layer, &format!("{}.weight", matrix.name))
    }

    /// The layer that a tensor belongs to, and its name there.
    pub fn split_name<'a>(&self, name: &'a str) -> Option<(Layer, &'a str)> {
        self.stacks().find_map(|stack| {
            let rest = name.strip_prefix(self.stack(stack).names.layer_prefix)?;
            let (number, rest) = rest.split_once('.')?;
            Some((Layer { stack, index: number.parse().ok()? }, rest))
        })
    }

    /// The matrices of a layer.
    pub fn matrices(&self, layer: Layer) -> &[Matrix] {
        &self.stack(layer.stack).matrices
    }

    /// The matrix of a layer of this name in it, without `.weight`.
    pub fn matrix(&self, layer: Layer, name: &str) -> Option<&Matrix> {
        self.matrices(layer).iter().find(|matrix| matrix.name == name)
    }

    /// True where a layer of the stack has a matrix that plays `role`.
    pub fn has_role(&self, stack: Stack, role: Role) -> bool {
        let mut matrices = self.stack(stack).matrices.iter();
        matrices.any(|matrix| matrix.roles.iter().any(|(known, _)| *known == role))
    }
}
