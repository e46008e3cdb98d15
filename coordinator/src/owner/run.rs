//! What a service serves, and how it becomes an output's: by the first worker, or by an earlier run whose results are taken over.

use std::sync::Arc;

use babelquant_proto::{EngineClass, Spec};

use super::Options;
use crate::live::Live;
use crate::scheduler::Record;
use crate::store::{Earlier, Output, RunFile, Store, StoreError};
use crate::study::{Registration, Texts};

/// What a service serves.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) study: String,
    pub(crate) spec: Arc<Spec>,
    pub(crate) texts: Texts,
    pub(crate) registration: Registration,
    pub(crate) output: Output,
    pub(crate) options: Options,
    pub(crate) live: Arc<Live>,
    /// The run whose results are taken over.
    pub(crate) earlier: Option<Earlier>,
}

impl Run {
    /// Makes an engine class the run's, in an output that is nobody's yet.
    pub(super) async fn claim(&self, engine_class: &EngineClass) -> Result<RunFile, StoreError> {
        let spec = self.spec.as_ref();
        let run_file = RunFile {
            study: self.study.clone(),
            spec_digest: spec.digest().expect("a spec is JSON: it was read or made as such"),
            engine_class: engine_class.clone(),
            spec: spec.clone(),
            registration: self.registration.clone(),
            reused: self.earlier.as_ref().map(Earlier::spec_digest),
        };
        self.output.claim(&run_file).await.map(|()| run_file)
    }

    /// Takes over what the earlier run says, if there is one. Returns the run's file, now that its engine class is known, and the records.
    pub(super) async fn take_over(
        &self,
        store: &mut Store,
        known: Option<RunFile>,
    ) -> Result<(Option<RunFile>, Vec<Record>), StoreError> {
        let Some(earlier) = &self.earlier else { return Ok((known, Vec::new())) };
        let from = earlier.location();
        let theirs = earlier.engine_class();
        let run_file = match known {
            None => self.claim(theirs).await?,
            Some(run_file) if run_file.engine_class == *theirs => run_file,
            Some(run_file) => {
                return Err(StoreError::Unusable {
                    location: from.to_owned(),
                    reason: format!(
                        "engine class {theirs} made it, and this run uses {}",
                        run_file.engine_class
                    ),
                });
            }
        };
        tracing::info!(from, "taking over results");
        let taken = store.take_over(earlier).await?;
        match (taken.len(), earlier.obstacle(&self.spec)) {
            (0, Some(obstacle)) => tracing::warn!(from, "no result can be taken over: {obstacle}"),
            (units, _) => tracing::info!(from, units, of = self.spec.units(), "results taken over"),
        }
        Ok((Some(run_file), taken.into_iter().map(|unit| Record::Done { unit }).collect()))
    }
}
