//! Elementwise and row-wise kernels of the model: SIMD in place for f32 on the CPU, tensor operations everywhere else. Both give
//! the same numbers to f32 rounding; a test holds them to that. Matmuls are candle's.

mod cpu;
mod rounding;
mod scores;
pub(crate) mod simd;
#[cfg(test)]
mod tests;

use candle_core::{D, DType, Tensor};

use super::architecture::Activation;
use super::error::ModelError;

pub(super) use rounding::{divide, round_but_outliers, round_tokens};
pub(super) use scores::{Scoring, Shift, Sight, softmax};

/// True where the in-place kernels apply. They change the tensor's own storage, so it must be a fresh result.
fn on_cpu(x: &Tensor) -> bool {
    x.device().is_cpu() && x.dtype() == DType::F32
}

/// a·b over the last two axes, [.., n, k] and [.., k, m]; result in their dtype. On the CPU 16-bit values are multiplied and
/// added in f32 and the result is rounded once.
pub(super) fn matmul(a: &Tensor, b: &Tensor) -> Result<Tensor, ModelError> {
    product(a, b, Tensor::matmul)
}

/// a·bᵀ over the last two axes, [.., n, k] and [.., m, k]; as [`matmul`]. What is widened is widened as it lies in memory.
pub(super) fn matmul_transposed(a: &Tensor, b: &Tensor) -> Result<Tensor, ModelError> {
    product(a, b, |a, b| a.matmul(&b.t()?))
}

fn product(
    a: &Tensor,
    b: &Tensor,
    multiply: impl Fn(&Tensor, &Tensor) -> candle_core::Result<Tensor>,
) -> Result<Tensor, ModelError> {
    if a.device().is_cpu() && a.dtype() != DType::F32 {
        let product = multiply(&a.to_dtype(DType::F32)?, &b.to_dtype(DType::F32)?)?;
        return Ok(product.to_dtype(a.dtype())?);
    }
    Ok(multiply(a, b)?)
}

/// a + b of one shape; consumes a fresh result.
pub(super) fn add(a: Tensor, b: &Tensor) -> Result<Tensor, ModelError> {
    if on_cpu(&a) {
        a.inplace_op2(&b.contiguous()?, &cpu::Pairwise(|a, b| a + b))?;
        return Ok(a);
    }
    Ok((a + b)?)
}

/// a·b elementwise, of one shape; consumes a fresh result.
pub(super) fn multiply(a: Tensor, b: &Tensor) -> Result<Tensor, ModelError> {
    if on_cpu(&a) {
        a.inplace_op2(&b.contiguous()?, &cpu::Pairwise(|a, b| a * b))?;
        return Ok(a);
    }
    Ok((a * b)?)
}

/// x + b over the last axis; x [n, width] a fresh result, b [width].
pub(super) fn add_bias(x: Tensor, bias: &Tensor) -> Result<Tensor, ModelError> {
    if on_cpu(&x) {
        x.inplace_op2(bias, &cpu::AddBias)?;
        return Ok(x);
    }
    Ok(x.broadcast_add(bias)?)
}

/// f(x + b) with the MLP's nonlinearity; x [n, width] a fresh result, b [width] where there is one.
pub(super) fn activate(
    x: Tensor,
    bias: Option<&Tensor>,
    activation: Activation,
) -> Result<Tensor, ModelError> {
    if on_cpu(&x) {
        let none = Tensor::zeros(x.dim(D::Minus1)?, DType::F32, x.device());
        let bias = bias.cloned().map_or(none, Ok)?;
        match activation {
            Activation::Gelu => x.inplace_op2(&bias, &cpu::BiasActivation(simd::gelu_erf))?,
            Activation::GeluTanh => x.inplace_op2(&bias, &cpu::BiasActivation(simd::gelu))?,
            Activation::Relu => x.inplace_op2(&bias, &cpu::BiasActivation(|x: f32| x.max(0.0)))?,
            Activation::Silu => x.inplace_op2(&bias, &cpu::BiasActivation(simd::silu))?,
        }
        return Ok(x);
    }
    let x = match bias {
        Some(bias) => x.broadcast_add(bias)?,
        None => x,
    };
    Ok(match activation {
        Activation::Gelu => x.gelu_erf()?,
        Activation::GeluTanh => x.gelu()?,
        Activation::Relu => x.relu()?,
        Activation::Silu => x.silu()?,
    })
}

/// c·tanh(x/c); x a fresh result, same shape and dtype back.
pub(super) fn softcap(x: Tensor, cap: f64) -> Result<Tensor, ModelError> {
    if on_cpu(&x) {
        x.inplace_op1(&cpu::Softcap { cap: cap as f32 })?;
        return Ok(x);
    }
    Ok(((x / cap)?.tanh()? * cap)?)
}

/// (x − mean)/√(var + ε)·gain + bias over the last axis; x [.., width], gain and bias [width]; same shape and dtype back. Sums are
/// wider than the dtype.
pub(super) fn layer_norm(
    x: &Tensor,
    gain: &Tensor,
    bias: &Tensor,
    epsilon: f64,
) -> Result<Tensor, ModelError> {
    if on_cpu(x) {
        let y = x.copy()?;
        y.inplace_op3(gain, bias, &cpu::LayerNorm { epsilon })?;
        return Ok(y);
    }
    let wide = x.to_dtype(DType::F32)?;
    let centred = wide.broadcast_sub(&wide.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    let scaled = centred.broadcast_div(&(variance + epsilon)?.sqrt()?)?.to_dtype(x.dtype())?;
    Ok(scaled.broadcast_mul(gain)?.broadcast_add(bias)?)
}

/// x/√(mean x² + ε)·factor over the last axis; x [.., width], factor f32 [width]; same shape and dtype back. Computed in f32.
pub(super) fn rms_norm(x: &Tensor, factor: &Tensor, epsilon: f64) -> Result<Tensor, ModelError> {
    if on_cpu(x) {
        let y = x.copy()?;
        y.inplace_op2(factor, &cpu::RmsNorm { epsilon })?;
        return Ok(y);
    }
    let wide = x.to_dtype(DType::F32)?;
    let square = wide.sqr()?.mean_keepdim(D::Minus1)?;
    let scaled = wide.broadcast_div(&(square + epsilon)?.sqrt()?)?;
    Ok(scaled.broadcast_mul(&factor.to_dtype(DType::F32)?)?.to_dtype(x.dtype())?)
}
