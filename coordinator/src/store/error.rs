//! What can go wrong with the output, by what the caller may do about it.

use babelquant_proto::rows::RowError;
use thiserror::Error;

/// An error of the store.
#[derive(Debug, Error)]
pub enum StoreError {
    /// `--out` is no place that this build can write to.
    #[error("cannot use {location} as output: {reason}")]
    Location {
        /// What was given.
        location: String,
        /// Why not.
        reason: String,
    },
    /// The storage refused: full, unreachable, not permitted. Trying again may help.
    #[error("cannot {action} {path}")]
    Unavailable {
        /// `write`, `read`, `list` or `delete`.
        action: &'static str,
        /// The object.
        path: String,
        /// The cause.
        source: object_store::Error,
    },
    /// The storage takes too long. It may answer yet.
    #[error("{location} has not answered for {seconds} s")]
    Silent {
        /// The output.
        location: String,
        /// For how long.
        seconds: f64,
    },
    /// A bucket cannot be listed: it is out of reach, or not what was meant.
    #[error("cannot list {location}{remark}")]
    Unreached {
        /// The output.
        location: String,
        /// What else is known.
        remark: &'static str,
        /// The cause.
        source: object_store::Error,
    },
    /// A bucket refuses the keys.
    #[error(
        "{location} refuses the keys: look at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; they must be allowed to \
         list the bucket, and to get, put and delete its objects"
    )]
    Denied {
        /// The output.
        location: String,
        /// The cause.
        source: object_store::Error,
    },
    /// An object that must never change has other content.
    #[error(
        "{path} is there already with other content: somebody changed it, or another build of babelquant wrote it; move it away and start again: \
         what belongs there is written anew"
    )]
    Conflict {
        /// The object.
        path: String,
    },
    /// An object is not what its name says.
    #[error("{path} is damaged: {reason}")]
    Damaged {
        /// The object.
        path: String,
        /// Why.
        reason: String,
    },
    /// The output belongs to another measurement.
    #[error(
        "the output holds another study: {difference}; choose another --out, or go back to the study that it was started with"
    )]
    OtherStudy {
        /// Where the specs differ first.
        difference: String,
    },
    /// The output's hypotheses are others.
    #[error(
        "the output is held to other hypotheses: {difference}; they were registered before its first unit and cannot change: go back to \
         them, or choose another --out"
    )]
    OtherHypotheses {
        /// Where they differ first.
        difference: String,
    },
    /// The output was begun by workers of one engine class, and others are wanted now.
    #[error(
        "the run was begun with engine class {run} alone, and its rows are held to that: leave out --mixed-engines, or choose another --out"
    )]
    OneEngine {
        /// The run's.
        run: String,
    },
    /// The output was measured by another engine class.
    #[error(
        "the run uses engine class {run}, this worker has {worker}: their last bits differ; a run of several begins with serve \
         --mixed-engines"
    )]
    OtherEngine {
        /// The run's.
        run: String,
        /// The worker's.
        worker: String,
    },
    /// Another coordinator took the output over.
    #[error("another coordinator has taken over this output (epoch {epoch}): this one stops")]
    Superseded {
        /// Its epoch.
        epoch: u32,
    },
    /// There is no run to read.
    #[error("{location} holds no run: there is no run.json")]
    NoRun {
        /// The output.
        location: String,
    },
    /// The run cannot be reused.
    #[error("cannot take over results from {location}: {reason}")]
    Unusable {
        /// The earlier output.
        location: String,
        /// Why not.
        reason: String,
    },
    /// Rows do not convert.
    #[error("rows of {path}")]
    Rows {
        /// The object.
        path: String,
        /// The cause.
        source: RowError,
    },
    /// A task of the runtime broke: a bug.
    #[error("a background task broke")]
    Task(#[from] tokio::task::JoinError),
}

/// An error and its causes in one line. A cause that the one above it repeats is not said again: storages do so at every level.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text += &format!(": {said}");
        }
        next = cause.source();
    }
    text
}

impl StoreError {
    /// The error of an object that its reader refuses.
    pub(super) fn damaged(path: &str, reason: &impl ToString) -> Self {
        Self::Damaged { path: path.to_owned(), reason: reason.to_string() }
    }

    /// True where trying again may help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Silent { .. })
    }

    /// True where nothing but other arguments can help.
    pub fn is_mismatch(&self) -> bool {
        matches!(
            self,
            Self::OtherStudy { .. }
                | Self::OtherHypotheses { .. }
                | Self::OneEngine { .. }
                | Self::OtherEngine { .. }
                | Self::Unusable { .. }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let inner = anyhow::anyhow!("os error 111").context("connection refused");
        let error = inner.context("GET: connection refused").context("cannot list s3://b");
        let text = told(&*error);
        assert_eq!(text, "cannot list s3://b: GET: connection refused: os error 111");
    }
}
