//! The GGUF block formats as candle writes them on a CPU. Its K-quants are not llama.cpp's: they search their scales
//! in another way, which is why the configs carry candle's name.

use babelquant_proto::quant::CandleBlock;
use candle_core::quantized::GgmlType;
use candle_core::quantized::k_quants::{
    BlockQ2K, BlockQ3K, BlockQ4_0, BlockQ4_1, BlockQ4K, BlockQ5_0, BlockQ5_1, BlockQ5K, BlockQ6K,
    BlockQ8_0, BlockQ8_1, BlockQ8K,
};
use rayon::prelude::*;

use crate::quant::range::{Range, TASK_WEIGHTS};
use crate::quant::{MatrixShape, QuantError, Quantized};

/// The weights [out, in] as blocks of the format and back.
pub(super) fn quantize(
    weights: &[f32],
    shape: MatrixShape,
    block: CandleBlock,
) -> Result<Quantized, QuantError> {
    match block {
        CandleBlock::Q4_0 => by_blocks::<BlockQ4_0>(weights, shape),
        CandleBlock::Q4_1 => by_blocks::<BlockQ4_1>(weights, shape),
        CandleBlock::Q5_0 => by_blocks::<BlockQ5_0>(weights, shape),
        CandleBlock::Q5_1 => by_blocks::<BlockQ5_1>(weights, shape),
        CandleBlock::Q8_0 => by_blocks::<BlockQ8_0>(weights, shape),
        CandleBlock::Q8_1 => by_blocks::<BlockQ8_1>(weights, shape),
        CandleBlock::Q2K => by_blocks::<BlockQ2K>(weights, shape),
        CandleBlock::Q3K => by_blocks::<BlockQ3K>(weights, shape),
        CandleBlock::Q4K => by_blocks::<BlockQ4K>(weights, shape),
        CandleBlock::Q5K => by_blocks::<BlockQ5K>(weights, shape),
        CandleBlock::Q6K => by_blocks::<BlockQ6K>(weights, shape),
        CandleBlock::Q8K => by_blocks::<BlockQ8K>(weights, shape),
    }
}

fn by_blocks<B: GgmlType>(weights: &[f32], shape: MatrixShape) -> Result<Quantized, QuantError> {
    let length = B::BLCK_SIZE;
    if !shape.columns.is_multiple_of(length) {
        let reason = format!("blocks of {length} do not divide a row of {} weights", shape.columns);
        return Err(QuantError::unsupported(reason));
    }
    Range::of(weights)?;
    let mut output = vec![0.0; weights.len()];
    let task = TASK_WEIGHTS / length * length;
    weights.par_chunks(task).zip(output.par_chunks_mut(task)).for_each(|(weights, output)| {
        let mut blocks = vec![B::zeros(); weights.len() / length];
        B::from_float(weights, &mut blocks);
        B::to_float(&blocks, output);
    });
    if output.iter().any(|value| !value.is_finite()) {
        return Err(QuantError::unsupported("a block's scale overflows f16"));
    }
    let bits_per_weight = 8.0 * size_of::<B>() as f64 / length as f64;
    Ok(Quantized::of(output, bits_per_weight))
}
