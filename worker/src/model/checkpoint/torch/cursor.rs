//! Numbers and texts in a pickle, one after the other. Not what they mean.

use super::TorchError;

/// Longest pickle: a state dict takes some 200 bytes a tensor, so this is room for 80 000 of them in one file.
const PICKLE_BYTES_MAX: usize = 16 << 20;

/// A place in a pickle.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    /// The beginning of a pickle, after which other things may follow.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: &bytes[..bytes.len().min(PICKLE_BYTES_MAX)], position: 0 }
    }

    /// How many bytes were taken.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// An error here.
    pub(super) fn malformed(&self, problem: &'static str) -> TorchError {
        TorchError::Malformed { position: self.position, problem }
    }

    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], TorchError> {
        let rest = &self.bytes[self.position..];
        let taken = rest.get(..count).ok_or_else(|| {
            self.malformed("it ends too early or is longer than any state dict's")
        })?;
        self.position += count;
        Ok(taken)
    }

    /// The next byte.
    pub(super) fn byte(&mut self) -> Result<u8, TorchError> {
        Ok(self.take(1)?[0])
    }

    /// A little-endian number of at most 4 bytes.
    pub(super) fn unsigned(&mut self, bytes: usize) -> Result<i64, TorchError> {
        Ok(self.take(bytes)?.iter().rev().fold(0, |number, &byte| number << 8 | i64::from(byte)))
    }

    /// A little-endian number of at most 8 bytes in two's complement.
    pub(super) fn signed(&mut self, bytes: usize) -> Result<i64, TorchError> {
        let taken = self.take(bytes)?;
        let sign = if taken.last().is_some_and(|&byte| byte >= 0x80) { -1 } else { 0 };
        Ok(taken.iter().rev().fold(sign, |number, &byte| number << 8 | i64::from(byte)))
    }

    /// A length, in so many bytes.
    pub(super) fn length(&mut self, bytes: usize) -> Result<usize, TorchError> {
        let number = self.unsigned(bytes)?;
        usize::try_from(number).map_err(|_| self.malformed("it has a length that is no length"))
    }

    /// A text after its length, which is a number of so many bytes.
    pub(super) fn text(&mut self, length_bytes: usize) -> Result<&'a str, TorchError> {
        let length = self.length(length_bytes)?;
        let text = std::str::from_utf8(self.take(length)?);
        text.map_err(|_| self.malformed("it has a text that is not UTF-8"))
    }

    /// A text up to the end of its line.
    pub(super) fn line(&mut self) -> Result<&'a str, TorchError> {
        let rest = &self.bytes[self.position..];
        let end = rest.iter().position(|&byte| byte == b'\n');
        let end = end.ok_or_else(|| self.malformed("it ends within a name"))?;
        let line = &self.take(end + 1)?[..end];
        std::str::from_utf8(line).map_err(|_| self.malformed("it has a name that is not UTF-8"))
    }
}
