//! A cluster in one thread and no time: events in order, workers that compute by the clock of the events, a coordinator that
//! answers as the real one does (report, commit, then grant), and the rules that must hold at every event.

mod coordinator;
mod journal;
mod tally;
mod worker;

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use babelquant_coordinator::scheduler::{Clock, Geometry, Record, Traced};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use coordinator::Waiting;
use journal::Journal;
pub(crate) use tally::{Tally, What};
use worker::{Reply, Request, Worker};

/// Milliseconds of simulated time.
pub(crate) type Millis = u64;

/// How long a worker waits for an answer.
const CALL: Millis = 5_000;
/// How often a busy worker calls.
const SYNC: Millis = 1_000;
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
    /// Whether workers die and freeze, by themselves and over poison, and call twice with one request: a late one opens a session here that
    /// nobody goes on with.
    pub(crate) workers_break: bool,
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

    /// Five units break every worker that computes them, where workers break.
    pub(crate) fn poison(&self) -> BTreeSet<u64> {
        let units = self.geometry().units();
        let last = if self.workers_break { 5 } else { 0 };
        (1..=last).map(|index| units / 6 * index).collect()
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
    scheduler: Option<Traced>,
    /// Until then the coordinator is stopped, and what reaches it waits.
    stopped_until: Millis,
    /// When it started.
    served: Millis,
    clock: Clock,
    /// The scheduler's time.
    listened: Duration,
    /// The lines of its trace, where somebody wants them.
    trace: Option<Arc<Mutex<Vec<String>>>>,
    epoch: u64,
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
            stopped_until: 0,
            served: 0,
            clock: Clock::new(Duration::ZERO),
            listened: Duration::ZERO,
            trace: None,
            epoch: 0,
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

    /// The same; what its coordinators' schedulers do is written to `lines`.
    pub(crate) fn traced(self, lines: &Arc<Mutex<Vec<String>>>) -> Self {
        Self { trace: Some(Arc::clone(lines)), ..self }
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
        let is_coordinators =
            matches!(event, Event::Arrive { .. } | Event::Commit { .. } | Event::Tick { .. });
        if is_coordinators && self.now < self.stopped_until {
            return self.at(self.stopped_until, event);
        }
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
                self.tick();
            }
            Event::Commit { .. } | Event::Tick { .. } => {}
            Event::Serve => self.serve(),
        }
    }

    /// A worker's turn: it may die or freeze instead of calling.
    fn call(&mut self, worker: usize) {
        let life = self.workers[worker].life;
        let poisoned = self.workers[worker].compute(self.now, &self.poison);
        if poisoned || self.breaks() {
            self.tally.count(What::Crash, 1);
            self.workers[worker].die();
            return self.after(1_000..30_000, Event::Start { worker });
        }
        if self.breaks() {
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
        if self.plan.workers_break && self.once_in(200) {
            self.tally.count(What::DuplicateRequest, 1);
            self.after(1..3_000, Event::Arrive { worker, request: request.clone() });
        }
        self.after(1..20, Event::Arrive { worker, request });
    }

    fn breaks(&mut self) -> bool {
        self.plan.workers_break && self.once_in(500)
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
