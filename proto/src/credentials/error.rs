//! Why credentials cannot be used, and what to do about it. Not why a coordinator refuses them.

use std::io;
use std::path::PathBuf;

use thiserror::Error;
use tokio_rustls::rustls;

use super::token::Token;

/// Why certificates, a token or an address cannot be used.
#[derive(Debug, Error)]
pub enum CredentialsError {
    /// A file is missing or cannot be read.
    #[error(
        "cannot read {path}; babelquant certs writes certificates and keys, see its help for who needs which"
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file holds no PEM of the kind that it should.
    #[error("{path} holds no {what} in PEM")]
    Pem {
        /// The file.
        path: PathBuf,
        /// Certificate or private key.
        what: &'static str,
    },
    /// The files do not fit together, or TLS has no use for them.
    #[error("the certificates of {path} cannot be used")]
    Tls {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: rustls::Error,
    },
    /// The folder has no certificate for this program.
    #[error(
        "{folder} has no certificate to show: it needs one of {names:?} with its key, or pass --token-file FILE"
    )]
    NoCertificate {
        /// The folder.
        folder: PathBuf,
        /// The files that would do.
        names: Vec<PathBuf>,
    },
    /// A file does not hold exactly one token.
    #[error(
        "{path} holds no token: it must be one word of at least {} visible ASCII characters",
        Token::CHARACTERS_MIN
    )]
    Token {
        /// The file.
        path: PathBuf,
    },
    /// An https address without the certificates to check it.
    #[error("{url} is encrypted: pass --tls DIR, a folder with the ca.pem of its coordinator")]
    NoFolder {
        /// The address.
        url: String,
    },
    /// Certificates for an address that is not encrypted.
    #[error(
        "{url} is not encrypted, so that nobody would look at the certificates of --tls: write https://"
    )]
    NotEncrypted {
        /// The address.
        url: String,
    },
    /// The address is no URL.
    #[error("{url:?} is no coordinator address; expected http://HOST:PORT or https://HOST:PORT")]
    Address {
        /// What was given.
        url: String,
    },
}
