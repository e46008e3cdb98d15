//! Weights as a checkpoint stores them: little-endian bytes, read in place. Not tensors: the shape does not matter here.

use half::{bf16, f16};

/// The little-endian bytes of a tensor's values, by how they are stored.
#[derive(Debug, Clone, Copy)]
pub enum StoredValues<'a> {
    /// 32-bit floats.
    F32(&'a [u8]),
    /// 16-bit IEEE floats.
    F16(&'a [u8]),
    /// 16-bit brain floats.
    Bf16(&'a [u8]),
}

impl<'a> StoredValues<'a> {
    /// How many values there are.
    pub fn count(self) -> usize {
        self.bytes().len() / self.width()
    }

    fn bytes(self) -> &'a [u8] {
        match self {
            Self::F32(bytes) | Self::F16(bytes) | Self::Bf16(bytes) => bytes,
        }
    }

    /// Bytes of one value.
    fn width(self) -> usize {
        match self {
            Self::F32(_) => 4,
            Self::F16(_) | Self::Bf16(_) => 2,
        }
    }

    /// The values, widened.
    pub fn to_f32(self) -> Vec<f32> {
        let mut values = Vec::with_capacity(self.count());
        self.append_to(&mut values);
        values
    }

    /// Appends the values, widened.
    pub(super) fn append_to(self, values: &mut Vec<f32>) {
        match self {
            Self::F32(bytes) => {
                values.extend(bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)))
            }
            Self::F16(bytes) => {
                values.extend(bytes.as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f32()));
            }
            Self::Bf16(bytes) => {
                values.extend(bytes.as_chunks().0.iter().map(|&b| bf16::from_le_bytes(b).to_f32()));
            }
        }
    }
}
