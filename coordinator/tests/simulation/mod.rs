//! A cluster in one thread and no time: events in order, workers that compute by the clock of the events, a coordinator that
//! answers as the real one does (report, commit, then grant), and the rules that must hold at every event.

mod journal;
mod tally;
mod worker;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::Duration;

use babelquant_coordinator::scheduler::{Geometry, Input, Record, Report, Scheduler, Standing};
use babelquant_proto::UnitIndex;
use babelquant_proto::message::Session;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use journal::Journal;
pub(crate) use tally::{Tally, What};
use worker::{Reply, Request, Worker};

/// Milliseconds of simulated time.
pub(crate) type Millis = u64;

const LEASE: Duration = Duration::from_secs(15);
/// How long a restarted coordinator waits for the workers of the one before.
const RETURNING: Duration = Duration::from_secs(15);
/// How long a worker waits for an answer.
const CALL: Millis = 5_000;
/// How long an idle worker's request may wait for work.
const POLL: Millis = 2_000;
/// How often a busy worker calls.
const SYNC: Millis = 1_000;
/// How long a commit takes.
const COMMIT: Millis = 5;
const TICK: Millis = 500;
/// No unit closed for so long is a livelock.
const STUCK: Millis = 600_000;

/// What is played.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) lanes: u64,
    pub(crate) lane_units: u64,
    pub(crate) workers: usize,
    /// How often the coordinator dies.
    pub(crate) restarts: u64,
    /// Workers that are cut off for ever after a tenth of the units.
    pub(crate) cuts: Vec<(usize, Cut)>,
}

/// What does not arrive any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    Requests,
    Replies,
    Both,
}

impl Plan {
    fn geometry(&self) -> Geometry {
        Geometry::new([(0, 1, 25), (0, self.lane_units, self.lanes)])
    }

    /// Five units break every worker that computes them.
    pub(crate) fn poison(&self) -> BTreeSet<u64> {
        let units = self.geometry().units();
        (1..=5).map(|index| units / 6 * index).collect()
    }
}

/// What happens, in the order of time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Event {
    /// A worker calls.
    Call { worker: usize, life: u32 },
    /// Its request is there.
    Arrive { worker: usize, request: Request },
    /// The answer is there.
    Answer { worker: usize, reply: Reply },
    /// No answer came.
    Timeout { worker: usize, life: u32, call: u64 },
    /// The coordinator's commit is durable.
    Commit { epoch: u64 },
    /// The coordinator looks at leases and at requests that wait.
    Tick { epoch: u64 },
    /// A worker process starts.
    Start { worker: usize },
    /// The coordinator starts.
    Serve,
}

/// A request that waits for its commit or for work.
#[derive(Debug)]
struct Waiting {
    worker: usize,
    request: Request,
    since: Millis,
    accepted: Vec<u64>,
    revoked: Vec<u64>,
}

/// The cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    plan: Plan,
    poison: BTreeSet<u64>,
    random: ChaCha8Rng,
    now: Millis,
    queue: BinaryHeap<Reverse<(Millis, u64, Event)>>,
    events: u64,
    workers: Vec<Worker>,
    /// `None` while the coordinator is down.
    scheduler: Option<Scheduler>,
    epoch: u64,
    sessions: BTreeMap<u64, usize>,
    next_session: u64,
    backlog: Vec<Record>,
    waiting: Vec<Waiting>,
    journal: Journal,
    last_progress: Millis,
    tally: Tally,
}

