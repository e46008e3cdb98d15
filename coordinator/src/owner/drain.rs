//! The operator's wish that workers, or the coordinator itself, leave. Not how a worker leaves (its agent).

use std::collections::BTreeSet;

use babelquant_proto::message::Drain;
use glob::Pattern;

use super::{Owner, Refusal};
use crate::scheduler::Input;

impl Owner {
    /// Does what the operator wants; the answer is the names of the live workers that it is about.
    pub(super) fn drain(&mut self, drain: Drain) -> Result<Vec<String>, Refusal> {
        match drain {
            Drain::Run => {
                tracing::warn!("stopping, as the operator wants: what is done is kept");
                let now = self.now();
                self.draining.get_or_insert(now);
                Ok(self.names(|_| true))
            }
            Drain::Workers(glob) => {
                let workers = pattern(&glob)?;
                let names = self.names(|name| workers.matches(name));
                if names.is_empty() && !self.has_drained(&glob) {
                    return Err(Refusal::NoWorker { glob, live: self.names(|_| true) });
                }
                tracing::warn!(workers = glob, now = names.len(), "drained, as the operator wants");
                let now = self.listened;
                self.scheduler.step(now, Input::Drain(workers));
                Ok(names)
            }
            Drain::Undo(glob) => {
                if !self.has_drained(&glob) {
                    let drained = self.scheduler.drained().map(str::to_owned).collect();
                    return Err(Refusal::NotDrained { glob, drained });
                }
                let workers = pattern(&glob)?;
                let names = self.names(|name| workers.matches(name));
                tracing::warn!(workers = glob, "no longer drained, as the operator wants");
                let now = self.listened;
                self.scheduler.step(now, Input::Undrain(workers));
                Ok(names)
            }
        }
    }

    fn has_drained(&self, glob: &str) -> bool {
        self.scheduler.drained().any(|drained| drained == glob)
    }

    /// The names of live workers, each once, in order.
    fn names(&self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let workers = self.scheduler.presences(self.listened).map(|presence| presence.worker);
        let names: BTreeSet<&str> = workers.filter(|name| wanted(name)).collect();
        names.into_iter().map(str::to_owned).collect()
    }
}

fn pattern(glob: &str) -> Result<Pattern, Refusal> {
    Pattern::new(glob).map_err(|error| Refusal::Glob { glob: glob.to_owned(), reason: error.msg })
}
