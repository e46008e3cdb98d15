//! How a command breaks off: an exit code and what to say. The only place that turns errors into exit codes.

use babelquant_proto::credentials::CredentialsError;
use babelquant_proto::exit;
use babelquant_proto::hub::HubError;

use crate::access::AccessError;
use crate::analyse::AnalyseError;
use crate::certificates::CertificateError;
use crate::local::LocalError;
use crate::serve::ServeError;
use crate::service::AdminError;
use crate::store::{StoreError, told};
use crate::study::StudyError;

/// An exit code and its reason.
#[derive(Debug)]
pub(super) struct Stop {
    pub(super) code: u8,
    pub(super) error: anyhow::Error,
}

impl Stop {
    pub(super) fn new(code: u8, error: impl Into<anyhow::Error>) -> Self {
        Self { code, error: error.into() }
    }

    /// The error and its causes.
    pub(super) fn message(&self) -> String {
        told(&*self.error)
    }
}

impl From<StudyError> for Stop {
    fn from(error: StudyError) -> Self {
        let code = match &error {
            StudyError::Hub { source, .. } => hub_code(source),
            _ => exit::USAGE,
        };
        Self::new(code, error)
    }
}

/// What a launcher may do about a hub that does not give a model.
fn hub_code(error: &HubError) -> u8 {
    match error {
        error if error.is_transient() => exit::UNFINISHED,
        HubError::NoSpace { .. } => exit::UNFINISHED,
        HubError::Gated { .. } | HubError::Token { .. } => exit::DENIED,
        _ => exit::USAGE,
    }
}

impl From<ServeError> for Stop {
    fn from(error: ServeError) -> Self {
        Self::new(error.exit_code(), error)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        ServeError::from(error).into()
    }
}

impl From<LocalError> for Stop {
    fn from(error: LocalError) -> Self {
        Self::new(error.exit_code(), error)
    }
}

impl From<AnalyseError> for Stop {
    fn from(error: AnalyseError) -> Self {
        match error {
            AnalyseError::Store(error) => error.into(),
            AnalyseError::Hypotheses(error) => Self::new(exit::BUG, error),
            AnalyseError::Json(error) => Self::new(exit::BUG, error),
        }
    }
}

impl From<AdminError> for Stop {
    fn from(error: AdminError) -> Self {
        let code = match &error {
            AdminError::Credentials(_) | AdminError::NotFound(_) => exit::USAGE,
            AdminError::Denied { .. } => exit::DENIED,
            AdminError::Unknown { .. } => exit::MISMATCH,
            AdminError::Unreachable { .. } | AdminError::Failed { .. } => exit::UNFINISHED,
        };
        Self::new(code, error)
    }
}

impl From<CredentialsError> for Stop {
    fn from(error: CredentialsError) -> Self {
        Self::new(exit::USAGE, error)
    }
}

impl From<AccessError> for Stop {
    fn from(error: AccessError) -> Self {
        Self::new(exit::USAGE, error)
    }
}

impl From<CertificateError> for Stop {
    fn from(error: CertificateError) -> Self {
        Self::new(error.exit_code(), error)
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Self::new(exit::UNFINISHED, error)
    }
}
