//! Tensors as a checkpoint stores them, and their way to a device. Not where they lie in a file.

use std::ops::Range;

use candle_core::{DType, Device, Tensor, WithDType};
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use half::{bf16, f16};
use rayon::prelude::*;

use crate::model::ModelError;

/// Values that one task converts: enough to be worth a task, few enough to stay in a cache.
const TASK_VALUES: usize = 1 << 16;

/// Values on the way between two formats.
const SCRATCH_VALUES: usize = 1 << 10;

/// How a tensor's values are stored, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredDtype {
    /// 32-bit floats.
    F32,
    /// 16-bit IEEE floats.
    F16,
    /// 16-bit brain floats.
    Bf16,
}

/// A tensor as the checkpoint stores it: row-major little-endian bytes, at any address.
#[derive(Debug, Clone)]
pub struct StoredTensor<'a> {
    /// How values are stored.
    pub dtype: StoredDtype,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values.
    pub bytes: &'a [u8],
}

impl StoredDtype {
    /// Bytes of a value.
    pub fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    fn candle(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::F16 => DType::F16,
            Self::Bf16 => DType::BF16,
        }
    }

    /// Widens the values in `bytes`, which are as many as `values` has places.
    fn widen(self, bytes: &[u8], values: &mut [f32]) {
        match self {
            Self::F32 => {
                let (stored, _) = bytes.as_chunks();
                for (value, &stored) in values.iter_mut().zip(stored) {
                    *value = f32::from_le_bytes(stored);
                }
            }
            Self::Bf16 => {
                let (stored, _) = bytes.as_chunks();
                for (value, &stored) in values.iter_mut().zip(stored) {
                    *value = f32::from_bits(u32::from(u16::from_le_bytes(stored)) << 16);
                }
            }
            Self::F16 => widen_f16(bytes, values),
        }
    }
}

/// Through a scratch that is aligned, which the bytes need not be.
fn widen_f16(bytes: &[u8], values: &mut [f32]) {
    let mut scratch = [0_u16; SCRATCH_VALUES];
    let blocks = bytes.chunks(2 * SCRATCH_VALUES).zip(values.chunks_mut(SCRATCH_VALUES));
    for (bytes, values) in blocks {
        let scratch = &mut scratch[..values.len()];
        let (stored, _) = bytes.as_chunks();
        for (bits, &stored) in scratch.iter_mut().zip(stored) {
            *bits = u16::from_le_bytes(stored);
        }
        scratch.reinterpret_cast::<f16>().convert_to_f32_slice(values);
    }
}

impl<'a> StoredTensor<'a> {
    /// The tensor on `device` as `dtype` (widening is exact, narrowing rounds to nearest, ties to even), in its stored shape.
    ///
    /// # Errors
    /// The device refuses, such as for want of memory.
    pub fn load(&self, device: &Device, dtype: DType) -> Result<Tensor, ModelError> {
        let shape = self.shape.as_slice();
        let stored = self.dtype.candle();
        Ok(match (device, dtype) {
            (Device::Cpu, DType::F32) => Tensor::from_vec(self.to_f32(), shape, device)?,
            (Device::Cpu, DType::F16) if stored != dtype => {
                Tensor::from_vec(self.narrowed::<f16>(), shape, device)?
            }
            (Device::Cpu, DType::BF16) if stored != dtype => {
                Tensor::from_vec(self.narrowed::<bf16>(), shape, device)?
            }
            // The device widens what it got; on the CPU nothing is left to convert but to other dtypes than the engine's.
            _ => Tensor::from_raw_buffer(self.bytes, stored, shape, device)?.to_dtype(dtype)?,
        })
    }

    /// Its values, widened to f32.
    pub fn to_f32(&self) -> Vec<f32> {
        let mut values = vec![0_f32; self.bytes.len() / self.dtype.size()];
        let bytes = self.bytes.par_chunks(TASK_VALUES * self.dtype.size());
        let tasks = values.par_chunks_mut(TASK_VALUES).zip(bytes);
        tasks.for_each(|(values, bytes)| self.dtype.widen(bytes, values));
        values
    }

    /// Its values in a 16-bit format.
    fn narrowed<T>(&self) -> Vec<T>
    where
        T: WithDType + Default,
        [T]: HalfFloatSliceExt,
    {
        let size = self.dtype.size();
        let mut values = vec![T::default(); self.bytes.len() / size];
        let bytes = self.bytes.par_chunks(SCRATCH_VALUES * size);
        let tasks = values.par_chunks_mut(SCRATCH_VALUES).zip(bytes);
        tasks.for_each(|(values, bytes)| {
            let wide = &mut [0_f32; SCRATCH_VALUES][..values.len()];
            self.dtype.widen(bytes, wide);
            values.convert_from_f32_slice(wide);
        });
        values
    }

    /// Rows `range` of it, without a copy: the entries of its first axis.
    ///
    /// # Panics
    /// It has no axis or fewer rows: a mistake of the caller's, who knows its shape.
    pub fn rows(&self, range: Range<usize>) -> StoredTensor<'a> {
        let row = self.shape[1..].iter().product::<usize>() * self.dtype.size();
        let mut shape = self.shape.clone();
        shape[0] = range.len();
        let bytes = &self.bytes[range.start * row..range.end * row];
        StoredTensor { dtype: self.dtype, shape, bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(tensor: &Tensor) -> Vec<u32> {
        let wide = tensor.to_dtype(DType::F32).unwrap().flatten_all().unwrap();
        let values = wide.to_vec1::<f32>().unwrap().into_iter();
        values.map(|value| if value.is_nan() { u32::MAX } else { value.to_bits() }).collect()
    }

    /// Every 16-bit pattern, over again until tasks and scratches end within the values, at an odd address.
    #[test]
    fn conversions_are_those_of_candle_for_every_bit_pattern() {
        let patterns = (0..=u16::MAX).chain(0..=u16::MAX).chain(0..1_027).enumerate();
        let bytes: Vec<u8> = [0_u8]
            .into_iter()
            .chain(patterns.flat_map(|(n, bits)| (u32::from(bits) << (n % 2 * 15)).to_le_bytes()))
            .collect();
        let bytes = &bytes[1..];
        for dtype in [StoredDtype::F32, StoredDtype::F16, StoredDtype::Bf16] {
            let shape = vec![bytes.len() / dtype.size()];
            let stored = StoredTensor { dtype, shape, bytes };
            let (cpu, shape) = (Device::Cpu, stored.shape.as_slice());
            let plain = Tensor::from_raw_buffer(bytes, dtype.candle(), shape, &cpu).unwrap();
            for target in [DType::F32, DType::F16, DType::BF16, DType::F64] {
                let ours = stored.load(&cpu, target).unwrap();
                assert_eq!((ours.dtype(), ours.dims()), (target, shape));
                assert!(bits(&ours) == bits(&plain.to_dtype(target).unwrap()), "{target:?}");
            }
        }
    }
}
