//! Who may call which method: the one place that decides. What it does not know, nobody may call.

use babelquant_proto::credentials::Caller;
use thiserror::Error;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Denial {
    /// The caller showed nothing.
    #[error("no certificate and no token was shown")]
    NoCredentials,
    /// The certificate was good when the connection was opened.
    #[error("the certificate has expired")]
    ExpiredCertificate,
    /// The certificate is good, but says nothing about what its owner may do.
    #[error("the certificate names no role: its subject alternative names lack a URI such as {}", Caller::Worker.uri())]
    NoRole,
    /// Nobody has this token.
    #[error("the token is unknown")]
    UnknownToken,
    /// The token was good once.
    #[error("the token of role {caller} was good until {}", moment(.until))]
    ExpiredToken {
        /// Whose it is.
        caller: Caller,
        /// The end of its time.
        until: OffsetDateTime,
    },
    /// The caller is known and may not do this.
    #[error("the role {caller} may not call {method}")]
    Role {
        /// Who calls.
        caller: Caller,
        /// What.
        method: String,
    },
}

impl Denial {
    /// Whether the caller is unknown, rather than known and not allowed.
    pub(crate) fn is_unknown_caller(&self) -> bool {
        match self {
            Self::NoCredentials
            | Self::ExpiredCertificate
            | Self::UnknownToken
            | Self::ExpiredToken { .. } => true,
            Self::NoRole | Self::Role { .. } => false,
        }
    }

    /// The role of a caller that is known.
    pub(crate) fn caller(&self) -> Option<Caller> {
        match self {
            Self::ExpiredToken { caller, .. } | Self::Role { caller, .. } => Some(*caller),
            Self::NoCredentials | Self::ExpiredCertificate | Self::NoRole | Self::UnknownToken => {
                None
            }
        }
    }
}

fn moment(time: &OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_else(|_| time.to_string())
}

/// The method that shows everything and changes nothing: what a page is.
pub(crate) const WATCH: &str = "/babelquant.v1.Admin/Watch";

/// Whether `caller` may call the method with this path.
pub(crate) fn authorise(method: &str, caller: Caller) -> Result<(), Denial> {
    let may = match method.rsplit_once('/') {
        Some(("/babelquant.v1.Coordinator", _)) => caller == Caller::Worker,
        Some(("/babelquant.v1.Admin", "Status" | "Watch")) => true,
        Some(("/grpc.health.v1.Health", _)) => true,
        Some(("/babelquant.v1.Admin", _)) => caller == Caller::Admin,
        _ => false,
    };
    if may { Ok(()) } else { Err(Denial::Role { caller, method: method.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_do_its_own_and_nobody_what_is_unknown() {
        let may = |method: &str| Caller::ALL.map(|caller| authorise(method, caller).is_ok());
        let [worker, all, admin, nobody] =
            [[true, false, false], [true; 3], [false, true, false], [false; 3]];
        for (method, expected) in [
            ("/babelquant.v1.Coordinator/Register", worker),
            ("/babelquant.v1.Coordinator/Sync", worker),
            ("/babelquant.v1.Admin/Status", all),
            ("/babelquant.v1.Admin/Watch", all),
            ("/babelquant.v1.Admin/Drain", admin),
            ("/babelquant.v1.Admin/AnythingElse", admin),
            ("/babelquant.v1.Admin/Status/", nobody),
            ("/babelquant.v1.Admin//Status", nobody),
            ("//babelquant.v1.Admin/Status", nobody),
            ("/babelquant.v1.admin/Status", nobody),
            ("/babelquant.v2.Coordinator/Sync", nobody),
            ("/grpc.health.v1.Health/Check", all),
            ("/", nobody),
            ("", nobody),
        ] {
            assert_eq!(may(method), expected, "{method}");
        }
    }
}
