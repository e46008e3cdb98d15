//! The header of a GGUF file, versions 2 and 3: what it says of the model, and which tensors lie where. Nothing in it is trusted to
//! fit into the file. Not what a tensor means (`names`).

use std::collections::BTreeMap;
use std::ops::Range;

use super::GgufError;
use super::cursor::{Cursor, Value};
use super::storage::Storage;

/// How a file begins.
const MAGIC: &[u8] = b"GGUF";
/// Where tensors begin unless the header says otherwise: at multiples of this.
const ALIGNMENT: u64 = 32;
/// Most axes that a tensor has.
const AXES_MAX: u32 = 4;

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct Header {
    /// `general.architecture`.
    pub(super) architecture: String,
    /// Its whole numbers by their keys.
    numbers: BTreeMap<String, u64>,
    /// Its tensors by their names.
    pub(super) tensors: BTreeMap<String, Declared>,
}

/// A tensor that a file declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Declared {
    /// Its axes, the longest strides first.
    pub(super) shape: Vec<usize>,
    /// How its values are stored and where, or why they cannot be read.
    pub(super) content: Result<(Storage, Range<usize>), String>,
}

impl Header {
    /// Reads the header of a file with these bytes.
    ///
    /// # Errors
    /// It is malformed, of another version, or a tensor does not lie in the file.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, GgufError> {
        let mut cursor = Cursor::new(bytes);
        if bytes.get(..MAGIC.len()) != Some(MAGIC) {
            return Err(GgufError::Magic);
        }
        cursor.take(MAGIC.len())?;
        let version = cursor.number()?;
        if !(2..=3).contains(&version) {
            return Err(GgufError::Version { version });
        }
        let (tensors, keys) = (cursor.length()?, cursor.length()?);
        let mut header = Self::default();
        for _ in 0..keys {
            let key = cursor.text()?;
            match cursor.value()? {
                Value::Number(number) => {
                    header.numbers.insert(key.to_owned(), number);
                }
                Value::Text(text) if key == "general.architecture" => {
                    header.architecture = String::from_utf8_lossy(text).into_owned();
                }
                Value::Text(_) | Value::Other => {}
            }
        }
        let mut places = Vec::new();
        for _ in 0..tensors {
            places.push(Place::read(&mut cursor)?);
        }
        header.locate(places, (cursor.position(), bytes.len()))?;
        Ok(header)
    }

    /// A whole number.
    pub(super) fn number(&self, key: &str) -> Option<u64> {
        self.numbers.get(key).copied()
    }

    /// Takes up the tensors, which begin after the header's end at the next multiple of its alignment.
    fn locate(
        &mut self,
        places: Vec<Place<'_>>,
        (end, length): (usize, usize),
    ) -> Result<(), GgufError> {
        let alignment = self.number("general.alignment").unwrap_or(ALIGNMENT);
        let alignment = usize::try_from(alignment).ok().filter(|a| *a > 0 && a.is_multiple_of(8));
        let alignment = alignment.ok_or(GgufError::Alignment)?;
        let start = end.checked_next_multiple_of(alignment).ok_or(GgufError::Alignment)?;
        for place in places {
            let name = place.name.to_owned();
            let declared = place.locate(start, alignment, length);
            let declared =
                declared.map_err(|problem| GgufError::Tensor { tensor: name.clone(), problem })?;
            if self.tensors.insert(name.clone(), declared).is_some() {
                return Err(GgufError::Tensor { tensor: name, problem: "is there twice" });
            }
        }
        Ok(())
    }
}

/// A tensor as the header describes it.
#[derive(Debug)]
struct Place<'a> {
    name: &'a str,
    shape: Vec<usize>,
    kind: u32,
    offset: usize,
}

impl<'a> Place<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, GgufError> {
        let name = cursor.text()?;
        let axes = cursor.number()?;
        if !(1..=AXES_MAX).contains(&axes) {
            let problem = "has no axis, or more than four";
            return Err(GgufError::Tensor { tensor: name.to_owned(), problem });
        }
        let shape = (0..axes).map(|_| cursor.length()).collect::<Result<Vec<_>, _>>()?;
        let shape = shape.into_iter().rev().collect();
        Ok(Self { name, shape, kind: cursor.number()?, offset: cursor.length()? })
    }

    /// Its place in a file of `length` bytes whose tensors begin at `start`.
    fn locate(
        self,
        start: usize,
        alignment: usize,
        length: usize,
    ) -> Result<Declared, &'static str> {
        let Self { shape, kind, offset, .. } = self;
        let values = shape.iter().try_fold(1_usize, |values, &axis| values.checked_mul(axis));
        let values = values.ok_or("has more values than can be counted")?;
        let storage = match Storage::of(kind) {
            Ok(storage) => storage,
            Err(reason) => return Ok(Declared { shape, content: Err(reason) }),
        };
        let bytes = storage.bytes(values, shape.last().copied().unwrap_or(0));
        let bytes = bytes.ok_or("has rows that blocks of its type do not divide")?;
        if !offset.is_multiple_of(alignment) {
            return Err("begins where no tensor may");
        }
        let first = start.checked_add(offset);
        let range = first.and_then(|first| Some(first..first.checked_add(bytes)?));
        let range = range.filter(|range| range.end <= length);
        let range = range.ok_or("ends beyond the end of the file: is the file complete?")?;
        Ok(Declared { shape, content: Ok((storage, range)) })
    }
}