impl Cluster {
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut cluster = Self {
            plan: plan.clone(),
            poison: plan.poison(),
            random: ChaCha8Rng::seed_from_u64(plan.seed),
            now: 0,
            queue: BinaryHeap::new(),
            events: 0,
            workers: vec![Worker::default(); plan.workers],
            scheduler: None,
            epoch: 0,
            sessions: BTreeMap::new(),
            next_session: 0,
            backlog: Vec::new(),
            waiting: Vec::new(),
            journal: Journal::new(plan.geometry().units()),
            last_progress: 0,
            tally: Tally::default(),
        };
        cluster.at(0, Event::Serve);
        (0..plan.workers).for_each(|worker| cluster.after(0..SYNC, Event::Start { worker }));
        cluster
    }

    /// Plays until every unit is closed.
    pub(crate) fn play(mut self) -> Tally {
        let units = self.plan.geometry().units();
        while self.journal.closed() < units {
            let Reverse((now, _, event)) = self.queue.pop().unwrap();
            self.now = now;
            self.tally.note(now, &event);
            let stuck = now - self.last_progress > STUCK;
            assert!(!stuck, "seed {}: no unit closed for {STUCK} ms", self.plan.seed);
            self.happen(event);
        }
        let quarantined = self.journal.quarantined();
        let missed: Vec<_> = self.poison.difference(quarantined).collect();
        assert_eq!(missed, [&0; 0], "seed {}: poison that was not found", self.plan.seed);
        self.tally.count(What::InnocentQuarantined, quarantined.len() - self.poison.len());
        self.tally
    }

    fn at(&mut self, time: Millis, event: Event) {
        self.events += 1;
        self.queue.push(Reverse((time, self.events, event)));
    }

    fn after(&mut self, pause: std::ops::Range<Millis>, event: Event) {
        let pause = self.random.random_range(pause);
        self.at(self.now + pause, event);
    }

    /// True once in so many.
    fn once_in(&mut self, many: u32) -> bool {
        self.random.random_ratio(1, many)
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Start { worker } => {
                self.workers[worker].start(self.now);
                let life = self.workers[worker].life;
                self.after(0..SYNC, Event::Call { worker, life });
            }
            Event::Call { worker, life } if self.workers[worker].life == life => self.call(worker),
            Event::Timeout { worker, life, call }
                if self.workers[worker].life == life && self.workers[worker].call == call =>
            {
                self.after(0..SYNC, Event::Call { worker, life });
            }
            Event::Call { .. } | Event::Timeout { .. } => {}
            Event::Arrive { worker, request } => self.arrive(worker, request),
            Event::Answer { worker, reply } => self.answered(worker, reply),
            Event::Commit { epoch } if epoch == self.epoch && self.scheduler.is_some() => {
                self.commit();
            }
            Event::Tick { epoch } if epoch == self.epoch && self.scheduler.is_some() => {
                self.step_and_enter(Input::Tick);
                self.answer_waiting();
                self.at(self.now + TICK, Event::Tick { epoch });
            }
            Event::Commit { .. } | Event::Tick { .. } => {}
            Event::Serve => self.serve(),
        }
    }

    /// A worker's turn: it may die or freeze instead of calling.
    fn call(&mut self, worker: usize) {
        let life = self.workers[worker].life;
        let poisoned = self.workers[worker].compute(self.now, &self.poison);
        if poisoned || self.once_in(500) {
            self.tally.count(What::Crash, 1);
            self.workers[worker].die();
            return self.after(1_000..30_000, Event::Start { worker });
        }
        if self.once_in(500) {
            self.tally.count(What::Pause, 1);
            return self.after(5_000..40_000, Event::Call { worker, life });
        }
        let request = self.workers[worker].request();
        let call = request.call;
        self.at(self.now + CALL, Event::Timeout { worker, life, call });
        if self.is_cut(worker, Cut::Requests) || self.once_in(200) {
            self.tally.count(What::LostRequest, 1);
            return;
        }
        if self.once_in(200) {
            self.tally.count(What::DuplicateRequest, 1);
            self.after(1..3_000, Event::Arrive { worker, request: request.clone() });
        }
        self.after(1..20, Event::Arrive { worker, request });
    }

    fn is_cut(&mut self, worker: usize, direction: Cut) -> bool {
        let begun = self.journal.closed() * 10 >= self.plan.geometry().units();
        let hits =
            |&(cut, way): &(usize, Cut)| cut == worker && (way == direction || way == Cut::Both);
        let is_cut = begun && self.plan.cuts.iter().any(hits);
        self.tally.count(What::Cut, is_cut.into());
        is_cut
    }

    fn answered(&mut self, worker: usize, reply: Reply) {
        let (life, call) = (reply.life, reply.call);
        if self.workers[worker].life != life || self.workers[worker].call != call {
            return;
        }
        for unit in &reply.accepted {
            assert!(self.journal.is_closed(*unit), "a verdict before the commit: unit {unit}");
        }
        let is_idle = self.workers[worker].take(self.now, reply);
        let pause = if is_idle { 1..100 } else { SYNC / 2..SYNC };
        self.after(pause, Event::Call { worker, life });
    }

    fn send(&mut self, worker: usize, reply: Reply) {
        if self.is_cut(worker, Cut::Replies) || self.once_in(200) {
            self.tally.count(What::LostReply, 1);
            return;
        }
        self.after(1..20, Event::Answer { worker, reply });
    }
}

/// The coordinator's side: as the owner and the store do it.
impl Cluster {
    fn serve(&mut self) {
        self.epoch += 1;
        self.next_session = self.epoch << 32;
        self.sessions.clear();
        let (records, closed) = (self.journal.records(), self.journal.ranges());
        let geometry = self.plan.geometry();
        let returning = Duration::from_millis(self.now) + RETURNING;
        self.scheduler = Some(Scheduler::restore(geometry, LEASE, returning, records, closed));
        self.at(self.now + TICK, Event::Tick { epoch: self.epoch });
    }

    /// Kill -9: what is not durable is gone.
    fn die(&mut self) {
        self.tally.count(What::Restart, 1);
        self.scheduler = None;
        self.tally.count(What::LostRecord, self.backlog.len());
        self.backlog.clear();
        self.waiting.clear();
        self.after(500..3_000, Event::Serve);
    }

