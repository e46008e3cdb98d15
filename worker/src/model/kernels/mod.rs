//! Elementwise and row-wise kernels of the decoder: SIMD in place for f32 on the CPU, tensor operations everywhere else.
//! Both give the same numbers to f32 rounding; a test holds them to that. Matmuls are candle's.

mod cpu;
pub(crate) mod simd;

use candle_core::{D, DType, Device, Tensor};

use super::error::ModelError;

/// True where the in-place kernels apply. They change the tensor's own storage, so it must be a fresh result.
fn on_cpu(x: &Tensor) -> bool {
    x.device().is_cpu() && x.dtype() == DType::F32
}

/// a + b of one shape; consumes a fresh result.
pub(super) fn add(a: Tensor, b: &Tensor) -> Result<Tensor, ModelError> {
    if on_cpu(&a) {
        a.inplace_op2(&b.contiguous()?, &cpu::Add)?;
        return Ok(a);
    }
    Ok((a + b)?)
}

/// x + b over the last axis; x [n, width] a fresh result, b [width].
pub(super) fn add_bias(x: Tensor, bias: &Tensor) -> Result<Tensor, ModelError> {
    if on_cpu(&x) {
        x.inplace_op2(bias, &cpu::AddBias)?;
        return Ok(x);
    }
    Ok(x.broadcast_add(bias)?)
}

/// gelu(x + b), tanh form: 0.5·y·(1 + tanh(√(2/π)·(y + 0.044715·y³))); x [n, width] a fresh result, b [width].
pub(super) fn bias_gelu(x: Tensor, bias: &Tensor) -> Result<Tensor, ModelError> {
    if on_cpu(&x) {
        x.inplace_op2(bias, &cpu::BiasGelu)?;
        return Ok(x);
    }
    Ok(x.broadcast_add(bias)?.gelu()?)
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

/// Softmax over keys j ≤ query i of scale·s + slope·j; scores [windows, heads, queries, keys] a fresh result, one slope a head;
/// same shape and dtype back, computed in f32.
pub(super) fn causal_softmax(
    scores: Tensor,
    slopes: &[f32],
    scale: f32,
) -> Result<Tensor, ModelError> {
    if on_cpu(&scores) {
        scores.inplace_op1(&cpu::CausalSoftmax { slopes, scale })?;
        return Ok(scores);
    }
    let positions = scores.dim(D::Minus1)?;
    let bias = alibi_bias(slopes, positions, scores.device())?;
    let wide = (scores.to_dtype(DType::F32)? * f64::from(scale))?.broadcast_add(&bias)?;
    Ok(candle_nn::ops::softmax_last_dim(&wide)?.to_dtype(scores.dtype())?)
}

/// slope·j for j ≤ i, −∞ beyond; f32 [1, heads, queries, keys].
fn alibi_bias(slopes: &[f32], positions: usize, device: &Device) -> Result<Tensor, ModelError> {
    let bias =
        |slope: f32, i: usize, j: usize| if j > i { f32::NEG_INFINITY } else { slope * j as f32 };
    let rows = slopes.iter().flat_map(|&slope| (0..positions).map(move |i| (slope, i)));
    let values: Vec<f32> =
        rows.flat_map(|(slope, i)| (0..positions).map(move |j| bias(slope, i, j))).collect();
    Ok(Tensor::from_vec(values, (1, slopes.len(), positions, positions), device)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same numbers between −3 and 3 in every run.
    fn random(shape: &[usize]) -> Tensor {
        let number = |i: usize| (i * 7919 % 10_007) as f32 / 10_007.0 * 6.0 - 3.0;
        let numbers: Vec<f32> = (1..=shape.iter().product()).map(number).collect();
        Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap()
    }

    /// Holds an f32 kernel to the same function by tensor operations, to 4e-6 of its largest value.
    #[track_caller]
    fn check(fast: &Tensor, reference: &Tensor) {
        let largest =
            |x: &Tensor| -> f64 { wide(x).abs().unwrap().max_all().unwrap().to_scalar().unwrap() };
        let difference = largest(&(wide(fast) - wide(reference)).unwrap());
        assert!(difference < 4e-6 * largest(reference).max(1.0), "{difference}");
    }

    fn wide(x: &Tensor) -> Tensor {
        x.to_dtype(DType::F64).unwrap()
    }

    #[test]
    fn in_place_kernels_equal_tensor_operations() {
        for width in [1, 7, 16, 33, 300] {
            let (x, y, bias) = (random(&[5, width]), random(&[5, width]), random(&[width]));
            let biased = wide(&x).broadcast_add(&wide(&bias)).unwrap();
            check(&add(x.copy().unwrap(), &y).unwrap(), &(wide(&x) + wide(&y)).unwrap());
            check(&add_bias(x.copy().unwrap(), &bias).unwrap(), &biased);
            check(&bias_gelu(x.copy().unwrap(), &bias).unwrap(), &biased.gelu().unwrap());
            let gain = random(&[width]);
            if width > 1 {
                let reference = layer_norm(&wide(&x), &wide(&gain), &wide(&bias), 1e-5).unwrap();
                check(&layer_norm(&x, &gain, &bias, 1e-5).unwrap(), &reference);
            }
        }
    }

    #[test]
    fn causal_softmax_equals_tensor_operations() {
        let slopes = [0.5, 0.25, 0.7];
        for positions in [1, 2, 15, 16, 40] {
            let scores = random(&[2, 3, positions, positions]);
            let fast = causal_softmax(scores.copy().unwrap(), &slopes, 0.3).unwrap();
            check(&fast, &causal_softmax(wide(&scores), &slopes, 0.3).unwrap());
        }
    }
}
