//! The agent: keeps the coordinator informed and the engine busy. Moves messages; never computes.
//!
//! Every Sync tells the whole state, so that a lost request or reply heals at the next one. A result is kept until the
//! coordinator has said what became of it.

mod backoff;
mod hold;

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use babelquant_proto::message::{Hello, RunState, Session, SyncReply, SyncRequest, Welcome};
use babelquant_proto::{Spec, WIRE_MAJOR};
use tokio::time::{Instant, sleep};
use tracing::{debug, info, warn};

use self::backoff::backoff;
use self::hold::Hold;
use crate::client::{CallError, Client};
use crate::engine::{Engine, Event, engine_class};
use crate::error::Error;
use crate::eval::Evaluator;
use crate::options::Options;

/// How long a leaving worker tries to say goodbye: its machine may be taken away at any moment.
const GOODBYE: Duration = Duration::from_secs(5);

/// One worker's side of a run.
#[derive(Debug)]
pub(crate) struct Agent {
    options: Options,
    client: Client,
    session: Session,
    spec: Spec,
    sync_every: Duration,
    engine: Engine,
    hold: Hold,
    /// True where the engine finished something after the last Sync was written.
    has_news: bool,
}

/// What ended a pause between two Syncs.
enum Wake {
    News,
    Timer,
    Shutdown,
}

impl Agent {
    /// Registers, retrying until the coordinator answers, and starts the engine.
    ///
    /// # Errors
    /// The coordinator refuses, stays out of reach, or the device cannot be opened.
    pub(crate) async fn join(options: Options) -> Result<Self, Error> {
        let device = options.device.open()?;
        let mut client = Client::new(&options.coordinator, options.credentials.clone())?;
        let welcome = register(&mut client, &options).await?;
        info!(session = welcome.session.0, units = welcome.spec.units(), "registered");
        let mut evaluator = Evaluator::new(welcome.spec.clone(), options.places.clone(), device)
            .with_memory(options.memory_bytes, options.device.memory_bytes());
        if let Some(cache) = options.cache.clone() {
            evaluator = evaluator.with_cache(cache, engine_class(&options.device));
        }
        Ok(Self {
            hold: Hold::new(options.slots),
            has_news: false,
            options,
            client,
            session: welcome.session,
            sync_every: Duration::from_millis(welcome.sync_ms.into()),
            spec: welcome.spec,
            engine: Engine::start(evaluator),
        })
    }

    /// Works until the run is complete or `shutdown` ends.
    ///
    /// # Errors
    /// The coordinator refuses or stays out of reach, or `shutdown` ended first.
    pub(crate) async fn work(
        mut self,
        shutdown: impl Future<Output = ()>,
    ) -> Result<RunState, Error> {
        let mut shutdown = pin!(shutdown);
        let mut draining = false;
        loop {
            let reply = tokio::select! {
                reply = self.sync(draining) => reply?,
                () = &mut shutdown, if !draining => {
                    info!("leaving: giving back what is not finished");
                    self.hold.release_all();
                    draining = true;
                    continue;
                }
            };
            if draining {
                return Err(Error::Stopped);
            }
            if reply.state.is_complete() {
                return Ok(reply.state);
            }
            let pause = Duration::from_millis(reply.next_sync_ms.into()).min(self.sync_every);
            if matches!(self.pause(pause, &mut shutdown).await?, Wake::Shutdown) {
                self.hold.release_all();
                draining = true;
            }
        }
    }

    /// Lets the engine work until something is worth telling.
    async fn pause(
        &mut self,
        pause: Duration,
        shutdown: &mut (impl Future<Output = ()> + Unpin),
    ) -> Result<Wake, Error> {
        let mut timer = pin!(sleep(pause));
        loop {
            if self.has_news && self.hold.is_worth_telling() {
                return Ok(Wake::News);
            }
            self.feed()?;
            tokio::select! {
                event = self.engine.event() => self.take(event.ok_or(Error::EngineGone)?),
                () = &mut timer => return Ok(Wake::Timer),
                () = &mut *shutdown => return Ok(Wake::Shutdown),
            }
        }
    }

