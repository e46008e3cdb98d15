//! Why a repository cannot be had, and what to do about it. Not why a directory is no model (`ModelError`).

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::model::ModelError;

/// Why a model cannot be had from a hub.
#[derive(Debug, Error)]
pub enum HubError {
    /// The name of a repository or revision is none.
    #[error("{name:?} is no {what}: {expected}")]
    Name {
        /// Repository or revision.
        what: &'static str,
        /// What was given.
        name: String,
        /// How one is spelled.
        expected: &'static str,
    },
    /// The hub has no such repository, or does not show it.
    #[error(
        "{endpoint} has no repository {repository}, or it is private; check the spelling (owner/name), set HF_TOKEN if it \
         is private, or name a local directory"
    )]
    NoRepository {
        /// The repository.
        repository: String,
        /// The hub.
        endpoint: String,
    },
    /// The repository has no such branch, tag or commit.
    #[error(
        "{repository} has no revision {revision:?}; name a branch, a tag or a commit (main is the usual one)"
    )]
    NoRevision {
        /// The repository.
        repository: String,
        /// The revision.
        revision: String,
    },
    /// The repository's licence must be accepted first.
    #[error(
        "{repository} is gated; accept its licence at {endpoint}/{repository} and set HF_TOKEN to a token of that account"
    )]
    Gated {
        /// The repository.
        repository: String,
        /// The hub.
        endpoint: String,
    },
    /// The hub does not know the token.
    #[error(
        "{endpoint} refuses the token; set HF_TOKEN to a valid one ({endpoint}/settings/tokens), or unset it"
    )]
    Token {
        /// The hub.
        endpoint: String,
    },
    /// The repository holds no model that can be read here.
    #[error("{repository} at {commit} holds no {expected}; name another repository or revision")]
    NoModel {
        /// The repository.
        repository: String,
        /// The commit.
        commit: String,
        /// The files of which one should be there.
        expected: String,
    },
    /// Offline, and the cache lacks it.
    #[error(
        "{repository} at {revision} is not complete in {cache} and HF_HUB_OFFLINE is set; download it once without, or name \
         a local directory"
    )]
    NotCached {
        /// The repository.
        repository: String,
        /// The revision.
        revision: String,
        /// The cache folder.
        cache: PathBuf,
    },
    /// The hub does not answer.
    #[error(
        "cannot reach {url}; check the network, HF_ENDPOINT and HTTPS_PROXY, or name a local directory"
    )]
    Unreachable {
        /// What was asked for.
        url: String,
        /// The cause.
        source: Box<ureq::Error>,
    },
    /// The hub answers with a failure of its own.
    #[error("{url} answers {status} {message}; try again later")]
    Status {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What the hub says.
        message: String,
    },
    /// The hub's answer makes no sense.
    #[error("{url} answers {reason}; is HF_ENDPOINT a Hugging Face hub?")]
    Answer {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A transfer broke off.
    #[error("{file} broke off after {done} of {total} bytes; run again to fetch the rest")]
    Interrupted {
        /// The file.
        file: String,
        /// Bytes that are kept.
        done: u64,
        /// Bytes of the whole.
        total: u64,
        /// The cause.
        source: io::Error,
    },
    /// What arrived is not what the hub announced.
    #[error("{file} arrived with {reason}; it was thrown away, run again to fetch it anew")]
    Corrupt {
        /// The file.
        file: String,
        /// What differs.
        reason: String,
    },
    /// The disk is full.
    #[error("no space left for {path}; free some, or set HF_HUB_CACHE to a folder of another disk")]
    NoSpace {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The cache cannot be written.
    #[error("cannot write {path}; set HF_HUB_CACHE to a folder that can be written")]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The index of the weights makes no sense.
    #[error("the index of the weights is unusable")]
    Index(#[from] ModelError),
}

impl HubError {
    /// True where a later attempt may succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Interrupted { .. } | Self::Corrupt { .. } => true,
            Self::Status { status, .. } => matches!(status, 408 | 429 | 500..),
            Self::Name { .. }
            | Self::NoRepository { .. }
            | Self::NoRevision { .. }
            | Self::Gated { .. }
            | Self::Token { .. }
            | Self::NoModel { .. }
            | Self::NotCached { .. }
            | Self::Answer { .. }
            | Self::NoSpace { .. }
            | Self::Write { .. }
            | Self::Index(_) => false,
        }
    }

    pub(super) fn write(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            Self::NoSpace { path, source }
        } else {
            Self::Write { path, source }
        }
    }
}
