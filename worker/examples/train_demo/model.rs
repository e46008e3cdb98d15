//! The BLOOM that is trained: parameters, forward pass, gradients and checkpoint. No text here.

use std::collections::{BTreeMap, HashMap};
use std::{fs, path::Path};

use anyhow::{Context, Result};
use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor, Var};
use rayon::prelude::*;

use crate::random::Random;
use crate::row_op::RowOp;

pub(crate) const HIDDEN: usize = 256;
pub(crate) const LAYERS: usize = 6;
pub(crate) const HEADS: usize = 8;
pub(crate) const VOCABULARY: usize = 4096;
/// Windows of a step that one core computes together.
const MICRO_BATCH: usize = 8;

/// A BLOOM in f32; its parameters have the names of Hugging Face's official files.
#[derive(Debug)]
pub(crate) struct Model(pub(crate) BTreeMap<String, Var>);

/// The name and shape of every tensor.
fn shapes() -> Vec<(String, Vec<usize>)> {
    let mut all = vec![("word_embeddings.weight".to_owned(), vec![VOCABULARY, HIDDEN])];
    let mut pair = |name: String, weight: Vec<usize>| {
        all.push((format!("{name}.bias"), vec![weight[0]]));
        all.push((format!("{name}.weight"), weight));
    };
    pair("word_embeddings_layernorm".to_owned(), vec![HIDDEN]);
    pair("ln_f".to_owned(), vec![HIDDEN]);
    for layer in 0..LAYERS {
        pair(format!("h.{layer}.input_layernorm"), vec![HIDDEN]);
        pair(format!("h.{layer}.self_attention.query_key_value"), vec![3 * HIDDEN, HIDDEN]);
        pair(format!("h.{layer}.self_attention.dense"), vec![HIDDEN, HIDDEN]);
        pair(format!("h.{layer}.post_attention_layernorm"), vec![HIDDEN]);
        pair(format!("h.{layer}.mlp.dense_h_to_4h"), vec![4 * HIDDEN, HIDDEN]);
        pair(format!("h.{layer}.mlp.dense_4h_to_h"), vec![HIDDEN, 4 * HIDDEN]);
    }
    all
}

impl Model {
    /// Draws matrices from N(0, 0.02²); gains start at one and biases at zero.
    pub(crate) fn new(random: &mut Random) -> Result<Self> {
        let mut parameters = BTreeMap::new();
        for (name, shape) in shapes() {
            let start = |_| match (name.ends_with(".bias"), shape.len()) {
                (true, _) => 0.0,
                (false, 1) => 1.0,
                (false, _) => 0.02 * random.normal() as f32,
            };
            let values: Vec<f32> = (0..shape.iter().product()).map(start).collect();
            let tensor = Tensor::from_vec(values, shape, &Device::Cpu)?;
            parameters.insert(name, Var::from_tensor(&tensor)?);
        }
        Ok(Self(parameters))
    }

    fn get(&self, name: &str) -> Result<&Tensor> {
        Ok(self.0.get(name).with_context(|| format!("no tensor {name}"))?.as_tensor())
    }

    /// A vector \[width\] once for each row of `x`, as a product: its gradient is a fast one too.
    fn rows(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        let ones = Tensor::ones((x.dim(0)?, 1), DType::F32, &Device::Cpu)?;
        Ok(ones.matmul(&self.get(name)?.unsqueeze(0)?)?)
    }

    /// Layer norm, \[n, HIDDEN\] → \[n, HIDDEN\].
    fn norm(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        let normal = x.apply_op1(RowOp::Normalise)?;
        let scaled = (normal * self.rows(&format!("{name}.weight"), x)?)?;
        Ok((scaled + self.rows(&format!("{name}.bias"), x)?)?)
    }

    /// x·Wᵀ + b, \[n, in\] → \[n, out\].
    fn linear(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        let product = x.matmul(&self.get(&format!("{name}.weight"))?.t()?)?;
        Ok((product + self.rows(&format!("{name}.bias"), x)?)?)
    }

