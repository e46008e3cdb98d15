//! What a state dict consists of, what its pickle may name, and where its tensors lie. Not how it is pickled.

use std::ops::Range;

use super::super::{Content, Found, StoredDtype};
use super::TorchError;

/// A tensor as the pickle describes it: a strided view of a storage.
#[derive(Debug, Clone)]
pub(super) struct View<'a> {
    pub(super) storage: Storage<'a>,
    /// Values before its first one.
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

impl View<'_> {
    /// The tensor of this name, whose storage is `entry` of the file.
    ///
    /// # Errors
    /// It does not fit its storage, or the storage does not fit the entry.
    pub(super) fn locate(self, name: &str, entry: Range<usize>) -> Result<Found, TorchError> {
        let Self { storage, offset, shape, strides } = self;
        let error = |problem| TorchError::Tensor { tensor: name.to_owned(), problem };
        let size = storage.element.size();
        if storage.bytes() != Some(entry.len()) {
            return Err(error("has a storage of another size than the pickle says"));
        }
        let count = shape.iter().try_fold(1_usize, |count, &axis| count.checked_mul(axis));
        let count = count.ok_or_else(|| error("has more values than can be counted"))?;
        let content = match storage.element {
            Element::Integer(dtype, _) => Content::Integers(dtype),
            Element::Double => Content::unsupported_dtype("F64"),
            Element::Float(_) if !is_contiguous(&shape, &strides) => Content::Unsupported(format!(
                "of shape {shape:?} is a view with strides {strides:?}: save its contiguous()"
            )),
            Element::Float(dtype) => {
                let end = offset.checked_add(count).filter(|&end| end <= storage.values);
                let end = end.ok_or_else(|| error("ends beyond its storage"))?;
                Content::Floats(dtype, entry.start + offset * size..entry.start + end * size)
            }
        };
        Ok(Found { name: name.to_owned(), shape, content })
    }
}

/// True if the values lie row by row without gaps; an axis of one entry may have any stride.
fn is_contiguous(shape: &[usize], strides: &[usize]) -> bool {
    let mut values = 1;
    let mut fits = |(&axis, &stride): (&usize, &usize)| {
        let fits = axis == 1 || stride == values;
        values *= axis;
        fits
    };
    shape.len() == strides.len()
        && (shape.contains(&0) || shape.iter().zip(strides).rev().all(&mut fits))
}

/// A run of values in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Storage<'a> {
    pub(super) element: Element,
    pub(super) key: &'a str,
    /// How many values it has.
    pub(super) values: usize,
}

impl Storage<'_> {
    /// How many bytes it has, if that can be counted.
    pub(super) fn bytes(self) -> Option<usize> {
        self.values.checked_mul(self.element.size())
    }
}

/// What a storage consists of.
#[derive(Debug, Clone, Copy)]
pub(super) enum Element {
    Float(StoredDtype),
    Double,
    /// Integers or Booleans: dtype and bytes of one.
    Integer(&'static str, usize),
}

impl Element {
    /// Bytes of one.
    fn size(self) -> usize {
        match self {
            Self::Float(dtype) => dtype.size(),
            Self::Double => 8,
            Self::Integer(_, bytes) => bytes,
        }
    }
}

/// What a pickle may name.
#[derive(Debug, Clone, Copy)]
pub(super) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Storage(Element),
}

impl Global {
    /// The global of this name.
    ///
    /// # Errors
    /// It is no part of a state dict.
    pub(super) fn named(module: &str, name: &str) -> Result<Self, TorchError> {
        let integer = |dtype, bytes| Self::Storage(Element::Integer(dtype, bytes));
        let float = |dtype| Self::Storage(Element::Float(dtype));
        Ok(match (module, name) {
            ("collections", "OrderedDict") => Self::OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2") => Self::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Self::RebuildParameter,
            ("torch", "FloatStorage") => float(StoredDtype::F32),
            ("torch", "HalfStorage") => float(StoredDtype::F16),
            ("torch", "BFloat16Storage") => float(StoredDtype::Bf16),
            ("torch", "DoubleStorage") => Self::Storage(Element::Double),
            ("torch", "BoolStorage") => integer("BOOL", 1),
            ("torch", "ByteStorage") => integer("U8", 1),
            ("torch", "CharStorage") => integer("I8", 1),
            ("torch", "ShortStorage") => integer("I16", 2),
            ("torch", "IntStorage") => integer("I32", 4),
            ("torch", "LongStorage") => integer("I64", 8),
            _ => return Err(TorchError::Global { global: format!("{module}.{name}") }),
        })
    }
}
