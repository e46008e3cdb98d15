//! The folder of certificates: what is called what, and how it is read. Nothing is written here.

use std::fs;
use std::path::{Path, PathBuf};

use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use super::caller::Caller;
use super::error::CredentialsError;
use super::{CertificateDer, Chain};

/// Whose certificate a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// The authority that signs the others.
    Authority,
    /// The coordinator.
    Coordinator,
    /// Who calls it.
    Caller(Caller),
}

impl Name {
    /// Its certificate's file, such as `worker.pem`.
    pub fn certificate(self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.pem", self.stem()))
    }

    /// Its private key's file, such as `worker-key.pem`.
    pub fn key(self, folder: &Path) -> PathBuf {
        folder.join(format!("{}-key.pem", self.stem()))
    }

    /// What both names start with.
    pub fn stem(self) -> String {
        match self {
            Self::Authority => "ca".to_owned(),
            Self::Coordinator => "coordinator".to_owned(),
            Self::Caller(caller) => caller.to_string(),
        }
    }
}

/// A certificate, with those that lead to the authority, and its private key.
#[derive(Debug)]
pub struct Pair {
    /// The certificate first.
    pub chain: Chain,
    /// The key.
    pub key: PrivateKeyDer<'static>,
}

impl Pair {
    /// Reads both files of `name`.
    ///
    /// # Errors
    /// One is missing, or holds something else.
    pub fn read(folder: &Path, name: Name) -> Result<Self, CredentialsError> {
        let path = name.key(folder);
        let key = PrivateKeyDer::from_pem_slice(&read(&path)?);
        let key = key.map_err(|_| CredentialsError::Pem { path, what: "private key" })?;
        Ok(Self { chain: certificates(&name.certificate(folder))?, key })
    }
}

/// Every certificate of a file; at least one.
pub(super) fn certificates(path: &Path) -> Result<Chain, CredentialsError> {
    let bad = || CredentialsError::Pem { path: path.to_owned(), what: "certificate" };
    let text = read(path)?;
    let chain: Result<Chain, _> = CertificateDer::pem_slice_iter(&text).collect();
    chain.ok().filter(|chain| !chain.is_empty()).ok_or_else(bad)
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, CredentialsError> {
    fs::read(path).map_err(|source| CredentialsError::Read { path: path.to_owned(), source })
}
