//! The agent: keeps the coordinator informed and the engine busy. Moves messages; never computes.
//!
//! Every Sync tells the whole state, so that a lost request or reply heals at the next one. A result is kept until the
//! coordinator has said what became of it. Whatever happens at one moment is taken in one order, so that a simulated worker does the
//! same each time.

mod backoff;
mod contact;
mod hold;

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use babelquant_proto::Spec;
use babelquant_proto::message::{RunState, Session, SyncReply, SyncRequest, UnitFailure};
use tokio::time::{Instant, sleep, timeout};
use tracing::{Instrument, Span, debug, info, info_span, warn};

use self::contact::{Contact, Lost};
use self::hold::Hold;
use crate::client::CallError;
use crate::engine::{Engine, Event};
use crate::error::Error;
use crate::options::Options;
use crate::outcome::Outcome;
use crate::termination::Termination;

/// How long a leaving worker tries to say goodbye: its machine may be taken away at any moment.
const GOODBYE: Duration = Duration::from_secs(5);

/// One worker's side of a run.
#[derive(Debug)]
pub(crate) struct Agent {
    options: Options,
    contact: Contact,
    session: Session,
    spec: Spec,
    sync_every: Duration,
    engine: Engine,
    /// What the engine works on, as a span of the log.
    job: Span,
    hold: Hold,
    /// True where the engine finished something after the last Sync was written.
    has_news: bool,
    /// When the engine was last given something or said something.
    heard: Instant,
    stay: Stay,
    /// Why its engine cannot go on.
    broken: Option<Error>,
}

/// Whether the worker stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stay {
    /// It takes work.
    Working,
    /// The operator has sent it away: it finishes or gives back what it holds, then leaves.
    Drained,
    /// Its launcher has told it to leave, which it does in the same way.
    Stopped,
}

/// What ended a pause between two Syncs.
enum Wake {
    News,
    Timer,
    Finish,
    Leave,
}

impl Agent {
    /// Registers, retrying until the coordinator answers, and starts the engine.
    ///
    /// # Errors
    /// The coordinator refuses or stays out of reach.
    pub(crate) async fn join(
        options: Options,
        engine: impl FnOnce(&Spec) -> Engine,
    ) -> Result<Self, Error> {
        let mut contact = Contact::find(&options).await?;
        let welcome = contact.register(&options).await?;
        info!(session = welcome.session.0, units = welcome.spec.units(), "registered");
        Ok(Self {
            hold: Hold::new(options.slots),
            has_news: false,
            heard: Instant::now(),
            stay: Stay::Working,
            broken: None,
            options,
            contact,
            session: welcome.session,
            sync_every: Duration::from_millis(welcome.sync_ms.into()),
            engine: engine(&welcome.spec),
            job: Span::none(),
            spec: welcome.spec,
        })
    }

    /// Works until the run is complete, the operator drains this worker, or it is to leave.
    ///
    /// # Errors
    /// The coordinator refuses or stays out of reach, or the worker was to leave first.
    pub(crate) async fn work(
        self,
        termination: Termination<
            impl Future<Output = ()> + Unpin,
            impl Future<Output = ()> + Unpin,
        >,
    ) -> Result<Outcome, Error> {
        let run = self.spec.run_id().unwrap_or_default();
        let span = info_span!("worker", name = self.options.name, run);
        self.go_on(termination).instrument(span).await
    }

    async fn go_on(
        mut self,
        mut termination: Termination<
            impl Future<Output = ()> + Unpin,
            impl Future<Output = ()> + Unpin,
        >,
    ) -> Result<Outcome, Error> {
        loop {
            if let Some(reason) = self.broken.take() {
                return self.leave(reason).await;
            }
            let is_farewell = self.stay != Stay::Working && self.hold.is_empty();
            let reply = tokio::select! {
                biased;
                reply = self.sync() => reply?,
                () = &mut termination.leave => return self.leave(Error::Stopped).await,
                () = &mut termination.finish, if self.stay == Stay::Working => {
                    self.finish(Stay::Stopped);
                    continue;
                }
            };
            match (self.stay, reply.state) {
                (_, RunState::Complete) => return Ok(Outcome::Complete),
                (_, RunState::CompleteWithQuarantine) => {
                    return Ok(Outcome::CompleteWithQuarantine);
                }
                (stay @ (Stay::Drained | Stay::Stopped), _) if is_farewell => {
                    info!("everything is handed in or given back");
                    return match stay {
                        Stay::Stopped => Err(Error::Stopped),
                        Stay::Drained | Stay::Working => Ok(Outcome::Drained),
                    };
                }
                (Stay::Drained | Stay::Stopped, _) if self.hold.is_empty() => continue,
                (Stay::Working, _) if reply.leave => {
                    self.finish(Stay::Drained);
                    continue;
                }
                (Stay::Working | Stay::Drained | Stay::Stopped, _) => {}
            }
            let pause = Duration::from_millis(reply.next_sync_ms.into()).min(self.sync_every);
            match self.pause(pause, &mut termination).await? {
                Wake::Leave => return self.leave(Error::Stopped).await,
                Wake::Finish => self.finish(Stay::Stopped),
                Wake::News | Wake::Timer => {}
            }
        }
    }

    /// Takes no more, and gives back what the engine has not begun.
    fn finish(&mut self, stay: Stay) {
        let by = if stay == Stay::Drained { "drained by the operator" } else { "told to leave" };
        info!("{by}: finishing what is begun, giving back the rest");
        self.hold.release_queued();
        self.stay = stay;
    }

