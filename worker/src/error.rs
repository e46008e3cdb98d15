//! Why a worker ends, and with which exit code.

use babelquant_proto::credentials::CredentialsError;
use babelquant_proto::exit;
use thiserror::Error;

use crate::engine::DeviceError;
use crate::model::ModelError;

/// Why a worker ends before the run is complete.
#[derive(Debug, Error)]
pub enum Error {
    /// The coordinator's address or what it would be shown cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The device cannot be used.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The model cannot be read.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Version, engine class or spec do not match; retrying cannot help.
    #[error("the coordinator refused this worker: {0}")]
    Mismatch(String),
    /// Not authorised.
    #[error("the coordinator denied access: {0}")]
    Denied(String),
    /// The coordinator was out of reach for too long.
    #[error(
        "the coordinator was out of reach for {seconds} s ({cause}); unsent results are lost, run the worker again"
    )]
    GaveUp {
        /// For how long.
        seconds: u64,
        /// The last error.
        cause: String,
    },
    /// The worker was told to leave.
    #[error("stopped before the run was complete")]
    Stopped,
    /// The engine hangs.
    #[error(
        "the engine was silent over a unit for {seconds} s; --unit-timeout says how long it may be"
    )]
    Hung {
        /// For how long.
        seconds: u64,
    },
    /// The device is broken for this process; another may find it well.
    #[error("the device computes nothing more for this process ({cause}): start me again")]
    Broken {
        /// What the device said.
        cause: String,
    },
    /// The processes for several devices cannot be started.
    #[error("cannot start a process for each device")]
    Fleet(#[from] std::io::Error),
    /// The engine thread is gone.
    #[error("the engine thread ended: this is a bug")]
    EngineGone,
}

impl Error {
    /// The exit code of a worker that ends with this error.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Credentials(_) | Self::Device(_) | Self::Model(_) => exit::USAGE,
            Self::Mismatch(_) => exit::MISMATCH,
            Self::Denied(_) => exit::DENIED,
            Self::GaveUp { .. }
            | Self::Stopped
            | Self::Hung { .. }
            | Self::Broken { .. }
            | Self::Fleet(_) => exit::UNFINISHED,
            Self::EngineGone => exit::BUG,
        }
    }
}
