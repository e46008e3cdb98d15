//! One shard under one model: its tokens, the baseline's hidden states at every layer boundary, and its scores.
//!
//! Everything is computed once and kept while units of the shard are at hand.

use babelquant_proto::{Document, Drift, Layer, ShardText, Spec, Stack};
use candle_core::Tensor;

use super::drift;
use super::error::EvalError;
use super::head::{Finals, Head, Scores};
use super::loaded::{Baseline, Loaded};
use super::pass::{Boundary, Pass, Stream, Watcher};
use super::position::Position;
use crate::corpus::{CorpusShape, TokenizedShard};
use crate::model::{Tables, Transformer};

/// A shard with the baseline's states.
#[derive(Debug)]
pub(super) struct ShardStates {
    pub(super) model: usize,
    pub(super) text: ShardText,
    pub(super) tokens: TokenizedShard,
    /// The stream before every layer, in the order of the forward pass.
    boundaries: Vec<Stream>,
    /// The states after every layer: those before the next one, but where a stack ends.
    after: Vec<Vec<Tensor>>,
    /// The baseline's final states at scored positions, [positions, width]; `None` where nothing is scored.
    finals: Option<Tensor>,
    /// The baseline's scores, once somebody asked.
    base: Option<Vec<Position>>,
    targets: Vec<u32>,
}

/// Documents as model `model` of `spec` reads them.
pub(super) fn tokenized(
    documents: &[Document],
    (spec, model): (&Spec, usize),
    on: Baseline<'_>,
) -> Result<TokenizedShard, EvalError> {
    let shape = CorpusShape {
        windows: spec.windows,
        batch: spec.batch,
        vocabulary: on.model.architecture().shape.vocabulary,
        protocol: spec.models[model].model.protocol,
        seed: spec.seed,
    };
    Ok(TokenizedShard::new(documents, on.tokenizer, shape)?)
}

impl ShardStates {
    /// Runs the baseline over the shard and keeps every boundary; `watcher` sees the activations.
    pub(super) fn run(
        (model, loaded): (usize, &Loaded),
        text: &ShardText,
        spec: &Spec,
        watcher: Watcher<'_>,
    ) -> Result<Self, EvalError> {
        let transformer = &loaded.transformer;
        let tokens = tokenized(&text.documents, (spec, model), loaded.baseline())?;
        let pass = Pass { model: transformer, tables: transformer.tables(), tokens: &tokens };
        let (mut boundaries, mut after) = (Vec::new(), Vec::new());
        let finals = pass.through(watcher, |boundary, stream| match boundary {
            Boundary::Before(_) => boundaries.push(stream.clone()),
            Boundary::After(_) => after.push(stream.states.clone()),
        })?;
        let targets = tokens.batches.iter().flat_map(|batch| batch.scored.iter().map(|s| s.target));
        let targets = targets.collect();
        let text = text.clone();
        Ok(Self { model, text, boundaries, after, finals, base: None, targets, tokens })
    }

    /// The baseline's stream before `layer`, which stands at `position` in the forward pass.
    pub(super) fn boundary(&self, position: u32) -> Stream {
        self.boundaries[position as usize].clone()
    }

    /// How far another model's `states` after `layer`, which stands at `position` in the forward pass, lie from the baseline's: by
    /// document.
    pub(super) fn drift(
        &self,
        (layer, position): (Layer, u32),
        states: &[Tensor],
    ) -> Result<Vec<Drift>, EvalError> {
        let base = &self.after[position as usize];
        Ok(drift::by_document(&self.tokens, layer.stack, (base, states))?)
    }

    /// The drift after the last layer of a cell that differs from the baseline in its head alone: no error.
    pub(super) fn still(&self) -> Result<Vec<Drift>, EvalError> {
        let Some(states) = self.after.last() else { return Ok(Vec::new()) };
        Ok(drift::by_document(&self.tokens, Stack::Dec, (states, states))?)
    }

    /// The baseline's final states at scored positions, [positions, width]; `None` where nothing is scored.
    pub(super) fn finals(&self) -> Option<Tensor> {
        self.finals.clone()
    }

    /// A pass of `model` over the shard, with `tables` in the place of its own.
    pub(super) fn pass<'a>(&'a self, model: &'a Transformer, tables: &'a Tables) -> Pass<'a> {
        Pass { model, tables, tokens: &self.tokens }
    }

    /// Scores cells by their final states, as the spec's metrics ask; returns the baseline's scores beside theirs.
    pub(super) fn score(
        &mut self,
        model: &Transformer,
        spec: &Spec,
        cells: Vec<Option<Finals<'_>>>,
    ) -> Result<(Vec<Position>, Vec<Scores>), EvalError> {
        let head = Head { batch: spec.batch, targets: &self.targets };
        let kl = spec.metrics.kl;
        let Some(states) = &self.finals else {
            let empty = |_| Scores { positions: Vec::new(), divergence: kl.then(Vec::new) };
            return Ok((Vec::new(), cells.into_iter().map(empty).collect()));
        };
        if let (true, Some(base)) = (cells.is_empty(), &self.base) {
            return Ok((base.clone(), Vec::new()));
        }
        let finals = Finals { model, tables: model.tables(), states: states.clone() };
        let cells: Vec<Finals<'_>> = cells.into_iter().flatten().collect();
        let (with_base, scores) = head.cells(kl.then_some(&finals), &cells)?;
        if self.base.is_none() {
            let base = match with_base {
                Some(positions) => positions,
                None => head.baseline(&finals)?,
            };
            if base.iter().any(|position| !position.nll().is_finite()) {
                return Err(EvalError::NotFinite { dtype: spec.dtype });
            }
            self.base = Some(base);
        }
        Ok((self.base.clone().unwrap_or_default(), scores))
    }
}