    fn arrive(&mut self, worker: usize, mut request: Request) {
        if self.scheduler.is_none() {
            return;
        }
        let known = |session: &u64| self.scheduler.as_ref().unwrap().knows(Session(*session));
        let session = request.session.filter(known).unwrap_or_else(|| self.join(worker));
        request.session = Some(session);
        let closed = |unit: &u64| self.standing(*unit) != Standing::Open;
        let (late, fresh): (Vec<u64>, Vec<u64>) =
            request.finished.iter().copied().partition(closed);
        self.tally.count(What::DuplicateResult, late.len());
        let effects = self.step_and_enter(Input::Report(Report {
            session: Session(session),
            holding: request.holding.iter().copied().map(UnitIndex).collect(),
            finished: fresh.iter().copied().map(UnitIndex).collect(),
            failures: Vec::new(),
            released: Vec::new(),
            draining: false,
        }));
        let revoked = effects.iter().map(|unit| unit.0).collect();
        let accepted = std::mem::take(&mut request.finished);
        self.waiting.push(Waiting { worker, request, since: self.now, accepted, revoked });
        if self.backlog.is_empty() {
            self.answer_waiting();
        }
    }

    fn join(&mut self, worker: usize) -> u64 {
        let session = self.next_session;
        self.next_session += 1;
        self.sessions.insert(session, worker);
        let name = format!("worker-{worker}");
        self.step_and_enter(Input::Join { session: Session(session), worker: name });
        session
    }

    fn standing(&self, unit: u64) -> Standing {
        self.scheduler.as_ref().unwrap().standing(UnitIndex(unit))
    }

    /// One step; its records wait for the next commit. Returns what is revoked.
    fn step_and_enter(&mut self, input: Input) -> Vec<UnitIndex> {
        let now = Duration::from_millis(self.now);
        let effects = self.scheduler.as_mut().unwrap().step(now, input);
        if self.backlog.is_empty() && !effects.records.is_empty() {
            self.at(self.now + COMMIT, Event::Commit { epoch: self.epoch });
        }
        self.backlog.extend(effects.records);
        effects.revoked
    }

    /// The backlog becomes durable, or the coordinator dies on the way: before or after the storage has it.
    fn commit(&mut self) {
        let restarts = self.tally.of(What::Restart);
        let due = self.plan.geometry().units() / (self.plan.restarts + 1) * (restarts + 1);
        let dies = restarts < self.plan.restarts && self.journal.closed() >= due;
        let stored = !dies || self.once_in(2);
        if stored {
            self.last_progress = self.now;
            self.backlog.iter().for_each(|record| self.journal.write(record));
        }
        if dies {
            return self.die();
        }
        let now = Duration::from_millis(self.now);
        for record in self.backlog.drain(..) {
            self.scheduler.as_mut().unwrap().step(now, Input::Durable(record));
        }
        self.answer_waiting();
    }

    fn answer_waiting(&mut self) {
        if !self.backlog.is_empty() {
            return;
        }
        for waiting in std::mem::take(&mut self.waiting) {
            let Waiting { worker, request, since, accepted, revoked } = waiting;
            if self.workers[worker].life != request.life {
                continue;
            }
            let (session, want) = (Session(request.session.unwrap()), request.want);
            let now = Duration::from_millis(self.now);
            let effects = self.scheduler.as_mut().unwrap().step(now, Input::Ask { session, want });
            let grants: Vec<u64> = effects.grants.iter().map(|unit| unit.0).collect();
            for unit in &grants {
                assert!(!self.journal.is_closed(*unit), "a grant of a closed unit: {unit}");
                let again = self.is_known_elsewhere(worker, *unit);
                self.tally.count(What::Recomputed, again.into());
            }
            self.tally.count(What::Grant, grants.len());
            let is_busy = !request.holding.is_empty() || want == 0;
            let has_news = !(grants.is_empty() && accepted.is_empty() && revoked.is_empty());
            if !is_busy && !has_news && self.now < since + POLL {
                self.waiting.push(Waiting { worker, request, since, accepted, revoked });
                continue;
            }
            let Request { life, call, .. } = request;
            self.send(worker, Reply { life, call, session: session.0, accepted, revoked, grants });
        }
    }

    /// True where another live worker has a result of the unit that it could not hand in yet. Costs too much to ask in a large
    /// cluster at every grant, so only every 64th unit is looked at there.
    fn is_known_elsewhere(&self, worker: usize, unit: u64) -> bool {
        let looked_at = self.plan.workers <= 64 || unit.is_multiple_of(4096);
        let others = || self.workers.iter().enumerate().filter(|&(other, _)| other != worker);
        looked_at && others().any(|(_, other)| other.finished.contains(&unit))
    }
}