    /// Self-attention of `batch` windows, \[batch·length, HIDDEN\] → the same.
    fn attention(&self, name: &str, x: &Tensor, batch: usize) -> Result<Tensor> {
        let (length, width) = (x.dim(0)? / batch, HIDDEN / HEADS);
        let fused = self.linear(&format!("{name}.query_key_value"), x)?;
        let fused = fused.reshape((batch, length, HEADS, 3, width))?;
        let part = |index| fused.narrow(3, index, 1)?.squeeze(3)?.transpose(1, 2)?.contiguous();
        let (query, key, value) = (part(0)?, part(1)?, part(2)?);
        let weights = query.matmul(&key.t()?)?.apply_op1(RowOp::CausalSoftmax)?;
        let mixed = weights.matmul(&value)?.transpose(1, 2)?.reshape((batch * length, HIDDEN))?;
        self.linear(&format!("{name}.dense"), &mixed)
    }

    /// Log-probabilities of the next token, ids \[batch, length\] → \[batch·length, VOCABULARY\].
    fn log_probabilities(&self, ids: &Tensor) -> Result<Tensor> {
        let table = self.get("word_embeddings.weight")?;
        let embedded = table.index_select(&ids.flatten_all()?, 0)?;
        let mut hidden = self.norm("word_embeddings_layernorm", &embedded)?;
        for layer in (0..LAYERS).map(|layer| format!("h.{layer}")) {
            let x = self.norm(&format!("{layer}.input_layernorm"), &hidden)?;
            let mixed = self.attention(&format!("{layer}.self_attention"), &x, ids.dim(0)?)?;
            hidden = (hidden + mixed)?;
            let x = self.norm(&format!("{layer}.post_attention_layernorm"), &hidden)?;
            let x = self.linear(&format!("{layer}.mlp.dense_h_to_4h"), &x)?;
            let x = x.apply_op1(RowOp::Gelu)?;
            hidden = (hidden + self.linear(&format!("{layer}.mlp.dense_4h_to_h"), &x)?)?;
        }
        let logits = self.norm("ln_f", &hidden)?.matmul(&table.t()?)?;
        Ok(logits.apply_op1(RowOp::LogSoftmax)?)
    }

    /// Mean nats per token of equally long windows, without the first token of each.
    pub(crate) fn loss(&self, windows: &[Vec<u32>]) -> Result<Tensor> {
        let ids = Tensor::new(windows.to_vec(), &Device::Cpu)?;
        let scored = ids.dim(1)? - 1;
        let log_probabilities = self.log_probabilities(&ids.narrow(1, 0, scored)?.contiguous()?)?;
        let targets = ids.narrow(1, 1, scored)?.contiguous()?.flatten_all()?.unsqueeze(1)?;
        Ok(log_probabilities.gather(&targets, 1)?.mean_all()?.neg()?)
    }

    /// The mean loss of a step and its gradients, clipped to norm 1.
    pub(crate) fn gradients(&self, windows: &[Vec<u32>]) -> Result<(f32, GradStore)> {
        let parts = windows.par_chunks(MICRO_BATCH).map(|windows| {
            let loss = self.loss(windows)?;
            Ok((loss.to_scalar::<f32>()?, loss.backward()?))
        });
        let mut parts = parts.collect::<Result<Vec<_>>>()?;
        let n = parts.len() as f32;
        let loss = parts.iter().map(|(loss, _)| loss).sum::<f32>() / n;
        let (mut sums, mut squares) = (Vec::new(), 0.0);
        for parameter in self.0.values() {
            let gradients = parts.iter().filter_map(|(_, part)| part.get(parameter).cloned());
            let sum = gradients.map(Ok).reduce(|a, b| a? + b?).context("no gradient")??;
            squares += sum.sqr()?.sum_all()?.to_scalar::<f32>()?;
            sums.push((parameter, sum));
        }
        let scale = 1.0 / f64::from(n.max(squares.sqrt()));
        let (_, mut clipped) = parts.pop().context("a step needs a window")?;
        for (parameter, sum) in sums {
            clipped.insert(parameter, (sum * scale)?);
        }
        Ok((loss, clipped))
    }

    /// Writes the weights as f16 under their Hugging Face names.
    pub(crate) fn save(&self, out: &Path) -> Result<()> {
        let half = |(name, value): (&String, &Var)| Ok((name.clone(), value.to_dtype(DType::F16)?));
        let tensors = self.0.iter().map(half).collect::<Result<BTreeMap<_, _>>>()?;
        let format = HashMap::from([("format".to_owned(), "pt".to_owned())]);
        let bytes = safetensors::serialize(tensors, Some(format))?;
        Ok(fs::write(out.join("model.safetensors"), bytes)?)
    }
}
