//! The one task that owns the scheduler and the store. It takes calls in groups: report to the scheduler, have the store commit what follows
//! as one object, and acknowledge only what is durable. However long the storage takes, workers are heard and answered meanwhile. Not the
//! wire (`service`), and it computes nothing: batches are checked before they come here, Parquet is written elsewhere (`blocking`).

mod answer;
mod call;
mod classes;
mod details;
mod drain;
mod durable;
mod intake;
mod options;
mod overview;
mod register;
mod run;
mod show;
mod troubles;
mod turn;
mod writer;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use babelquant_proto::message::{RunState, Session};
use babelquant_proto::overview::Overview;
use babelquant_proto::{Spec, UnitIndex};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::blocking::Blocking;
use crate::events::Events;
use crate::live::{Live, Loss};
use crate::scheduler::{Clock, Geometry, Opening, Traced};
use crate::store::{Entry, RunFile, Store, StoreError};
use answer::Waiting;
pub(crate) use call::{Call, Checked, Refusal};
pub(crate) use classes::Classes;
use details::Details;
use intake::Intake;
pub(crate) use intake::Room;
pub use options::{Options, Outcome};
pub(crate) use run::Run;
use show::show_earlier;
use troubles::Troubles;
use writer::Writer;

/// Most calls that wait for the owner: a thousand workers have one call each, and each call is a request in memory.
const CALLS_MAX: usize = 1024;
/// Most calls of one group commit.
const GROUP_CALLS_MAX: usize = 256;

/// Scheduler, store and the calls that wait.
pub(crate) struct Owner {
    run: Run,
    /// The run's engine class, once a worker has registered.
    run_file: Option<RunFile>,
    scheduler: Traced,
    writer: Writer,
    epoch: u64,
    started: Instant,
    clock: Clock,
    /// The scheduler's time, as this turn began.
    listened: Duration,
    next_session: u64,
    classes: Classes,
    /// Entries that are not durable yet.
    backlog: Vec<Entry>,
    /// Entries that ever were in it, and those that left it.
    entered: u64,
    durable: u64,
    /// The room of its results, each until so many entries are durable.
    rooms: VecDeque<(u64, Room)>,
    /// What its results say, those of cells.
    losses: BTreeMap<UnitIndex, Loss>,
    /// What workers said last of units that broke.
    details: Details,
    /// When the store was last given something to do.
    worked: Duration,
    /// Why the storage fails, while it does.
    troubles: Troubles,
    /// Since when the run is complete and its manifest written.
    complete: Option<Duration>,
    /// Since when it is asked to stop.
    draining: Option<Duration>,
    waiting: Vec<Waiting>,
    /// Sessions that have heard that the run is over.
    told: BTreeSet<Session>,
    overview: watch::Sender<Arc<Overview>>,
}

/// Why there is a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Occasion {
    Calls,
    Tick,
    Written,
    Shutdown,
}

/// The ends that the service keeps of an owner.
#[derive(Debug, Clone)]
pub(crate) struct Handle {
    pub(crate) spec: Arc<Spec>,
    pub(crate) calls: mpsc::Sender<Call>,
    pub(crate) overview: watch::Receiver<Arc<Overview>>,
    pub(crate) live: Arc<Live>,
    pub(crate) blocking: Blocking,
    /// Whose rows a session may send.
    pub(crate) classes: Classes,
    /// How much of them there may be.
    pub(crate) intake: Intake,
}

impl Owner {
    /// Opens the output and rebuilds what is done.
    pub(crate) async fn open(
        mut run: Run,
        overview: watch::Sender<Arc<Overview>>,
    ) -> Result<(Self, Handle, mpsc::Receiver<Call>), StoreError> {
        let run_file = run.output.check(&run.spec, &run.registration).await?;
        let (store, records) = Store::open(&run.output, Arc::clone(&run.spec)).await?;
        let mut store = store.working(run.blocking);
        let (run_file, taken) = run.take_over(&mut store, run_file).await?;
        let records = records.into_iter().chain(taken).collect();
        let Options { lease, returning, straggling, .. } = run.options;
        let returning = if store.is_first() { Duration::ZERO } else { returning };
        let spec = run.spec.digest().expect("a spec is JSON: it was read or made as such");
        let (geometry, id) = (Geometry::of(&run.spec), (spec, store.epoch()));
        let opening = Opening::new(id, &geometry, (lease, returning), records, store.done());
        let events = run.events.take().map(Events::sink);
        let scheduler = Traced::open(opening.with_straggling(straggling), events);
        let scheduler = scheduler
            .map_err(|reason| StoreError::Damaged { path: "journal".to_owned(), reason })?;
        let (sender, calls) = mpsc::channel(CALLS_MAX);
        let spec = Arc::clone(&run.spec);
        let (live, blocking) = (Arc::clone(&run.live), run.blocking);
        let overviews = overview.subscribe();
        let (classes, intake) = (Classes::default(), Intake::new(run.options.intake_bytes));
        let handle =
            Handle { spec, calls: sender, overview: overviews, live, blocking, classes, intake };
        show_earlier(&run.live, &scheduler, &run.spec);
        let owner = Self {
            classes: handle.classes.clone(),
            next_session: store.epoch() << 32,
            run,
            run_file,
            scheduler,
            epoch: store.epoch(),
            writer: Writer::new(store),
            started: Instant::now(),
            clock: Clock::new(lease),
            listened: Duration::ZERO,
            backlog: Vec::new(),
            entered: 0,
            durable: 0,
            rooms: VecDeque::new(),
            losses: BTreeMap::new(),
            details: Details::default(),
            worked: Duration::ZERO,
            troubles: Troubles::default(),
            complete: None,
            draining: None,
            waiting: Vec::new(),
            told: BTreeSet::new(),
            overview,
        };
        Ok((owner, handle, calls))
    }

