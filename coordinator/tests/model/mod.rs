//! A cluster of two workers and a coordinator as one value, and the steps that it can take. Not which promises hold in it.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use babelquant_coordinator::scheduler::{Geometry, Input, Record, Report, Scheduler, Standing};
use babelquant_proto::UnitIndex;
use babelquant_proto::message::Session;

const WORKERS: usize = 2;
const UNITS: u64 = 2;
const LEASE: Duration = Duration::from_secs(15);
/// Turns in which everything is done once nothing goes wrong any more.
const ROUNDS: usize = 8;
/// Longer than any history: stragglers are no faults.
const NEVER: Duration = Duration::from_secs(3600);

/// What may still go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Faults {
    pub(crate) killed_workers: u8,
    pub(crate) killed_coordinators: u8,
    pub(crate) lost_answers: u8,
}

/// A worker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Worker {
    dead: bool,
    session: Option<u64>,
    holding: BTreeSet<u64>,
    /// Of these it has results.
    finished: BTreeSet<u64>,
}

/// The cluster.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    pub(crate) scheduler: Scheduler,
    now: Duration,
    sessions: u64,
    workers: [Worker; WORKERS],
    /// Records on their way to the storage.
    pending: Vec<Record>,
    durable: Vec<Record>,
    /// Results that a worker was told are durable.
    pub(crate) acknowledged: BTreeSet<u64>,
    pub(crate) faults: Faults,
    pub(crate) broken: Option<&'static str>,
    /// All of it as text: states that read the same are the same.
    text: String,
}

impl PartialEq for Cluster {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Hash for Cluster {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A worker registers.
    Join(usize),
    /// A worker says how it is and asks for a unit.
    Sync {
        worker: usize,
        answer_lost: bool,
    },
    /// A worker has the result of a unit.
    Finish {
        worker: usize,
        unit: u64,
    },
    KillWorker(usize),
    /// The storage has what was on its way.
    Commit,
    /// The coordinator dies and another starts; what was on its way arrived before, or never.
    KillCoordinator {
        stored: bool,
    },
    /// A lease goes by: whoever lives is heard of in time.
    Wait,
}

impl Cluster {
    pub(crate) fn new() -> Self {
        let faults = Faults { killed_workers: 1, killed_coordinators: 1, lost_answers: 1 };
        let mut cluster = Self {
            scheduler: scheduler(&[], Duration::ZERO),
            now: Duration::ZERO,
            sessions: 0,
            workers: Default::default(),
            pending: Vec::new(),
            durable: Vec::new(),
            acknowledged: BTreeSet::new(),
            faults,
            broken: None,
            text: String::new(),
        };
        cluster.spell();
        cluster
    }

    fn spell(&mut self) {
        self.text.clear();
        self.text = format!("{self:?}");
    }

    pub(crate) fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for (worker, one) in self.workers.iter().enumerate().filter(|(_, one)| !one.dead) {
            let known = one.session.is_some_and(|id| self.scheduler.knows(Session(id)));
            match known {
                false => steps.push(Step::Join(worker)),
                true => {
                    steps.push(Step::Sync { worker, answer_lost: false });
                    if self.faults.lost_answers > 0 {
                        steps.push(Step::Sync { worker, answer_lost: true });
                    }
                }
            }
            let unfinished = one.holding.difference(&one.finished);
            steps.extend(unfinished.map(|&unit| Step::Finish { worker, unit }));
            if self.faults.killed_workers > 0 {
                steps.push(Step::KillWorker(worker));
            }
        }
        if !self.pending.is_empty() {
            steps.push(Step::Commit);
        }
        if self.faults.killed_coordinators > 0 {
            steps.extend([false, true].map(|stored| Step::KillCoordinator { stored }));
        }
        let silent = |one: &Worker| {
            one.dead && one.session.is_some_and(|id| self.scheduler.knows(Session(id)))
        };
        if self.workers.iter().any(silent) || self.is_returning() {
            steps.push(Step::Wait);
        }
        steps
    }

    /// A restarted coordinator still keeps units for those who may come back.
    fn is_returning(&self) -> bool {
        self.faults.killed_coordinators == 0 && self.now < LEASE
    }

    pub(crate) fn step(&mut self, step: Step) {
        self.act(step);
        self.spell();
    }

    /// Whether everything gets done from here on if nothing else goes wrong.
    pub(crate) fn can_end(&self) -> bool {
        let mut cluster = self.clone();
        for _ in 0..ROUNDS {
            cluster.act(Step::Commit);
            for worker in 0..WORKERS {
                let one = &mut cluster.workers[worker];
                if one.dead {
                    // Somebody starts it again.
                    *one = Worker::default();
                }
                one.finished = one.holding.clone();
                let known = one.session.is_some_and(|id| cluster.scheduler.knows(Session(id)));
                if !known {
                    cluster.act(Step::Join(worker));
                }
                cluster.sync(worker, false);
            }
            if cluster.scheduler.open() == 0 {
                return true;
            }
            cluster.act(Step::Wait);
        }
        false
    }

