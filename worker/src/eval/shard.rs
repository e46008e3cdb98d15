//! One shard under one model: its tokens, the baseline's hidden states at every layer boundary, and its scores.
//!
//! Everything is computed once and kept while units of the shard are at hand.

use babelquant_proto::{ShardText, Spec};
use candle_core::Tensor;

use super::activations::{ActivationTap, CountedToken};
use super::error::EvalError;
use super::head::{Head, Scores};
use super::loaded::Loaded;
use super::position::Position;
use crate::corpus::{CorpusShape, MicroBatch, TokenizedShard};
use crate::model::{Decoder, ModelError, NoTap, Tap};

/// A shard with the baseline's states.
#[derive(Debug)]
pub(super) struct ShardStates {
    pub(super) model: usize,
    pub(super) text: ShardText,
    pub(super) tokens: TokenizedShard,
    /// Hidden states [windows, positions, width] by boundary, then by micro-batch.
    boundaries: Vec<Vec<Tensor>>,
    /// The baseline's final states at scored positions, [positions, width]; `None` where nothing is scored.
    finals: Option<Tensor>,
    /// The baseline's scores, once somebody asked.
    base: Option<Vec<Position>>,
    targets: Vec<u32>,
}

impl ShardStates {
    /// Runs the baseline over the shard and keeps every boundary; `tap` sees the activations.
    pub(super) fn run(
        (model, loaded): (usize, &Loaded),
        text: &ShardText,
        spec: &Spec,
        mut tap: Option<&mut ActivationTap>,
    ) -> Result<Self, EvalError> {
        let decoder = &loaded.decoder;
        let vocabulary = decoder.architecture().shape.vocabulary;
        let shape = CorpusShape { windows: spec.windows, batch: spec.batch, vocabulary };
        let tokens = TokenizedShard::new(&text.documents, &loaded.tokenizer, shape)?;
        let layers = decoder.architecture().shape.layers;
        let mut boundaries: Vec<Vec<Tensor>> = (0..=layers).map(|_| Vec::new()).collect();
        let mut finals = Vec::new();
        for batch in &tokens.batches {
            let mut none = NoTap;
            let tap: &mut dyn Tap = match tap.as_deref_mut() {
                Some(tap) => {
                    tap.begin(counted(batch));
                    tap
                }
                None => &mut none,
            };
            let ids = Tensor::from_slice(&batch.ids, (batch.rows, batch.length), decoder.device());
            let mut x = decoder.embed(&ids.map_err(ModelError::from)?, tap)?;
            for layer in 0..layers {
                boundaries[layer as usize].push(x.clone());
                x = decoder.layer(layer, &x, tap)?;
            }
            finals.push(scored_rows(&decoder.final_norm(&x, tap)?, batch)?);
            boundaries[layers as usize].push(x);
        }
        let targets = tokens.batches.iter().flat_map(|batch| batch.scored.iter().map(|s| s.target));
        let targets = targets.collect();
        let text = text.clone();
        Ok(Self { model, text, boundaries, finals: stack(finals)?, base: None, targets, tokens })
    }

    /// Hidden states before layer `layer`, by micro-batch [windows, positions, width].
    pub(super) fn boundary(&self, layer: u32) -> Vec<Tensor> {
        self.boundaries[layer as usize].clone()
    }

    /// Final states at scored positions [positions, width] of states at the last boundary, by micro-batch.
    pub(super) fn finals(
        &self,
        decoder: &Decoder,
        states: &[Tensor],
    ) -> Result<Option<Tensor>, EvalError> {
        let batches = states.iter().zip(&self.tokens.batches);
        let finals =
            batches.map(|(x, batch)| scored_rows(&decoder.final_norm(x, &mut NoTap)?, batch));
        stack(finals.collect::<Result<_, _>>()?)
    }

    /// Scores cells by their final states, as the spec's metrics ask; returns the baseline's scores beside theirs.
    pub(super) fn score(
        &mut self,
        decoder: &Decoder,
        spec: &Spec,
        cells: &[Option<Tensor>],
    ) -> Result<(Vec<Position>, Vec<Scores>), EvalError> {
        let head = Head { decoder, batch: spec.batch, targets: &self.targets };
        let kl = spec.metrics.kl;
        let Some(finals) = &self.finals else {
            let empty = |_: &Option<Tensor>| Scores {
                positions: Vec::new(),
                divergence: kl.then(Vec::new),
            };
            return Ok((Vec::new(), cells.iter().map(empty).collect()));
        };
        let states: Vec<Tensor> = cells.iter().flatten().cloned().collect();
        let (with_base, scores) = head.cells(kl.then_some(finals), &states)?;
        if self.base.is_none() {
            self.base = Some(match with_base {
                Some(positions) => positions,
                None => head.baseline(finals)?,
            });
        }
        Ok((self.base.clone().unwrap_or_default(), scores))
    }
}

/// The tokens of a micro-batch that count: each token of a document once, in the window that reads it first.
fn counted(batch: &MicroBatch) -> Vec<CountedToken> {
    let rows = batch.fresh().zip(&batch.windows);
    rows.flat_map(|((document, positions), row)| {
        let first = row.window.start == 0;
        positions.clone().map(move |index| CountedToken {
            index,
            document,
            first: first && index == positions.start,
        })
    })
    .collect()
}

/// The rows of states [windows, positions, width] from which a token is scored, [scored, width].
fn scored_rows(states: &Tensor, batch: &MicroBatch) -> Result<Option<Tensor>, ModelError> {
    if batch.scored.is_empty() {
        return Ok(None);
    }
    let (_, _, width) = states.dims3()?;
    let rows = Tensor::from_iter(batch.scored.iter().map(|scored| scored.index), states.device())?;
    Ok(Some(states.reshape(((), width))?.index_select(&rows, 0)?))
}

/// All micro-batches' rows in one tensor.
fn stack(parts: Vec<Option<Tensor>>) -> Result<Option<Tensor>, EvalError> {
    let parts: Vec<Tensor> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        return Ok(None);
    }
    Ok(Some(Tensor::cat(&parts, 0).map_err(ModelError::from)?))
}
