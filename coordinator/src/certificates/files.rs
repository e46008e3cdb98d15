//! The files of a folder of certificates: what is there already, and how a new one appears whole. Private keys are for their
//! owner alone.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use babelquant_proto::credentials::Name;
use babelquant_proto::{Keep, put_whole};
use rcgen::KeyPair;
use time::OffsetDateTime;
use x509_parser::pem::parse_x509_pem;

use super::hosts::Hosts;
use super::{CertificateError, Issued};

/// What a certificate that is there says.
pub(super) struct Facts {
    pub(super) pem: String,
    /// DER of its SubjectPublicKeyInfo.
    pub(super) public_key: Vec<u8>,
    pub(super) until: OffsetDateTime,
    pub(super) hosts: Hosts,
}

impl Facts {
    /// That it stays as it is.
    pub(super) fn kept(self, name: Name) -> Issued {
        Issued { name, is_new: false, until: self.until, hosts: self.hosts.list() }
    }
}

/// The certificate at `path`, where there is one.
pub(super) fn certificate(path: &Path) -> Result<Option<Facts>, CertificateError> {
    let Some(pem) = read(path)? else { return Ok(None) };
    let damaged = || CertificateError::Damaged { path: path.to_owned(), what: "certificate" };
    let (_, block) = parse_x509_pem(pem.as_bytes()).map_err(|_| damaged())?;
    let certificate = block.parse_x509().map_err(|_| damaged())?;
    let until = certificate.validity().not_after.to_datetime();
    let public_key = certificate.public_key().raw.to_vec();
    let hosts = Hosts::of(&certificate);
    Ok(Some(Facts { public_key, until, hosts, pem }))
}

/// The key at `path`, where there is one.
pub(super) fn load_key(path: &Path) -> Result<Option<KeyPair>, CertificateError> {
    let damaged = |_| CertificateError::Damaged { path: path.to_owned(), what: "private key" };
    read(path)?.map(|pem| KeyPair::from_pem(&pem).map_err(damaged)).transpose()
}

/// The key at `path`; a new one where there is none.
pub(super) fn load_or_make_key(path: &Path) -> Result<KeyPair, CertificateError> {
    if let Some(key) = load_key(path)? {
        return Ok(key);
    }
    let key = KeyPair::generate()?;
    put(path, &key.serialize_pem(), 0o600, Keep::Existing)?;
    Ok(key)
}

/// Writes a certificate.
pub(super) fn write(path: &Path, pem: &str, keep: Keep) -> Result<(), CertificateError> {
    put(path, pem, 0o644, keep)
}

/// Makes the folder, for its owner alone, where it is missing.
pub(super) fn make_folder(folder: &Path) -> Result<(), CertificateError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|source| cannot_write(folder, source))
}

fn put(path: &Path, text: &str, mode: u32, keep: Keep) -> Result<(), CertificateError> {
    put_whole(path, text, mode, keep).map_err(|source| cannot_write(path, source))
}

fn read(path: &Path) -> Result<Option<String>, CertificateError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(CertificateError::File { verb: "read", path: path.to_owned(), source }),
    }
}

fn cannot_write(path: &Path, source: io::Error) -> CertificateError {
    CertificateError::File { verb: "write", path: path.to_owned(), source }
}
