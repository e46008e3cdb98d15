//! Makes the certificates of a coordinator and its callers: an authority of its own, and what it signs. Adds what a folder
//! lacks and replaces no key. Not who may do what (`access`).

mod authority;
mod error;
mod files;
mod hosts;

use std::path::Path;

use babelquant_proto::Keep;
use babelquant_proto::credentials::{Caller, Name};
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, SanType,
};
use time::{Duration, OffsetDateTime};

use authority::Authority;
pub use error::CertificateError;
use files::{load_or_make_key, write};
use hosts::Hosts;

/// How far before now a certificate begins: clocks differ.
const SKEW: Duration = Duration::hours(1);

/// What became of one certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// Whose it is.
    pub name: Name,
    /// Whether it was written; it was there already otherwise.
    pub is_new: bool,
    /// The last moment that it is good for.
    pub until: OffsetDateTime,
    /// The names and addresses that a coordinator's is good for.
    pub hosts: Vec<String>,
}

/// Makes what `folder` lacks: an authority, and certificates of a coordinator that is called by any of `hosts` and of each
/// role, good for `days` from `now`. A coordinator's that lacks a host is signed anew, for those that it had too.
///
/// # Errors
/// A host is none, the folder cannot be written, or what is in it does not fit together.
pub fn issue(
    folder: &Path,
    hosts: &[String],
    days: u32,
    now: OffsetDateTime,
) -> Result<Vec<Issued>, CertificateError> {
    let hosts = Hosts::parse(hosts)?;
    files::make_folder(folder)?;
    let (authority, first) = Authority::open(folder, now)?;
    let until = (now + Duration::days(days.into())).min(authority.until());
    if until <= now {
        return Err(CertificateError::Expired { path: Name::Authority.certificate(folder) });
    }
    let signing = Signing { folder, authority: &authority, now, until };
    let mut issued = vec![first, signing.coordinator(&hosts)?];
    for caller in Caller::ALL {
        issued.push(signing.caller(caller)?);
    }
    Ok(issued)
}

/// What every certificate of one run has in common.
struct Signing<'a> {
    folder: &'a Path,
    authority: &'a Authority,
    now: OffsetDateTime,
    until: OffsetDateTime,
}

impl Signing<'_> {
    fn coordinator(&self, wanted: &Hosts) -> Result<Issued, CertificateError> {
        let name = Name::Coordinator;
        let existing = files::certificate(&name.certificate(self.folder))?;
        let had = existing.as_ref().map(|facts| facts.hosts.clone()).unwrap_or_default();
        if let Some(facts) = existing.filter(|facts| facts.hosts.hold(wanted)) {
            return Ok(facts.kept(name));
        }
        let hosts = had.and(wanted);
        let usage = ExtendedKeyUsagePurpose::ServerAuth;
        self.sign(name, hosts.names()?, usage)?;
        Ok(Issued { name, is_new: true, until: self.until, hosts: hosts.list() })
    }

    fn caller(&self, caller: Caller) -> Result<Issued, CertificateError> {
        let name = Name::Caller(caller);
        if let Some(facts) = files::certificate(&name.certificate(self.folder))? {
            return Ok(facts.kept(name));
        }
        let role = vec![SanType::URI(caller.uri().try_into()?)];
        self.sign(name, role, ExtendedKeyUsagePurpose::ClientAuth)?;
        Ok(Issued { name, is_new: true, until: self.until, hosts: Vec::new() })
    }

    fn sign(
        &self,
        name: Name,
        names: Vec<SanType>,
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<(), CertificateError> {
        let key: KeyPair = load_or_make_key(&name.key(self.folder))?;
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(&format!("babelquant {}", name.stem()));
        params.subject_alt_names = names;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        params.not_before = self.now - SKEW;
        params.not_after = self.until;
        let certificate = self.authority.sign(&params, &key)?;
        write(&name.certificate(self.folder), &certificate, Keep::Nothing)
    }
}

fn common_name(name: &str) -> rcgen::DistinguishedName {
    let mut names = rcgen::DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

#[cfg(test)]
mod tests;
