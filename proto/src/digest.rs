//! BLAKE3 digests: the identity of models, corpora, specs and results. Not a security boundary.

use std::fmt;
use std::str::FromStr;

use crate::parse::ParseError;
use crate::serde_by_spelling;

/// A BLAKE3 digest of 32 bytes, spelled as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The digest whose bytes these are, if there are 32 of them.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<blake3::Hash> for Digest {
    fn from(hash: blake3::Hash) -> Self {
        Self(*hash.as_bytes())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        blake3::Hash::from_hex(text)
            .map(Self::from)
            .map_err(|_| ParseError::new("digest", text, "64 hexadecimal digits"))
    }
}

serde_by_spelling!(Digest);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_round_trips() {
        let digest = Digest::of(b"abc");
        assert!(digest.to_string().starts_with("6437b3ac38465133ffb63b75273a8db5"));
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert!("6437".parse::<Digest>().is_err());
    }
}
