//! The names and addresses that a coordinator is called by.

use std::collections::BTreeSet;
use std::net::IpAddr;

use rcgen::SanType;
use tokio_rustls::rustls::pki_types::ServerName;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

use super::CertificateError;

/// What this machine calls itself: always among the hosts.
const OWN: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Names and addresses, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Hosts(BTreeSet<String>);

impl Hosts {
    /// The hosts of flags, and this machine's own.
    pub(super) fn parse(hosts: &[String]) -> Result<Self, CertificateError> {
        for host in hosts {
            if ServerName::try_from(host.as_str()).is_err() {
                return Err(CertificateError::Host { host: host.clone() });
            }
        }
        let own = OWN.into_iter().map(str::to_owned);
        Ok(Self(hosts.iter().map(|host| spelled(host)).chain(own).collect()))
    }

    /// The hosts that a certificate is good for.
    pub(super) fn of(certificate: &X509Certificate<'_>) -> Self {
        let names = certificate.subject_alternative_name().ok().flatten();
        let names = names.map(|names| names.value.general_names.as_slice()).unwrap_or_default();
        Self(names.iter().filter_map(host).collect())
    }

    pub(super) fn hold(&self, others: &Self) -> bool {
        self.0.is_superset(&others.0)
    }

    pub(super) fn and(self, others: &Self) -> Self {
        Self(self.0.into_iter().chain(others.0.iter().cloned()).collect())
    }

    pub(super) fn list(self) -> Vec<String> {
        self.0.into_iter().collect()
    }

    /// As a certificate names them.
    pub(super) fn names(&self) -> Result<Vec<SanType>, CertificateError> {
        let name = |host: &String| -> Result<SanType, CertificateError> {
            Ok(match host.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(host.as_str().try_into()?),
            })
        };
        self.0.iter().map(name).collect()
    }
}

/// The one spelling of a host.
fn spelled(host: &str) -> String {
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) => host.to_ascii_lowercase(),
    }
}

fn host(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from))
                .ok()
                .map(|a| a.to_string())
        }
        _ => None,
    }
}
