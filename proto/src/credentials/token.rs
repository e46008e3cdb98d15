//! A token: a secret word that says who calls. Its text is shown to nobody but the coordinator.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use tonic::metadata::{Ascii, MetadataValue};

use super::error::CredentialsError;
use super::pem::read;

/// A secret word.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Characters that a token has at least: fewer can be guessed.
    pub const CHARACTERS_MIN: usize = 16;

    /// The one token of a file.
    ///
    /// # Errors
    /// The file cannot be read, or holds anything but one token.
    pub fn read(path: &Path) -> Result<Self, CredentialsError> {
        let text = String::from_utf8_lossy(&read(path)?).into_owned();
        text.trim().parse().map_err(|()| CredentialsError::Token { path: path.to_owned() })
    }

    /// The token that a call's `authorization` carries.
    pub fn from_header(value: &[u8]) -> Option<Self> {
        str::from_utf8(value).ok()?.strip_prefix("Bearer ")?.parse().ok()
    }

    /// The `authorization` of a call, marked so that logs leave it out.
    pub(super) fn header(&self) -> MetadataValue<Ascii> {
        let text = format!("Bearer {}", self.0);
        let mut value: MetadataValue<Ascii> =
            text.parse().expect("a token is visible ASCII, by its construction");
        value.set_sensitive(true);
        value
    }

    /// Its bytes, to be hashed.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl FromStr for Token {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        let is_long = text.len() >= Self::CHARACTERS_MIN;
        if is_visible && is_long { Ok(Self(text.to_owned())) } else { Err(()) }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_visible_and_not_shown() {
        let token: Token = "0123456789abcdef".parse().unwrap();
        assert!(!format!("{token:?} {:?}", token.header()).contains("0123"));
        assert_eq!(Token::from_header(token.header().as_encoded_bytes()), Some(token));
        for bad in ["", "short", "with a space in it", "0123456789abcdeß", "0123456789\nabcdef"] {
            assert_eq!(bad.parse::<Token>(), Err(()), "{bad}");
        }
        assert_eq!(Token::from_header(b"Basic 0123456789abcdef"), None);
    }
}