    /// Gives back what is not finished and hands in the rest, to leave at once: whether somebody answers or not.
    async fn leave(&mut self, reason: Error) -> Result<Outcome, Error> {
        info!(%reason, "leaving: giving back what is not finished");
        self.hold.release_all();
        self.stay = Stay::Stopped;
        let patience = GOODBYE.min(self.options.give_up);
        let Ok(reply) = timeout(patience, self.sync()).await else {
            let cause = "it does not answer this worker, which was told to leave".to_owned();
            return Err(Error::GaveUp { seconds: patience.as_secs(), cause });
        };
        let left = self.hold.results().len();
        if reply.is_ok() && left > 0 {
            warn!(left, "results were not acknowledged: their units may be computed again");
        }
        reply.and(Err(reason))
    }

    /// Lets the engine work until something is worth telling.
    async fn pause(
        &mut self,
        pause: Duration,
        termination: &mut Termination<
            impl Future<Output = ()> + Unpin,
            impl Future<Output = ()> + Unpin,
        >,
    ) -> Result<Wake, Error> {
        let mut timer = pin!(sleep(pause));
        loop {
            if self.broken.is_some() || (self.has_news && self.hold.is_worth_telling()) {
                return Ok(Wake::News);
            }
            self.feed()?;
            let hang = self.hang();
            tokio::select! {
                biased;
                event = self.engine.event() => self.take(event.ok_or(Error::EngineGone)?),
                () = hang => self.time_out(),
                () = &mut timer => return Ok(Wake::Timer),
                () = &mut termination.leave => return Ok(Wake::Leave),
                () = &mut termination.finish, if self.stay == Stay::Working => {
                    return Ok(Wake::Finish);
                }
            }
        }
    }

    fn feed(&mut self) -> Result<(), Error> {
        let Some(job) = self.hold.next_job(&self.spec) else { return Ok(()) };
        let (units, first) = (job.units.len(), job.units[0]);
        let words = self.spec.words(first).map(|words| words.to_string());
        self.job = info_span!("job", units, first = first.0, words);
        self.job.in_scope(|| debug!("computing"));
        self.heard = Instant::now();
        if self.engine.submit(job) { Ok(()) } else { Err(Error::EngineGone) }
    }

    /// Ends when the engine has been silent over a unit for too long.
    fn hang(&self) -> impl Future<Output = ()> + use<> {
        let left = self.options.unit_timeout.saturating_sub(self.heard.elapsed());
        let is_computing = self.hold.is_computing();
        async move {
            match is_computing {
                true => sleep(left).await,
                false => std::future::pending().await,
            }
        }
    }

    /// What the engine computes has failed. Nothing can interrupt it but the end of this process.
    fn time_out(&mut self) {
        let seconds = self.heard.elapsed().as_secs();
        self.hold.fail_computing(&format!("the engine was silent for {seconds} s"));
        self.broken = Some(Error::Hung { seconds });
    }

    fn take(&mut self, event: Event) {
        self.has_news = true;
        self.heard = Instant::now();
        match event {
            Event::Done(result) => {
                self.job.in_scope(|| {
                    debug!(unit = result.unit.0, bytes = result.ipc.len(), "finished");
                });
                self.hold.finish(result);
            }
            Event::Failed(failure) => {
                let UnitFailure { unit, kind, detail } = &failure;
                self.job.in_scope(|| warn!(unit = unit.0, %kind, %detail, "unit failed"));
                self.hold.fail(failure);
            }
            Event::Idle => {
                self.job = Span::none();
                self.hold.idle();
            }
            Event::Broken(cause) => self.broken = Some(Error::Broken { cause }),
        }
    }

    /// One Sync, retried until it gets through or the patience ends; the engine goes on meanwhile.
    async fn sync(&mut self) -> Result<SyncReply, Error> {
        let mut lost = Lost::new(self.options.give_up);
        loop {
            let request = self.request();
            self.has_news = false;
            let told = self.hold.told(&request);
            let mut client = self.contact.client();
            match self.meanwhile(client.sync(request)).await? {
                Ok(reply) => {
                    self.hold.apply(told, &reply, &self.spec)?;
                    return Ok(reply);
                }
                Err(CallError::UnknownSession) => self.register_again().await?,
                Err(_) if self.contact.has_moved()? => self.register_again().await?,
                Err(error) => {
                    let jitter = self.options.jitter;
                    self.meanwhile(lost.wait(error, jitter)).await??;
                }
            }
        }
    }

    /// Waits for the coordinator while the engine goes on: what is granted is computed and kept although nobody answers.
    async fn meanwhile<T>(&mut self, answer: impl Future<Output = T>) -> Result<T, Error> {
        let mut answer = pin!(answer);
        loop {
            self.feed()?;
            let hang = self.hang();
            tokio::select! {
                biased;
                answer = &mut answer => return Ok(answer),
                event = self.engine.event() => self.take(event.ok_or(Error::EngineGone)?),
                () = hang => self.time_out(),
            }
        }
    }

    fn request(&self) -> SyncRequest {
        let draining = self.stay != Stay::Working;
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

    /// After a restart of the coordinator: the same spec or nothing. Where the address is somebody else's by now, the file may know
    /// better.
    async fn register_again(&mut self) -> Result<(), Error> {
        loop {
            let welcome = self.contact.register(&self.options).await?;
            if welcome.spec == self.spec {
                self.session = welcome.session;
                return Ok(());
            }
            if !self.contact.has_moved()? {
                return Err(Error::Mismatch("it now runs another study".into()));
            }
        }
    }
}