    /// Serves calls until the run is over.
    pub(crate) async fn run(
        mut self,
        mut calls: mpsc::Receiver<Call>,
        shutdown: impl Future<Output = ()>,
    ) -> Result<Outcome, StoreError> {
        let mut shutdown = std::pin::pin!(shutdown);
        let mut ticks = tokio::time::interval(self.run.options.tick);
        let mut group = Vec::new();
        loop {
            // In one order, so that what happens at one moment happens the same way each time. Ticks, which may be due all the time where
            // turns are slow, bring the calls that wait.
            let occasion = tokio::select! {
                biased;
                () = &mut shutdown, if self.draining.is_none() => {
                    self.draining = Some(self.now());
                    Occasion::Shutdown
                }
                written = self.writer.written() => {
                    self.take_in(written)?;
                    Occasion::Written
                }
                _ = ticks.tick() => {
                    take_waiting(&mut calls, &mut group);
                    Occasion::Tick
                }
                count = calls.recv_many(&mut group, GROUP_CALLS_MAX) => {
                    if count == 0 {
                        return Ok(self.outcome());
                    }
                    Occasion::Calls
                }
            };
            self.turn(occasion, &mut group).await?;
            if occasion == Occasion::Tick {
                let scheduler = &self.scheduler;
                self.classes.retain(|session| scheduler.knows(session));
            }
            let is_over = self.is_over();
            if occasion == Occasion::Tick || is_over || self.state() != self.overview.borrow().state
            {
                self.publish();
            }
            if is_over {
                return Ok(self.outcome());
            }
        }
    }

    /// Shows watchers how the run is now.
    fn publish(&self) {
        self.overview.send_replace(Arc::new(self.overview()));
    }

    /// True where engines of several classes make the run's numbers.
    fn is_mixed(&self) -> bool {
        self.run_file.as_ref().is_some_and(|run_file| run_file.mixed_engines)
    }

    /// The time of the coordinator's own deadlines.
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn state(&self) -> RunState {
        match (self.complete, self.draining, self.troubles.oldest()) {
            (Some(_), _, _) if self.scheduler.quarantined().is_empty() => RunState::Complete,
            (Some(_), _, _) => RunState::CompleteWithQuarantine,
            (None, Some(_), _) => RunState::Draining,
            (None, None, Some(_)) => RunState::Degraded,
            (None, None, None) => RunState::Running,
        }
    }

    /// True once everyone has heard that the run is complete or stopping, or has had time to; and when the storage has refused
    /// for too long.
    fn is_over(&self) -> bool {
        let Options { patience, linger, .. } = self.run.options;
        let past =
            |since: Option<Duration>, limit| since.is_some_and(|at| self.now() - at >= limit);
        let heard = self.scheduler.sessions().all(|session| self.told.contains(&session));
        let is_written =
            self.backlog.is_empty() && self.writer.idle().is_some() && !self.writer.is_compacting();
        let ending = self.complete.is_some() || (self.draining.is_some() && is_written);
        (ending && heard)
            || past(self.complete, linger)
            || past(self.draining, linger.min(Duration::from_secs(1)))
            || past(self.troubles.oldest().map(|failing| failing.since), patience)
    }

    fn outcome(&self) -> Outcome {
        let quarantined = self.scheduler.quarantined().len() as u64;
        let open = self.scheduler.open();
        match (self.complete, self.troubles.oldest()) {
            (Some(_), _) => Outcome::Complete { quarantined },
            (None, None) => {
                Outcome::Unfinished { reason: format!("stopped with {open} units to go") }
            }
            (None, Some(_)) => Outcome::Unfinished {
                reason: format!("the output could not be written, with {open} units to go"),
            },
        }
    }
}

/// Takes the calls that wait, as many as make a group.
fn take_waiting(calls: &mut mpsc::Receiver<Call>, group: &mut Vec<Call>) {
    while group.len() < GROUP_CALLS_MAX {
        let Ok(call) = calls.try_recv() else { return };
        group.push(call);
    }
}
