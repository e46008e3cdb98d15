//! The authority of a folder: made once, and never again while a file of it is there.

use std::path::Path;

use babelquant_proto::Keep;
use babelquant_proto::credentials::Name;
use rcgen::{
    BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData,
};
use time::{Duration, OffsetDateTime};

use super::files::{certificate, load_key, load_or_make_key, write};
use super::{CertificateError, Issued, SKEW, common_name};

/// Days that an authority is good for.
const DAYS: i64 = 3650;

/// An authority that can sign.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    until: OffsetDateTime,
}

impl Authority {
    /// The authority of `folder`, made where there is none, and what became of it.
    pub(super) fn open(
        folder: &Path,
        now: OffsetDateTime,
    ) -> Result<(Self, Issued), CertificateError> {
        let name = Name::Authority;
        let (certificate_path, key_path) = (name.certificate(folder), name.key(folder));
        if let Some(facts) = certificate(&certificate_path)? {
            let key = load_key(&key_path)?
                .ok_or_else(|| CertificateError::NoKey { path: key_path.clone() })?;
            if key.subject_public_key_info() != facts.public_key {
                return Err(CertificateError::OtherKey { path: key_path });
            }
            let issuer = Issuer::from_ca_cert_pem(&facts.pem, key)?;
            return Ok((Self { issuer, until: facts.until }, facts.kept(name)));
        }
        let key = load_or_make_key(&key_path)?;
        // A name of its own, so that a certificate of another authority is told from a forged one.
        let mark = blake3::hash(&key.subject_public_key_info()).to_hex();
        let until = now + Duration::days(DAYS);
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(&format!("babelquant authority {}", &mark[..8]));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = now - SKEW;
        params.not_after = until;
        let pem = params.self_signed(&key)?.pem();
        write(&certificate_path, &pem, Keep::Existing)?;
        let issued = Issued { name, is_new: true, until, hosts: Vec::new() };
        Ok((Self { issuer: Issuer::new(params, key), until }, issued))
    }

    /// The last moment that it is good for.
    pub(super) fn until(&self) -> OffsetDateTime {
        self.until
    }

    /// A certificate in PEM.
    pub(super) fn sign(
        &self,
        params: &CertificateParams,
        key: &KeyPair,
    ) -> Result<String, CertificateError> {
        Ok(params.signed_by(key, &self.issuer)?.pem())
    }
}
