//! Why a coordinator cannot ask who calls, and what to do about it. Not why it refuses a caller (`Denial`).

use std::path::PathBuf;

use babelquant_proto::credentials::{CredentialsError, Token};
use thiserror::Error;
use tokio_rustls::rustls::server::VerifierBuilderError;

/// Why certificates or tokens cannot be used.
#[derive(Debug, Error)]
pub enum AccessError {
    /// A file of certificates or tokens cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The authority's certificate cannot check others.
    #[error("the ca.pem of {folder} cannot check certificates")]
    Verifier {
        /// The folder.
        folder: PathBuf,
        /// The cause.
        source: VerifierBuilderError,
    },
    /// A line of a file of tokens is none.
    #[error(
        "{path}, line {line}: {reason}; expected ROLE TOKEN [until DATE], such as: worker {example} until 2027-06-30",
        example = "x".repeat(Token::CHARACTERS_MIN)
    )]
    Line {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A file of tokens has none.
    #[error("{path} holds no token, so that nobody could call: a line is ROLE TOKEN [until DATE]")]
    NoToken {
        /// The file.
        path: PathBuf,
    },
}
