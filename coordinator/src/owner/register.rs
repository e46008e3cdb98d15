//! A worker's introduction: the first one makes its engine class the run's, others must have the same unless the run takes any. Not its Syncs.

use std::time::Duration;

use babelquant_proto::WIRE_MAJOR;
use babelquant_proto::message::{Hello, Session, Welcome};
use tokio::sync::oneshot;

use super::{Owner, Refusal};
use crate::scheduler::Input;
use crate::store::{StoreError, check_engine};

impl Owner {
    /// Answers a worker that introduces itself.
    pub(super) async fn answer_register(
        &mut self,
        hello: Hello,
        reply: oneshot::Sender<Result<Welcome, Refusal>>,
    ) -> Result<(), StoreError> {
        let worker = hello.name.clone();
        let welcome = match self.register(hello).await {
            Err(Refusal::Storage(error)) if !error.is_transient() => return Err(error),
            welcome => welcome,
        };
        if let Err(refusal) = &welcome {
            tracing::warn!(worker, %refusal, "a worker was refused");
        }
        drop(reply.send(welcome));
        Ok(())
    }

    async fn register(&mut self, hello: Hello) -> Result<Welcome, Refusal> {
        if hello.wire_major != WIRE_MAJOR {
            return Err(Refusal::Wire(hello.wire_major));
        }
        if self.draining.is_some() {
            return Err(Refusal::Leaving);
        }
        self.claim(&hello).await?;
        let session = Session(self.next_session);
        self.next_session += 1;
        let (worker, engine) = (&hello.name, &hello.engine_class);
        tracing::info!(worker, session = session.0, %engine, "a worker joined");
        let now = self.listened;
        let engine = self.is_mixed().then(|| engine.to_string());
        self.classes.insert(session, hello.engine_class);
        let (worker, memory) = (hello.name, hello.memory_bytes);
        self.scheduler.step(now, Input::Join { session, worker, memory, engine });
        let milliseconds = |duration: Duration| duration.as_millis() as u32;
        Ok(Welcome {
            session,
            spec: self.run.spec.as_ref().clone(),
            lease_ms: milliseconds(self.run.options.lease),
            sync_ms: milliseconds(self.run.options.sync),
        })
    }

    /// Makes the first worker's engine class the run's, and refuses others.
    async fn claim(&mut self, hello: &Hello) -> Result<(), Refusal> {
        if let Some(run_file) = &self.run_file {
            return check_engine(run_file, &hello.engine_class).map_err(Refusal::Engine);
        }
        let patience = self.run.options.silence();
        let claimed = tokio::time::timeout(patience, self.run.claim(&hello.engine_class)).await;
        let claimed = claimed.unwrap_or_else(|_| Err(self.run.output.silent(patience)));
        let run_file = claimed.map_err(|error| match error.is_mismatch() {
            true => Refusal::Engine(error),
            false => Refusal::Storage(error),
        })?;
        self.run_file = Some(run_file);
        Ok(())
    }
}
