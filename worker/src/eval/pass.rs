//! A pass of a model over a shard: states [windows, positions, width] by micro-batch, from one layer boundary to the next. Keeps
//! nothing: what is kept stands in `shard`.

use babelquant_proto::{Layer, Stack};
use candle_core::Tensor;

use super::error::EvalError;
use crate::corpus::{MicroBatch, TokenizedShard};
use crate::model::{Block, Memory, ModelError, NoTap, Tables, Tap, Transformer};

/// A model, the tables that it uses and the shard that it runs over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pass<'a> {
    pub(super) model: &'a Transformer,
    pub(super) tables: &'a Tables,
    pub(super) tokens: &'a TokenizedShard,
}

/// What flows from layer to layer, by micro-batch.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    /// The residual stream.
    pub(super) states: Vec<Tensor>,
    /// The encoder's output, once there is one.
    pub(super) memory: Vec<Tensor>,
}

/// A tap that is told which micro-batch runs next.
pub(super) trait Watch: Tap {
    /// `batch` runs next, through `stack`.
    fn begin(&mut self, batch: &MicroBatch, stack: Stack);
}

/// Who sees the activations; nobody where absent.
pub(super) type Watcher<'a> = Option<&'a mut (dyn Watch + 'static)>;

impl Pass<'_> {
    /// The final states at scored positions of the whole model; `boundary` is shown the stream before every layer.
    pub(super) fn through(
        &self,
        mut watcher: Watcher<'_>,
        mut boundary: impl FnMut(&Stream),
    ) -> Result<Option<Tensor>, EvalError> {
        let mut stream = self.start(watcher.as_deref_mut())?;
        for layer in self.model.architecture().shape.stacked_layers() {
            self.enter(layer, &mut stream, watcher.as_deref_mut())?;
            boundary(&stream);
            self.advance(&*self.model.block(layer)?, &mut stream, watcher.as_deref_mut())?;
        }
        self.finals(&stream, watcher)
    }

    /// The stream before the first layer.
    pub(super) fn start(&self, watcher: Watcher<'_>) -> Result<Stream, EvalError> {
        let first = self.model.architecture().stacks().next().unwrap_or(Stack::Dec);
        Ok(Stream { states: self.embed(first, watcher)?, memory: Vec::new() })
    }

    /// Prepares the stream for `layer`: before the decoder's first layer, what the encoder made becomes what the decoder attends
    /// to.
    pub(super) fn enter(
        &self,
        layer: Layer,
        stream: &mut Stream,
        mut watcher: Watcher<'_>,
    ) -> Result<(), EvalError> {
        let has_encoder = self.model.architecture().encoder.is_some();
        if !has_encoder || layer != Layer::dec(0) {
            return Ok(());
        }
        stream.memory = self.norm(Stack::Enc, &stream.states, watcher.as_deref_mut())?;
        stream.states = self.embed(Stack::Dec, watcher)?;
        Ok(())
    }

    /// The stream after a layer.
    pub(super) fn advance(
        &self,
        block: &Block,
        stream: &mut Stream,
        mut watcher: Watcher<'_>,
    ) -> Result<(), EvalError> {
        let stack = block.layer().stack;
        for (number, (x, batch)) in stream.states.iter_mut().zip(&self.tokens.batches).enumerate() {
            let memory = batch.source.as_ref().map(|source| Memory {
                lengths: &source.lengths,
                states: stream.memory.get(number),
            });
            *x = watch(watcher.as_deref_mut(), batch, stack, |tap| block.forward(x, memory, tap))?;
        }
        Ok(())
    }

    /// The final states at scored positions, [positions, width], from the stream after the last layer; `None` where nothing is
    /// scored.
    pub(super) fn finals(
        &self,
        stream: &Stream,
        watcher: Watcher<'_>,
    ) -> Result<Option<Tensor>, EvalError> {
        let states = self.norm(Stack::Dec, &stream.states, watcher)?;
        let batches = states.iter().zip(&self.tokens.batches);
        let rows = batches.map(|(x, batch)| scored_rows(x, batch));
        let rows: Vec<Tensor> = rows.filter_map(Result::transpose).collect::<Result<_, _>>()?;
        if rows.is_empty() {
            return Ok(None);
        }
        Ok(Some(Tensor::cat(&rows, 0).map_err(ModelError::from)?))
    }

    fn embed(&self, stack: Stack, mut watcher: Watcher<'_>) -> Result<Vec<Tensor>, EvalError> {
        let embed = |batch: &MicroBatch| {
            let (ids, length) = match (stack, &batch.source) {
                (Stack::Enc, Some(source)) => (&source.ids, source.length),
                (Stack::Enc, None) | (Stack::Dec, _) => (&batch.ids, batch.length),
            };
            let ids = Tensor::from_slice(ids, (batch.rows, length), self.model.device());
            let ids = ids.map_err(ModelError::from)?;
            watch(watcher.as_deref_mut(), batch, stack, |tap| {
                self.model.embed(self.tables, stack, &ids, tap)
            })
        };
        self.tokens.batches.iter().map(embed).collect()
    }

    fn norm(
        &self,
        stack: Stack,
        states: &[Tensor],
        mut watcher: Watcher<'_>,
    ) -> Result<Vec<Tensor>, EvalError> {
        let norm = |(x, batch): (&Tensor, &MicroBatch)| {
            watch(watcher.as_deref_mut(), batch, stack, |tap| self.model.final_norm(stack, x, tap))
        };
        states.iter().zip(&self.tokens.batches).map(norm).collect()
    }
}

/// Runs `f` over one micro-batch under the eyes of the watcher.
fn watch(
    watcher: Watcher<'_>,
    batch: &MicroBatch,
    stack: Stack,
    f: impl FnOnce(&mut dyn Tap) -> Result<Tensor, ModelError>,
) -> Result<Tensor, EvalError> {
    let Some(tap) = watcher else { return Ok(f(&mut NoTap)?) };
    tap.begin(batch, stack);
    Ok(f(tap)?)
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
