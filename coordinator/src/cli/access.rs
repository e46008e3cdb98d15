//! The flags that say who may call, and as whom to call.

use std::path::PathBuf;

use babelquant_proto::credentials::{Caller, Credentials};
use clap::Args;

use super::stop::Stop;
use crate::access::Access;
use crate::serve::NetworkTrust;

/// What `serve` asks of its callers.
#[derive(Debug, Args)]
pub(super) struct Asked {
    /// Folder of certificates from `babelquant certs`: encrypt, and let in who shows one that its ca.pem has signed
    #[arg(long, value_name = "DIR", conflicts_with = "insecure")]
    tls: Option<PathBuf>,
    /// Let in who shows a token of this file; lines are ROLE TOKEN [until DATE], the role is worker, admin or reader. With --tls
    /// a caller shows either, or only a token where the folder has no ca.pem
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    token_file: Option<PathBuf>,
    /// Trust everyone who can reach the address
    #[arg(long)]
    insecure: bool,
}

impl Asked {
    /// Who is let in.
    pub(super) fn access(&self) -> Result<Access, Stop> {
        Ok(Access::read(self.tls.as_deref(), self.token_file.as_deref())?)
    }

    /// What the operator has said of the network.
    pub(super) fn trust(&self) -> NetworkTrust {
        if self.insecure { NetworkTrust::Trusted } else { NetworkTrust::Untrusted }
    }
}

/// What is shown to a coordinator.
#[derive(Debug, Args)]
pub(super) struct Shown {
    /// Folder with ca.pem and a certificate to show: reader.pem, admin.pem or worker.pem, with its key
    #[arg(long, value_name = "DIR")]
    tls: Option<PathBuf>,
    /// File with the token to show
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl Shown {
    /// The credentials of the first of these roles that the folder has.
    pub(super) fn credentials(&self, callers: &[Caller]) -> Result<Credentials, Stop> {
        Ok(Credentials::read(self.tls.as_deref(), self.token_file.as_deref(), callers)?)
    }
}