    fn feed(&mut self) -> Result<(), Error> {
        let Some(job) = self.hold.next_job(&self.spec) else { return Ok(()) };
        debug!(units = job.units.len(), first = job.units[0].0, "computing");
        if self.engine.submit(job) { Ok(()) } else { Err(Error::EngineGone) }
    }

    fn take(&mut self, event: Event) {
        self.has_news = true;
        match event {
            Event::Done(result) => {
                debug!(unit = result.unit.0, bytes = result.ipc.len(), "finished");
                self.hold.finish(result);
            }
            Event::Failed(failure) => {
                warn!(unit = failure.unit.0, kind = %failure.kind, detail = %failure.detail, "unit failed");
                self.hold.fail(failure);
            }
            Event::Idle => self.hold.idle(),
        }
    }

    /// One Sync, retried until it gets through or the patience ends; the engine goes on meanwhile.
    async fn sync(&mut self, draining: bool) -> Result<SyncReply, Error> {
        let patience = if draining { GOODBYE } else { self.options.give_up };
        let mut lost = Lost::new(patience.min(self.options.give_up));
        loop {
            let request = self.request(draining);
            self.has_news = false;
            let told = self.hold.told(&request);
            let mut client = self.client.clone();
            match self.meanwhile(client.sync(request)).await? {
                Ok(reply) => {
                    self.hold.apply(told, &reply, &self.spec)?;
                    return Ok(reply);
                }
                Err(CallError::UnknownSession) => self.register_again().await?,
                Err(error) => {
                    let name = self.options.name.clone();
                    self.meanwhile(lost.wait(error, &name)).await??;
                }
            }
        }
    }

    /// Waits for the coordinator while the engine goes on: what is granted is computed and kept although nobody answers.
    async fn meanwhile<T>(&mut self, answer: impl Future<Output = T>) -> Result<T, Error> {
        let mut answer = pin!(answer);
        loop {
            self.feed()?;
            tokio::select! {
                answer = &mut answer => return Ok(answer),
                event = self.engine.event() => self.take(event.ok_or(Error::EngineGone)?),
            }
        }
    }

    fn request(&self, draining: bool) -> SyncRequest {
        SyncRequest {
            session: self.session,
            want: if draining { 0 } else { self.hold.want() },
            holding: self.hold.units(),
            shards: self.hold.shards(),
            results: self.hold.results(),
            failures: self.hold.failures(),
            released: self.hold.released(),
            draining,
        }
    }

    /// After a restart of the coordinator: the same spec or nothing.
    async fn register_again(&mut self) -> Result<(), Error> {
        let welcome = register(&mut self.client, &self.options).await?;
        if welcome.spec != self.spec {
            return Err(Error::Mismatch("it now runs another study".into()));
        }
        self.session = welcome.session;
        Ok(())
    }
}

async fn register(client: &mut Client, options: &Options) -> Result<Welcome, Error> {
    let mut lost = Lost::new(options.give_up);
    loop {
        let hello = Hello {
            wire_major: WIRE_MAJOR,
            name: options.name.clone(),
            engine_class: engine_class(&options.device),
        };
        match client.register(hello).await {
            Ok(welcome) => return Ok(welcome),
            Err(error) => lost.wait(error, &options.name).await?,
        }
    }
}

/// A stretch of calls without an answer.
struct Lost {
    since: Instant,
    give_up: Duration,
    attempt: u32,
}

impl Lost {
    fn new(give_up: Duration) -> Self {
        Self { since: Instant::now(), give_up, attempt: 0 }
    }

    /// Waits before the next attempt; an error where there must be none.
    async fn wait(&mut self, error: CallError, name: &str) -> Result<(), Error> {
        let cause = match error {
            CallError::Unreachable(cause) => cause,
            CallError::UnknownSession => "the session is unknown".into(),
            CallError::Refused(reason) => return Err(Error::Mismatch(reason)),
            CallError::Denied(reason) => return Err(Error::Denied(reason)),
        };
        let elapsed = self.since.elapsed();
        if elapsed >= self.give_up {
            return Err(Error::GaveUp { seconds: elapsed.as_secs(), cause });
        }
        if self.attempt == 0 {
            warn!(%cause, "the coordinator does not answer; trying again");
        }
        let pause = backoff(self.attempt, name).min(self.give_up - elapsed);
        self.attempt += 1;
        sleep(pause).await;
        Ok(())
    }
}
