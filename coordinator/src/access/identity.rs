//! Who a certificate says that its owner is. That it is genuine has been checked in the handshake.

use babelquant_proto::credentials::Caller;
use time::OffsetDateTime;
use tokio_rustls::rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::Denial;

/// What a connection's certificate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Certified {
    /// There was none.
    Nobody,
    /// It names no role.
    NoRole,
    /// It names one, until a time in seconds since 1970.
    Caller(Caller, i64),
}

impl Certified {
    /// What the certificate says, where there is one.
    pub(super) fn of(certificate: Option<&CertificateDer<'_>>) -> Self {
        let Some(der) = certificate else { return Self::Nobody };
        let Ok((_, certificate)) = X509Certificate::from_der(der) else { return Self::NoRole };
        let until = certificate.validity().not_after.timestamp();
        role(&certificate).map_or(Self::NoRole, |caller| Self::Caller(caller, until))
    }

    /// The role that counts now: a connection may outlive the certificate that it was opened with.
    pub(super) fn caller(self, now: OffsetDateTime) -> Result<Caller, Denial> {
        match self {
            Self::Nobody => Err(Denial::NoCredentials),
            Self::NoRole => Err(Denial::NoRole),
            Self::Caller(_, until) if until < now.unix_timestamp() => {
                Err(Denial::ExpiredCertificate)
            }
            Self::Caller(caller, _) => Ok(caller),
        }
    }
}

fn role(certificate: &X509Certificate<'_>) -> Option<Caller> {
    let names = certificate.subject_alternative_name().ok()??;
    names.value.general_names.iter().find_map(|name| match name {
        GeneralName::URI(uri) => Caller::from_uri(uri),
        _ => None,
    })
}