    fn act(&mut self, step: Step) {
        match step {
            Step::Join(worker) => {
                self.sessions += 1;
                self.workers[worker].session = Some(self.sessions);
                let (session, worker) = (Session(self.sessions), format!("w{worker}"));
                self.tell(Input::Join { session, worker, memory: None, engine: None });
            }
            Step::Sync { worker, answer_lost } => self.sync(worker, answer_lost),
            Step::Finish { worker, unit } => drop(self.workers[worker].finished.insert(unit)),
            Step::KillWorker(worker) => {
                self.faults.killed_workers -= 1;
                let session = self.workers[worker].session;
                self.workers[worker] = Worker { dead: true, session, ..Worker::default() };
            }
            Step::Commit => self.commit(),
            Step::KillCoordinator { stored } => {
                self.faults.killed_coordinators -= 1;
                match stored {
                    true => self.commit(),
                    false => self.pending.clear(),
                }
                self.scheduler = scheduler(&self.durable, LEASE);
                self.now = Duration::ZERO;
            }
            Step::Wait => {
                self.now += LEASE + Duration::from_secs(1);
                for worker in 0..WORKERS {
                    if !self.workers[worker].dead {
                        drop(self.report(worker));
                    }
                }
                self.tell(Input::Tick);
            }
        }
    }

    /// Gives the scheduler an input; its records are on their way.
    fn tell(&mut self, input: Input) -> (Vec<UnitIndex>, Vec<UnitIndex>) {
        let effects = self.scheduler.step(self.now, input);
        self.pending.extend(effects.records);
        (effects.grants, effects.revoked)
    }

    /// A worker says how it is; `None` where its session is not known any more.
    fn report(&mut self, worker: usize) -> Option<Vec<UnitIndex>> {
        let one = &self.workers[worker];
        let session = Session(one.session.filter(|id| self.scheduler.knows(Session(*id)))?);
        let open = |unit: &&u64| self.scheduler.standing(UnitIndex(**unit)) == Standing::Open;
        let finished: Vec<UnitIndex> =
            one.finished.iter().filter(open).map(|unit| UnitIndex(*unit)).collect();
        let report = Report {
            session,
            holding: one.holding.iter().map(|unit| UnitIndex(*unit)).collect(),
            finished,
            failures: Vec::new(),
            released: Vec::new(),
            draining: false,
        };
        Some(self.tell(Input::Report(report)).1)
    }

    fn sync(&mut self, worker: usize, answer_lost: bool) {
        let Some(revoked) = self.report(worker) else { return };
        let session = Session(self.workers[worker].session.unwrap());
        let want = u32::from(self.workers[worker].holding.is_empty());
        let granted = match want > 0 && self.scheduler.has_spare() {
            true => self.tell(Input::Ask { session, want }).0,
            false => Vec::new(),
        };
        for unit in &granted {
            let held = |one: &Worker| one.holding.contains(&unit.0) && !one.dead;
            if self.scheduler.standing(*unit) != Standing::Open {
                self.broken = Some("a closed unit was lent");
            }
            // A new coordinator does not know yet what workers of the one before it hold.
            let knows = self.faults.killed_coordinators > 0;
            if knows && self.workers.iter().enumerate().any(|(at, one)| at != worker && held(one)) {
                self.broken = Some("a unit that a live worker holds was lent");
            }
        }
        if answer_lost {
            self.faults.lost_answers -= 1;
            return;
        }
        let settled: Vec<u64> = self.workers[worker]
            .finished
            .iter()
            .copied()
            .filter(|unit| self.scheduler.standing(UnitIndex(*unit)) != Standing::Open)
            .collect();
        let one = &mut self.workers[worker];
        one.holding.extend(granted.iter().map(|unit| unit.0));
        for unit in revoked.iter().map(|unit| unit.0).chain(settled.iter().copied()) {
            one.holding.remove(&unit);
            one.finished.remove(&unit);
        }
        self.acknowledged.extend(settled);
    }

    fn commit(&mut self) {
        let records = std::mem::take(&mut self.pending);
        self.durable.extend(records.clone());
        self.tell(Input::Durable(records));
    }

    /// Units with a durable result, one for each record of one.
    pub(crate) fn done(&self) -> Vec<u64> {
        let done = |record: &Record| matches!(record, Record::Done { .. }).then(|| record.unit().0);
        self.durable.iter().filter_map(done).collect()
    }
}

/// A scheduler that starts from durable records, and until `returning` keeps begun lanes for workers that come back.
fn scheduler(durable: &[Record], returning: Duration) -> Scheduler {
    let geometry = Geometry::new([(0, 1, UNITS)]);
    let restored = Scheduler::restore(geometry, LEASE, returning, durable.iter().cloned(), []);
    restored.with_straggling(NEVER)
}
