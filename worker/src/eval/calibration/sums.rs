//! Sums over inputs where the model is: on the CPU `quant`'s own, on a device tensor operations. A test holds both to the same
//! numbers.

use candle_core::{D, DType, Device, Tensor};

use crate::model::ModelError;
use crate::quant::{InputMoments, InputSums};

/// Tokens whose products are added in f32 on a device, as on the CPU.
const TOKENS_IN_F32: usize = 256;

/// Sums over inputs of one width.
#[derive(Debug)]
pub(super) enum Sums {
    Host(InputSums),
    Device(Option<DeviceSums>),
}

/// Sums as tensors of one device.
#[derive(Debug)]
pub(super) struct DeviceSums {
    tokens: u64,
    /// Σ x·xᵀ in f64, [in, in].
    second: Tensor,
    /// Σ |x| in f64, [in].
    abs: Tensor,
    /// max |x| in f32, [in].
    max_abs: Tensor,
}

impl Sums {
    /// No tokens.
    pub(super) fn new(width: usize, device: &Device) -> Self {
        match device.is_cpu() {
            true => Self::Host(InputSums::new(width)),
            false => Self::Device(None),
        }
    }

    /// Takes in inputs [tokens, width] in f32.
    pub(super) fn push(&mut self, inputs: &Tensor) -> Result<(), ModelError> {
        match self {
            Self::Host(sums) => sums.push(&inputs.flatten_all()?.to_vec1::<f32>()?),
            Self::Device(sums) => {
                for first in (0..inputs.dim(0)?).step_by(TOKENS_IN_F32) {
                    let tokens = TOKENS_IN_F32.min(inputs.dim(0)? - first);
                    let next = DeviceSums::of(&inputs.narrow(0, first, tokens)?)?;
                    *sums = Some(match sums.take() {
                        Some(sums) => sums.plus(&next)?,
                        None => next,
                    });
                }
            }
        }
        Ok(())
    }

    /// The moments; `None` where there are no tokens, or one is not finite.
    pub(super) fn finish(self) -> Result<Option<InputMoments>, ModelError> {
        match self {
            Self::Host(sums) => Ok(sums.finish()),
            Self::Device(Some(sums)) => sums.finish(),
            Self::Device(None) => Ok(None),
        }
    }
}

impl DeviceSums {
    fn of(inputs: &Tensor) -> Result<Self, ModelError> {
        let abs = inputs.abs()?;
        Ok(Self {
            tokens: inputs.dim(0)? as u64,
            second: inputs.t()?.matmul(inputs)?.to_dtype(DType::F64)?,
            abs: abs.to_dtype(DType::F64)?.sum(0)?,
            max_abs: abs.max(0)?,
        })
    }

    fn plus(self, other: &Self) -> Result<Self, ModelError> {
        Ok(Self {
            tokens: self.tokens + other.tokens,
            second: (self.second + &other.second)?,
            abs: (self.abs + &other.abs)?,
            max_abs: self.max_abs.maximum(&other.max_abs)?,
        })
    }

    fn finish(self) -> Result<Option<InputMoments>, ModelError> {
        let width = self.abs.dim(D::Minus1)?;
        let tokens = self.tokens as f64;
        let mean = |sums: Vec<f64>| -> Vec<f32> {
            sums.into_iter().map(|sum| (sum / tokens) as f32).collect()
        };
        let mut second = mean(self.second.flatten_all()?.to_vec1()?);
        for row in 0..width {
            for column in 0..row {
                second[column * width + row] = second[row * width + column];
            }
        }
        let moments = InputMoments {
            tokens: self.tokens,
            second,
            mean_abs: mean(self.abs.to_vec1()?),
            max_abs: self.max_abs.to_vec1()?,
        };
        Ok(moments.is_finite().then_some(moments))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_twins_give_the_same_moments() {
        let (tokens, width) = (600, 20);
        let values: Vec<f32> =
            (0..tokens * width).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
        let inputs = Tensor::from_vec(values, (tokens, width), &Device::Cpu).unwrap();
        let of = |mut sums: Sums| {
            sums.push(&inputs.narrow(0, 0, 411).unwrap()).unwrap();
            sums.push(&inputs.narrow(0, 411, 189).unwrap()).unwrap();
            sums.finish().unwrap().unwrap()
        };
        let (host, device) = (of(Sums::new(width, &Device::Cpu)), of(Sums::Device(None)));
        let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
        assert!(close(&host.second, &device.second) && close(&host.mean_abs, &device.mean_abs));
        assert_eq!((host.tokens, host.max_abs), (device.tokens, device.max_abs));
        assert_eq!(Sums::Device(None).finish().unwrap(), None);
    }
}
