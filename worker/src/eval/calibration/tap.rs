//! The tap of calibration: collects sums over what the matrices of a layer read, micro-batch after micro-batch, each token once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use babelquant_proto::rows::Point;
use babelquant_proto::{Layer, Stack};
use candle_core::{DType, Tensor};

use super::super::pass::Watch;
use super::sums::Sums;
use crate::corpus::MicroBatch;
use crate::model::{Input, ModelError, Site, Tap};
use crate::quant::InputMoments;

/// Collects sums over the wanted inputs.
#[derive(Debug)]
pub(super) struct InputTap {
    wanted: BTreeSet<Input>,
    /// Rows of the tokens that count, in [rows × length, width] of their stack.
    encoder: Vec<u32>,
    decoder: Vec<u32>,
    sums: BTreeMap<Input, Sums>,
}

impl InputTap {
    pub(super) fn new(wanted: BTreeSet<Input>) -> Self {
        Self { wanted, encoder: Vec::new(), decoder: Vec::new(), sums: BTreeMap::new() }
    }

    /// The moments of each wanted input, or the first that has none: it saw no token, or values that are not finite.
    pub(super) fn finish(mut self) -> Result<Vec<(Input, Arc<InputMoments>)>, Input> {
        let moments = |input: Input| match self.sums.remove(&input).map(Sums::finish) {
            Some(Ok(Some(moments))) => Ok((input, Arc::new(moments))),
            Some(Ok(None) | Err(_)) | None => Err(input),
        };
        self.wanted.into_iter().map(moments).collect()
    }
}

impl Watch for InputTap {
    fn begin(&mut self, batch: &MicroBatch, _: Stack) {
        let rows = |stack| batch.fresh(stack).into_iter().map(|token| token.index as u32).collect();
        (self.encoder, self.decoder) = (rows(Stack::Enc), rows(Stack::Dec));
    }
}

impl Tap for InputTap {
    fn see(&mut self, _: Point, _: Site, _: &Tensor) -> Result<(), ModelError> {
        Ok(())
    }

    fn feed(&mut self, input: Input, layer: Layer, values: &Tensor) -> Result<(), ModelError> {
        let tokens = match input.stack(layer) {
            Stack::Enc => &self.encoder,
            Stack::Dec => &self.decoder,
        };
        if !self.wanted.contains(&input) || tokens.is_empty() {
            return Ok(());
        }
        let (_, _, width) = values.dims3()?;
        let tokens = Tensor::from_slice(tokens, tokens.len(), values.device())?;
        let rows = values.reshape(((), width))?.index_select(&tokens, 0)?.to_dtype(DType::F32)?;
        let sums = self.sums.entry(input);
        sums.or_insert_with(|| Sums::new(width, values.device())).push(&rows)
    }
}
