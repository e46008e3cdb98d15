//! What a safetensors file declares. The crate of that name checks that all of it lies in the file.

use std::ops::Range;

use safetensors::{Dtype, SafeTensorError, SafeTensors};

use super::{Content, Found, StoredDtype};

/// The tensors of a file with these bytes, in alphabetical order.
///
/// # Errors
/// It is no safetensors file.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Found>, SafeTensorError> {
    let base = bytes.as_ptr() as usize;
    let found = SafeTensors::deserialize(bytes)?.tensors().into_iter().map(|(name, view)| {
        let start = view.data().as_ptr() as usize - base;
        let range = start..start + view.data().len();
        Found { name, shape: view.shape().to_vec(), content: content(view.dtype(), range) }
    });
    let mut found: Vec<Found> = found.collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn content(dtype: Dtype, bytes: Range<usize>) -> Content {
    match dtype {
        Dtype::F32 => Content::Floats(StoredDtype::F32, bytes),
        Dtype::F16 => Content::Floats(StoredDtype::F16, bytes),
        Dtype::BF16 => Content::Floats(StoredDtype::Bf16, bytes),
        Dtype::BOOL => Content::Integers("BOOL"),
        Dtype::U8 => Content::Integers("U8"),
        Dtype::I8 => Content::Integers("I8"),
        Dtype::U16 => Content::Integers("U16"),
        Dtype::I16 => Content::Integers("I16"),
        Dtype::U32 => Content::Integers("U32"),
        Dtype::I32 => Content::Integers("I32"),
        Dtype::U64 => Content::Integers("U64"),
        Dtype::I64 => Content::Integers("I64"),
        other => Content::unsupported_dtype(&format!("{other:?}")),
    }
}
