//! How a GGUF file stores values: its types, what a value takes, and the way back to f32, which is candle's. Not where they lie.

use std::borrow::Cow;

use candle_core::CpuStorage;
use candle_core::quantized::GgmlDType;
use rayon::prelude::*;

use crate::model::ModelError;

/// Values that one task converts: whole blocks of every type.
const TASK_VALUES: usize = 1 << 16;

/// The types that candle brings back to f32, with their numbers. Q8_1 and Q8_K, which it knows too, are never stored.
const TYPES: [(u32, &str, GgmlDType); 13] = [
    (0, "F32", GgmlDType::F32),
    (1, "F16", GgmlDType::F16),
    (2, "Q4_0", GgmlDType::Q4_0),
    (3, "Q4_1", GgmlDType::Q4_1),
    (6, "Q5_0", GgmlDType::Q5_0),
    (7, "Q5_1", GgmlDType::Q5_1),
    (8, "Q8_0", GgmlDType::Q8_0),
    (10, "Q2_K", GgmlDType::Q2K),
    (11, "Q3_K", GgmlDType::Q3K),
    (12, "Q4_K", GgmlDType::Q4K),
    (13, "Q5_K", GgmlDType::Q5K),
    (14, "Q6_K", GgmlDType::Q6K),
    (30, "BF16", GgmlDType::BF16),
];

/// The other types, which an error message calls by their names.
const FOREIGN: [(u32, &str); 22] = [
    (9, "Q8_1"),
    (15, "Q8_K"),
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (20, "IQ4_NL"),
    (21, "IQ3_S"),
    (22, "IQ2_S"),
    (23, "IQ4_XS"),
    (24, "I8"),
    (25, "I16"),
    (26, "I32"),
    (27, "I64"),
    (28, "F64"),
    (29, "IQ1_M"),
    (34, "TQ1_0"),
    (35, "TQ2_0"),
    (39, "MXFP4"),
    (40, "NVFP4"),
    (41, "Q1_0"),
    (42, "Q2_0"),
];

/// The type of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Storage(GgmlDType);

impl Storage {
    /// The type of this number.
    ///
    /// # Errors
    /// It is none of those: the reason names it.
    pub(super) fn of(number: u32) -> Result<Self, String> {
        if let Some((_, _, kind)) = TYPES.iter().find(|(known, _, _)| *known == number) {
            return Ok(Self(*kind));
        }
        let name = FOREIGN.iter().find(|(known, _)| *known == number);
        let name = name.map_or_else(|| format!("number {number}"), |(_, name)| (*name).to_owned());
        let known = TYPES.map(|(_, name, _)| name).join(", ");
        Err(format!("is of type {name}, which candle does not read; it reads {known}"))
    }

    /// Bytes of so many values that lie in rows of `columns`; `None` where blocks do not divide a row, or the bytes cannot be counted.
    pub(super) fn bytes(self, values: usize, columns: usize) -> Option<usize> {
        let block = self.0.block_size();
        let whole = columns.is_multiple_of(block);
        whole.then_some(values / block)?.checked_mul(self.0.type_size())
    }

    /// Bits that a value takes, scales and zero points included.
    pub(super) fn bits_per_weight(self) -> f64 {
        8.0 * self.0.type_size() as f64 / self.0.block_size() as f64
    }

    /// Values of whole blocks, which begin at an even address.
    pub(super) fn to_f32(self, bytes: &[u8]) -> Result<Vec<f32>, ModelError> {
        let (block, size) = (self.0.block_size(), self.0.type_size());
        let mut values = vec![0.0; bytes.len() / size * block];
        let tasks = bytes.par_chunks(TASK_VALUES / block * size);
        tasks.zip(values.par_chunks_mut(TASK_VALUES)).try_for_each(|(bytes, values)| {
            let blocks = self.0.from_data(Cow::Borrowed(bytes));
            if let CpuStorage::F32(read) = blocks.dequantize(values.len())? {
                values.copy_from_slice(&read);
            }
            Ok::<_, ModelError>(())
        })?;
        Ok(values)
    }
}
