//! What a service serves, and how it becomes an output's: by the first worker, or by an earlier run whose results are taken over.

use std::sync::Arc;

use babelquant_proto::{EngineClass, Spec};

use super::Options;
use crate::blocking::Blocking;
use crate::events::Events;
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
    /// Where the scheduler's steps are written down.
    pub(crate) events: Option<Events>,
    /// Where results are checked and parts are written.
    pub(crate) blocking: Blocking,
}

impl Run {
    /// Makes an engine class the run's, in an output that is nobody's yet.
    pub(super) async fn claim(&self, engine_class: &EngineClass) -> Result<RunFile, StoreError> {
        let spec = self.spec.as_ref();
        let run_file = RunFile {
            study: self.study.clone(),
            spec_digest: spec.digest().expect("a spec is JSON: it was read or made as such"),
            engine_class: engine_class.clone(),
            mixed_engines: self.options.mixed_engines,
            spec: spec.clone(),
            registration: self.registration.clone(),
            reused: self.earlier.as_ref().map(Earlier::spec_digest),
        };
        self.output.claim(run_file).await
    }

    /// Takes over what the earlier run says, if there is one. Returns the run's file, now that its engine class is known, and the records.
    pub(super) async fn take_over(
        &self,
        store: &mut Store,
        known: Option<RunFile>,
    ) -> Result<(Option<RunFile>, Vec<Record>), StoreError> {
        let Some(earlier) = &self.earlier else { return Ok((known, Vec::new())) };
        let from = earlier.location();
        let mixed =
            known.as_ref().map_or(self.options.mixed_engines, |run_file| run_file.mixed_engines);
        if let Some(reason) = earlier.obstacle(&self.spec, mixed) {
            return Err(StoreError::Unusable { location: from.to_owned(), reason });
        }
        let run_file = match known {
            None => self.claim(earlier.engine_class()).await?,
            Some(run_file) => {
                check_earlier(&run_file, earlier)?;
                run_file
            }
        };
        tracing::info!(from, "taking over results");
        let taken = store.take_over(earlier).await?;
        let (units, of) = (taken.len(), self.spec.units());
        tracing::info!(from, units, of, "results taken over");
        Ok((Some(run_file), taken.into_iter().map(|unit| Record::Done { unit }).collect()))
    }
}

/// Refuses an earlier run that `run.json` does not name: it is written once, and nobody could tell later whose results are there.
fn check_earlier(run_file: &RunFile, earlier: &Earlier) -> Result<(), StoreError> {
    let refused = |reason: String| {
        let location = earlier.location().to_owned();
        Err(StoreError::Unusable { location, reason })
    };
    let (own, theirs) = (&run_file.engine_class, earlier.engine_class());
    if !run_file.mixed_engines && own != theirs {
        return refused(format!("engine class {theirs} made them, and this run uses {own}"));
    }
    match run_file.reused == Some(earlier.spec_digest()) {
        true => Ok(()),
        false => refused("this output was begun without them; choose another --out".to_owned()),
    }
}
