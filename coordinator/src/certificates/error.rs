//! Why there are no certificates, and what to do about it.

use std::io;
use std::path::PathBuf;

use babelquant_proto::exit;
use thiserror::Error;

/// Why certificates cannot be made.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// A host is no name and no address.
    #[error(
        "--host {host:?} is no name and no address of a machine; write it without scheme and port"
    )]
    Host {
        /// What was given.
        host: String,
    },
    /// A file cannot be read or written.
    #[error("cannot {verb} {path}")]
    File {
        /// Read or write.
        verb: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file is there and holds something else.
    #[error("{path} is there but holds no {what} in PEM: move it away, or choose another folder")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Certificate or private key.
        what: &'static str,
    },
    /// The authority's certificate is there and its key is not.
    #[error(
        "the authority is there but not its key {path}: put the key back to sign more, or choose another folder"
    )]
    NoKey {
        /// Where the key should be.
        path: PathBuf,
    },
    /// The key is another authority's.
    #[error(
        "{path} is not the key of the ca.pem beside it: put the right one back, or choose another folder"
    )]
    OtherKey {
        /// The key.
        path: PathBuf,
    },
    /// The authority's time is over.
    #[error(
        "{path} has expired: begin anew in another folder, and give every machine the new files"
    )]
    Expired {
        /// Its certificate.
        path: PathBuf,
    },
    /// A certificate cannot be signed.
    #[error("cannot make a certificate")]
    Signing(#[from] rcgen::Error),
}

impl CertificateError {
    /// The exit code that tells a launcher what to do.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Signing(_) => exit::BUG,
            Self::Host { .. }
            | Self::File { .. }
            | Self::Damaged { .. }
            | Self::NoKey { .. }
            | Self::OtherKey { .. }
            | Self::Expired { .. } => exit::USAGE,
        }
    }
}
