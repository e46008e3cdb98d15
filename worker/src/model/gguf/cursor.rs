//! Numbers and texts in the header of a GGUF file, one after the other. Not what they mean.

use super::GgufError;

/// A place in a header.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

/// Values of values of values: what no header that we know of has.
const DEPTH_MAX: usize = 3;

impl<'a> Cursor<'a> {
    /// The beginning of a file.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// How many bytes were taken.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// An error here.
    pub(super) fn malformed(&self, problem: &'static str) -> GgufError {
        GgufError::Malformed { position: self.position, problem }
    }

    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], GgufError> {
        let taken = self.bytes[self.position..].get(..count);
        let taken = taken.ok_or_else(|| self.malformed("it ends within its header"))?;
        self.position += count;
        Ok(taken)
    }

    /// The next N bytes.
    fn array<const N: usize>(&mut self) -> Result<[u8; N], GgufError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// A number of 4 bytes.
    pub(super) fn number(&mut self) -> Result<u32, GgufError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// A number of 8 bytes.
    pub(super) fn long(&mut self) -> Result<u64, GgufError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A length or a size, in 8 bytes.
    pub(super) fn length(&mut self) -> Result<usize, GgufError> {
        let length = self.long()?;
        usize::try_from(length).map_err(|_| self.malformed("it has a length that is no length"))
    }

    /// A text after its length.
    pub(super) fn text(&mut self) -> Result<&'a str, GgufError> {
        let length = self.length()?;
        let text = std::str::from_utf8(self.take(length)?);
        text.map_err(|_| self.malformed("it has a text that is not UTF-8"))
    }

    /// A value after its type.
    pub(super) fn value(&mut self) -> Result<Value<'a>, GgufError> {
        let kind = self.number()?;
        self.value_of(kind, 0)
    }

    fn value_of(&mut self, kind: u32, depth: usize) -> Result<Value<'a>, GgufError> {
        Ok(match kind {
            0 | 7 => Value::Number(self.array::<1>()?[0].into()),
            2 => Value::Number(u16::from_le_bytes(self.array()?).into()),
            4 => Value::Number(self.number()?.into()),
            5 => self.signed(4)?,
            10 => Value::Number(self.long()?),
            11 => self.signed(8)?,
            8 => {
                let length = self.length()?;
                Value::Text(self.take(length)?)
            }
            9 => {
                self.skip_values(depth + 1)?;
                Value::Other
            }
            other => {
                let size = size(other)
                    .ok_or_else(|| self.malformed("it has a value of a type that GGUF lacks"))?;
                self.take(size)?;
                Value::Other
            }
        })
    }

    /// A number in two's complement of so many bytes; one below 0 is none that matters.
    fn signed(&mut self, bytes: usize) -> Result<Value<'a>, GgufError> {
        let taken = self.take(bytes)?;
        let magnitude =
            taken.iter().rev().fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
        let negative = taken.last().is_some_and(|&byte| byte >= 0x80);
        Ok(if negative { Value::Other } else { Value::Number(magnitude) })
    }

    /// The values of a list: tokens and merges, which are many and none of ours.
    fn skip_values(&mut self, depth: usize) -> Result<(), GgufError> {
        if depth > DEPTH_MAX {
            return Err(self.malformed("it has lists of lists of lists"));
        }
        let kind = self.number()?;
        let count = self.length()?;
        if let Some(size) = size(kind) {
            let bytes = count.checked_mul(size);
            let bytes = bytes.ok_or_else(|| self.malformed("it has a list that is too long"))?;
            return self.take(bytes).map(|_| ());
        }
        // Texts and lists take eight bytes and more each, so that the file bounds how many there are.
        (0..count).try_for_each(|_| self.value_of(kind, depth).map(|_| ()))
    }
}

/// What the header says of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// A whole number or a Boolean.
    Number(u64),
    /// A text, of any encoding.
    Text(&'a [u8]),
    /// A fraction, a negative number or a list.
    Other,
}

/// Bytes of a value whose type has a fixed size.
fn size(kind: u32) -> Option<usize> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}
